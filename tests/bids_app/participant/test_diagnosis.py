"""Ranked diagnoses of a session at the participant level."""

import json
import shutil
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.participant import session
from tests.bids_app.small_dataset import make_dataset, make_label_maps
from tests.bids_app.small_training import never, read


def test_a_session_gets_its_ranked_diagnoses_at_the_participant_level(
    trained: Path, tmp_path: Path
) -> None:
    dataset = make_dataset(tmp_path / "in")
    maps = make_label_maps(tmp_path / "truth")
    command = [str(dataset), str(tmp_path / "out"), "participant"]
    command += ["--derivatives", f"truth={maps}", "--omp-nthreads", "1"]
    model = ["--diagnosis-model", str(trained / "models" / "first")]
    assert main([*command, *model]) == ExitCode.OK
    folder = tmp_path / "out" / "sub-01" / "mr-quant"
    flags = read(folder / "sub-01_desc-diagnosis_flags.tsv")
    # Two muscles of 33 are too few for an answer, and that is said.
    assert flags.loc[0, "status"] == "refused"
    assert read(folder / "sub-01_desc-diagnosis_ranking.tsv").empty
    about = json.loads((folder / "sub-01_desc-diagnosis_flags.json").read_text())
    assert about["DiagnosisModel"]["Model"] == "first"
    assert about["DiagnosisModel"]["Origin"] == "simulated"
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert "Ranked diagnoses" in page
    assert "only 2 of 33 muscles of the model are scored" in page
    # Without the model the marker tells that the results are others.
    assert main(command) == ExitCode.CANNOT_CREATE


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Process a session with given label maps; the model is still to be named."""
    maps = make_label_maps(tmp_path / "truth")
    folders = [str(make_dataset(tmp_path / "in")), str(tmp_path / "out"), "participant"]
    return [*folders, "--derivatives", f"truth={maps}", "--omp-nthreads", "1"]


def model_option(trained: Path) -> list[str]:
    return ["--diagnosis-model", str(trained / "models" / "first")]


def test_a_complete_session_gets_only_its_diagnoses_added(
    trained: Path,
    tmp_path: Path,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert main(command) == ExitCode.OK
    before = {path: path.stat().st_mtime_ns for path in (out / "sub-01").rglob("mr-quant/*")}
    page = (out / "sub-01.html").read_text()
    assert "Ranked diagnoses" not in page
    for options, said in (
        (model_option(trained), "sub-01: complete before, only its diagnoses would be ranked\n"),
        ([], "sub-01: complete before\n"),
        ([*model_option(trained), "--overwrite"], "sub-01: would be processed\n"),
    ):
        assert main([*command, *options, "--dry-run"]) == ExitCode.OK
        assert said in capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(session, "process_stack", never)
        assert main([*command, *model_option(trained)]) == ExitCode.OK
        assert "complete before, only its diagnoses are ranked" in capsys.readouterr().err
        # What it lists now is complete with the model.
        assert main([*command, *model_option(trained)]) == ExitCode.OK
        assert "1 skipped (complete before)" in capsys.readouterr().err
    for path, time in before.items():
        assert path.stat().st_mtime_ns == time, path
    added = {path.name for path in (out / "sub-01").rglob("mr-quant/*")} - {p.name for p in before}
    assert added == {
        f"sub-01_desc-diagnosis_{kind}.{ending}"
        for kind in ("ranking", "flags", "explanation")
        for ending in ("tsv", "json")
    }
    assert "Ranked diagnoses" in (out / "sub-01.html").read_text()
    marker = json.loads((out / "logs" / "complete" / "sub-01.json").read_text())
    assert marker["Diagnosis"]["Model"] == "first"
    listed = {out / name for name in marker["Files"]}
    there = {path for path in out.rglob("sub-01*") if path.is_file()}
    assert listed == there - set((out / "logs").rglob("*"))


def test_added_diagnoses_are_those_of_a_run_with_the_model(
    trained: Path, tmp_path: Path, command: list[str]
) -> None:
    assert main(command) == ExitCode.OK
    assert main([*command, *model_option(trained)]) == ExitCode.OK
    at_once = [str(tmp_path / "other") if part.endswith("out") else part for part in command]
    assert main([*at_once, *model_option(trained)]) == ExitCode.OK
    first, other = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.tsv")}
        for name in ("out", "other")
    )
    assert len(first) == 6
    assert first == other


def test_a_session_with_another_model_is_not_mixed(
    trained: Path, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "second"
    shutil.copytree(trained / "models" / "first", other)
    about = other / "model.json"
    about.write_text(about.read_text().replace('"name": "first"', '"name": "second"', 1))
    assert main([*command, *model_option(trained)]) == ExitCode.OK
    capsys.readouterr()
    assert main([*command, "--diagnosis-model", str(other)]) == ExitCode.CANNOT_CREATE
    said = capsys.readouterr().err
    assert "Results of sub-01 exist that were made from other diagnosis model." in said
    assert "--overwrite" in said


def test_tables_that_were_changed_by_hand_get_no_diagnosis(
    trained: Path, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command) == ExitCode.OK
    table = out / "sub-01" / "mr-quant" / "sub-01_desc-muscles_stats.tsv"
    sound = table.read_text()
    table.write_text(sound.replace("rectus_femoris", "gracilis"))
    marker = (out / "logs" / "complete" / "sub-01.json").read_text()
    assert main([*command, *model_option(trained)]) == ExitCode.BAD_DATA
    assert "was changed since its session was complete" in capsys.readouterr().err
    assert (out / "logs" / "complete" / "sub-01.json").read_text() == marker
    assert not list(out.rglob("*desc-diagnosis*"))
    table.write_text(sound)
    assert main([*command, *model_option(trained)]) == ExitCode.OK
    assert list(out.rglob("*desc-diagnosis*"))
    assert not list((out / "logs" / "failed").glob("*"))
