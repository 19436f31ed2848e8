"""Ranked diagnoses of sessions in which a check failed, and what people say about them."""

import json
import shutil
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.files.verdicts import VERDICTS
from bids_app.participant import session
from pipelines.diagnosis.application import apply
from tests.bids_app.doubtful_dataset import make_doubtful
from tests.bids_app.small_training import never, read


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_doubtful(tmp_path_factory.mktemp("doubtful"))


@pytest.fixture
def command(
    processed: Path, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Rank diagnoses of complete sessions; two muscles are enough for an answer here."""
    admit = apply.admit
    monkeypatch.setattr(apply, "admit", lambda model, native, _: admit(model, native, 0.0))
    monkeypatch.setattr(session, "process_stack", never)
    out = shutil.copytree(processed / "out", tmp_path / "out")
    maps = ["--derivatives", f"truth={processed / 'truth'}"]
    model = ["--diagnosis-model", str(trained / "models" / "first"), "--omp-nthreads", "1"]
    return [str(processed / "in"), str(out), "participant", *maps, *model]


def rank(command: list[str], *labels: str, more: tuple[str, ...] = ()) -> None:
    """Rank diagnoses of sessions one by one: a single session is processed in this process."""
    for label in labels:
        assert main([*command, "--participant-label", label, *more]) == ExitCode.OK


def tables(command: list[str], name: str) -> tuple:
    folder = Path(command[1]) / name / "mr-quant"
    return tuple(
        read(folder / f"{name}_desc-diagnosis_{kind}.tsv") for kind in ("ranking", "flags")
    )


def page(command: list[str], name: str) -> str:
    return (Path(command[1]) / f"{name}.html").read_text()


def write_verdict(command: list[str], verdict: str) -> None:
    (Path(command[1]) / VERDICTS).write_text(
        "participant_id\tsession_id\tverdict\treason\twho\twhen\n"
        f"sub-02\tn/a\t{verdict}\tlooked at <it>\tA. Smith\t2026-11-30\n"
    )


def test_no_diagnosis_is_ranked_from_failed_stacks(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rank(command, "01", "02", "04")
    ranking, flags = tables(command, "sub-02")
    assert ranking.empty
    assert flags.loc[0, "status"] == "refused"
    assert flags.loc[0, "failed_lights"] == "label_placement"
    assert flags.loc[0, "left_out_stacks"] == "all"
    said = "all of its stacks are left out because a check failed or a person says so"
    assert said in flags.loc[0, "message"]
    assert f"Not answered: {said}." in page(command, "sub-02")
    assert "failed check: label placement" in page(command, "sub-02")
    assert "sub-02: diagnosis: 1 stack(s) are left out" in capsys.readouterr().err
    # A sound scan of the same session is answered, and what was left out stands beside it.
    ranking, flags = tables(command, "sub-04")
    assert len(ranking) == 3
    assert set(ranking["left_out_stacks"]) == {"acq-b"}
    assert set(ranking["failed_lights"]) == {"label_placement"}
    assert flags.loc[0, "status"] == "answered"
    assert "left out: acq-b" in page(command, "sub-04")
    ranking, flags = tables(command, "sub-01")
    assert ranking[["failed_lights", "left_out_stacks", "verdict"]].isna().all(axis=None)
    assert "failed check" not in page(command, "sub-01")


def test_other_choices_rank_the_diagnoses_anew(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rank(command, "02")
    capsys.readouterr()
    rank(command, "02", more=("--include-failed",))
    assert "complete before, only its diagnoses are ranked" in capsys.readouterr().err
    ranking, flags = tables(command, "sub-02")
    assert len(ranking) == 3
    assert set(ranking["failed_lights"]) == {"label_placement"}
    assert flags.loc[0, "status"] == "answered"
    assert "failed check: label placement" in page(command, "sub-02")
    marker = json.loads((Path(command[1]) / "logs" / "complete" / "sub-02.json").read_text())
    assert marker["Diagnosis"]["IncludeFailed"] is True
    rank(command, "02", more=("--include-failed",))
    assert "1 skipped (complete before)" in capsys.readouterr().err


def test_a_verdict_is_obeyed_and_stands_on_the_page(command: list[str]) -> None:
    write_verdict(command, "keep")
    rank(command, "01", "02")
    ranking, _ = tables(command, "sub-02")
    assert len(ranking) == 3
    assert set(ranking["verdict"]) == {"keep"}
    sentence = "A. Smith decided on 2026-11-30 to {} this session: looked at &lt;it&gt;."
    assert sentence.format("keep") in page(command, "sub-02")
    assert "A. Smith" not in page(command, "sub-01")
    write_verdict(command, "exclude")
    rank(command, "02", more=("--reports-only",))
    assert sentence.format("exclude") in page(command, "sub-02")
    rank(command, "02", more=("--include-failed",))
    ranking, flags = tables(command, "sub-02")
    assert ranking.empty
    assert flags.loc[0, "status"] == "refused"
    assert flags.loc[0, "verdict"] == "exclude"


def test_one_of_several_scans_is_answered(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rank(command, "03")
    said = capsys.readouterr().err
    assert "the first by name counts: sub-03 (4 muscle(s) from acq-a)." in said
    first = tables(command, "sub-03")[0]
    rank(command, "03", more=("--combine", "mean"))
    assert "their mean, weighted by volume, counts" in capsys.readouterr().err
    assert first["probability"].tolist() != tables(command, "sub-03")[0]["probability"].tolist()


def test_a_bad_verdict_ends_the_run_before_the_first_session(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_verdict(command, "perhaps")
    for more in ([], ["--dry-run"]):
        assert main([*command, *more]) == ExitCode.BAD_DATA
        assert "line 2: holds the unknown verdict 'perhaps'." in capsys.readouterr().err
    assert not list(Path(command[1]).rglob("*desc-diagnosis*"))


def test_the_cohort_ranks_failed_stacks_on_request_only_and_marks_them(
    command: list[str],
) -> None:
    out = Path(command[1])
    group = [command[0], command[1], "group", *command[command.index("--diagnosis-model") :]]
    assert main(group) == ExitCode.OK
    table = read(out / "group_diagnosis.tsv")
    assert set(table["sample"]) == {"raw/sub-01", "raw/sub-03", "raw/sub-04"}
    assert main([*group, "--include-failed"]) == ExitCode.OK
    for name in ("group_diagnosis", "group_flags"):
        table = read(out / f"{name}.tsv").set_index("sample")
        assert set(table.loc[["raw/sub-02"], "failed_lights"]) == {"label_placement"}
        assert table.loc[["raw/sub-01"], "failed_lights"].isna().all()
    patient = (out / "group.html").read_text().partition("<h3>raw/sub-02</h3>")[2]
    assert "failed check: label placement" in patient.partition("</div>")[0]
