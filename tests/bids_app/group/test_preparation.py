"""A dry run of the group level refuses what the run refuses, with the same code and words."""

import json
from pathlib import Path

import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.group import level
from pipelines.diagnosis.training import nested
from tests.bids_app.score_study import people_text, score_text, write_study
from tests.bids_app.small_training import never, options

WRONG = {
    "score outside its scale": (
        ExitCode.BAD_DATA,
        [],
        {"scores": score_text().replace("4", "9")},
    ),
    "unknown muscle": (ExitCode.BAD_DATA, [], {"scores": score_text().replace("soleus", "sole")}),
    "age": (ExitCode.BAD_DATA, [], {"people": people_text().replace("34", "340")}),
    "same table twice": (ExitCode.BAD_DATA, ["--study", "again={in}"], {}),
    "no such study": (ExitCode.INPUT_MISSING, ["--study", "x=/nowhere"], {}),
    "no such map": (ExitCode.INPUT_MISSING, ["--muscle-map", "/nowhere.tsv"], {}),
    "map of no study": (ExitCode.USAGE, ["--diagnosis-map", "x=/nowhere.tsv"], {}),
    "no thresholds": (ExitCode.BAD_DATA, ["--scale-thresholds", "{in}/participants.tsv"], {}),
    "too few to train on": (ExitCode.BAD_DATA, ["--train", "first"], {}),
    "no model": (ExitCode.UNAVAILABLE, ["--diagnosis-model", "/nowhere"], {}),
    "no results to write again": (ExitCode.INPUT_MISSING, ["--reports-only"], {}),
}


def problem(text: str) -> str:
    """Return what an error says, as the log or the command line words it."""
    line = next(line for line in text.splitlines() if line.startswith(("ERROR", "myomids: error")))
    return line.removeprefix("myomids: error: ").removeprefix("ERROR").strip()


@pytest.mark.parametrize("case", WRONG)
def test_a_dry_run_refuses_what_the_run_refuses(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, more, files = WRONG[case]
    dataset = write_study(tmp_path / "in", **files)
    given = [text.replace("{in}", str(dataset)) for text in more]
    command = [str(dataset), str(tmp_path / "out"), "group", *given]
    assert main([*command, "--dry-run"]) == code
    assert not (tmp_path / "out").exists()
    dry = problem(capsys.readouterr().err)
    assert main(command) == code
    assert problem(capsys.readouterr().err) == dry


def test_a_dry_run_refuses_results_of_others(tmp_path: Path) -> None:
    dataset, out = write_study(tmp_path / "in"), tmp_path / "out"
    out.mkdir()
    (out / "dataset_description.json").write_text(json.dumps({"Name": "of somebody else"}))
    command = [str(dataset), str(out), "group"]
    assert main([*command, "--dry-run"]) == main(command) == ExitCode.CANNOT_CREATE


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (["--readers", "{cohort}/wrong.tsv"], ExitCode.BAD_DATA),
        (["--interactions", "Dysferlin"], ExitCode.USAGE),
        (["--minimum-samples", "500"], ExitCode.BAD_DATA),
    ],
)
def test_a_dry_run_refuses_a_training_that_cannot_be(
    more: list[str],
    code: ExitCode,
    cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(level, "audit", lambda *_: pd.DataFrame())
    monkeypatch.setattr(nested, "search", never)
    given = [text.replace("{cohort}", str(cohort)) for text in more]
    command = [str(cohort / "new"), str(tmp_path / "out"), "group", *options(cohort)]
    command += ["--train", "other", *given]
    assert main([*command, "--dry-run"]) == code
    assert main(command) == code


def test_a_dry_run_says_what_would_be_trained_on(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(cohort / "new"), str(tmp_path / "out"), "group", *options(cohort)]
    assert main([*command, "--train", "other", "--dry-run"]) == ExitCode.OK
    said = capsys.readouterr().out.splitlines()
    assert said[-3].endswith("studies")
    assert said[-2].startswith("model other: ")
    assert said[-2].endswith(" samples of DUX4, DYSF, PABPN1")
    assert said[-1] == "dry run: nothing was written"
    assert not (tmp_path / "out").exists()


def test_a_model_is_not_asked_for_a_diagnosis_it_does_not_know(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in")
    command = [str(dataset), str(tmp_path / "out"), "group", "--interactions", "Dysferlin"]
    command += ["--diagnosis-model", str(trained / "models" / "first")]
    for more in ([], ["--dry-run"]):
        assert main([*command, *more]) == ExitCode.USAGE
        assert "--interactions Dysferlin is no diagnosis of model first." in capsys.readouterr().err


def test_a_dataset_without_images_or_anything_will_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path / "study")
    (tmp_path / "in").mkdir()
    command = [str(tmp_path / "in"), str(tmp_path / "out"), "group"]
    assert main([*command, "--study", f"rome={study}"]) == ExitCode.OK
    capsys.readouterr()
    assert main(command) == ExitCode.NOTHING_SELECTED
    error = capsys.readouterr().err
    assert f"no score table in {tmp_path / 'in' / 'phenotype'}." in error
    assert "The group level needs no images." in error
    (tmp_path / "in").rmdir()
    assert main([*command, "--study", f"rome={study}"]) == ExitCode.INPUT_MISSING
    error = capsys.readouterr().err
    assert f"BIDS_DIR ({tmp_path / 'in'}) does not exist." in error
    assert "BIDS_DIR may be any folder" in error
    assert "study raw" not in error
