"""Failed checks, verdicts of people and several scans of one muscle at the group level."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from bids_app.files.verdicts import TEMPLATE, VERDICTS
from tests.bids_app.doubtful_dataset import OTHER_FF, make_doubtful, seal, set_checks
from tests.bids_app.score_study import write_study
from tests.bids_app.small_dataset import MUSCLE_FF

SWAPPED_FF = 100 - MUSCLE_FF
HEADER = "participant_id\tsession_id\tverdict\treason\twho\twhen\n"


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_doubtful(tmp_path_factory.mktemp("doubtful"))


@pytest.fixture
def out(processed: Path, tmp_path: Path) -> Path:
    """Results of the participant level that a test may change."""
    return shutil.copytree(processed / "out", tmp_path / "results")


def gather(processed: Path, out: Path, *options: str) -> int:
    return main([str(processed / "in"), str(out), "group", *options])


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["n/a"], dtype=str)


def scores_of(out: Path) -> dict[str, set[float]]:
    """Return the fat fractions of each sample, rounded."""
    table = read(out / "group_muscles.tsv")
    return {
        str(sample).removeprefix("raw/"): {round(float(score)) for score in rows}
        for sample, rows in table.groupby("sample")["score"]
    }


def states(out: Path) -> dict[str, str]:
    table = read(out / "group_quality.tsv")
    names = table["sample"].str.removeprefix("raw/") + " " + table["stack"].fillna("")
    return dict(zip(names.str.strip(), table["state"], strict=True))


def write_verdicts(path: Path, *rows: Sequence[str]) -> Path:
    path.write_text(HEADER + "".join("\t".join(row) + "\n" for row in rows))
    return path


def test_stacks_with_failed_checks_are_left_out_and_named(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gather(processed, out) == ExitCode.OK
    assert scores_of(out) == {
        "sub-01": {MUSCLE_FF},
        "sub-03": {MUSCLE_FF},
        "sub-04": {MUSCLE_FF},
    }
    assert states(out) == {
        "sub-01": "used",
        "sub-02": "left out",
        "sub-03 acq-a": "used",
        "sub-03 acq-b": "not chosen",
        "sub-04 acq-a": "used",
        "sub-04 acq-b": "left out",
    }
    said = capsys.readouterr().err
    named = "sub-02 (label_placement), sub-04 acq-b (label_placement)"
    assert "2 stack(s) are left out because a check failed" in said
    assert named in said
    page = (out / "group.html").read_text()
    assert named in page
    assert "2 of 6 stacks are left out" in page
    marks = read(out / "group_scores.tsv").set_index("sample")
    assert marks.loc["raw/sub-04", "left_out_stacks"] == "acq-b"
    assert marks.loc["raw/sub-04", "failed_lights"] == "label_placement"
    assert marks.loc["raw/sub-01", ["failed_lights", "left_out_stacks", "verdict"]].isna().all()
    trace = read(out / "group_trace.tsv")
    gone = trace[(trace["sample"] == "raw/sub-02") | (trace["stack"] == "acq-b")]
    assert set(gone["used"]) == {"False"}
    assert set(gone["weight"]) == {"0"}
    assert set(gone.loc[gone["sample"] == "raw/sub-02", "choice"]) == {"left out"}
    assert set(gone["value"].astype(float)) == {SWAPPED_FF, OTHER_FF}


def test_failed_stacks_are_taken_in_on_request_and_marked(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gather(processed, out, "--include-failed") == ExitCode.OK
    found = scores_of(out)
    assert found["sub-02"] == {SWAPPED_FF}
    # The sound scan is the better one.
    assert found["sub-04"] == {MUSCLE_FF}
    said = capsys.readouterr().err
    assert "(--include-failed): sub-02 (label_placement)" in said
    for table in ("group_scores", "group_muscles", "group_trace"):
        rows = read(out / f"{table}.tsv")
        assert set(rows.loc[rows["sample"] == "raw/sub-02", "failed_lights"]) == {"label_placement"}
    assert "(--include-failed): sub-02" in (out / "group.html").read_text()


def test_a_person_has_the_last_word_in_both_directions(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_verdicts(
        out / VERDICTS,
        ("sub-01", "n/a", "exclude", "moved", "A. Smith", "2026-11-30"),
        ("02", "", "Keep", "looks right.", "B. Jones", "2026-11-29T10:00"),
        ("sub-03", "n/a", "n/a", "n/a", "n/a", "n/a"),
    )
    before = path.read_bytes()
    assert gather(processed, out, "--include-failed") == ExitCode.OK
    assert path.read_bytes() == before
    found = scores_of(out)
    assert "sub-01" not in found
    assert found["sub-02"] == {SWAPPED_FF}
    said = capsys.readouterr().err
    assert "left out because a person says so: sub-01 (A. Smith: moved)." in said
    assert "used although a check failed because a person says so: sub-02" in said
    page = (out / "group.html").read_text()
    assert "keep: looks right (B. Jones, 2026-11-29T10:00)" in page
    assert "exclude: moved (A. Smith, 2026-11-30)" in page
    trace = read(out / "group_trace.tsv").set_index("sample")
    verdict = ["verdict", "verdict_reason", "verdict_who", "verdict_when"]
    assert trace.loc["raw/sub-02", verdict].drop_duplicates().to_numpy().tolist() == [
        ["keep", "looks right", "B. Jones", "2026-11-29T10:00"]
    ]
    assert set(trace.loc["raw/sub-01", "verdict"]) == {"exclude"}
    assert read(out / "group_scores.tsv").set_index("sample").loc["raw/sub-02", "verdict"] == "keep"
    summary = (out / "group_summary.json").read_text()
    assert f"bids:raw:{VERDICTS}" in summary
    template = read(out / TEMPLATE).set_index("participant_id")
    assert template.loc["sub-02", ["verdict", "lights", "who"]].tolist() == [
        "keep",
        "exclude",
        "B. Jones",
    ]


def test_a_verdict_may_be_about_one_stack(processed: Path, out: Path) -> None:
    path = out.parent / "mine.tsv"
    path.write_text(
        "participant_id\tstack\tverdict\treason\twho\twhen\n"
        "sub-03\tacq-a\texclude\tblurred\tme\t2026-11-30\n"
        "sub-04\tn/a\texclude\tboth bad\tme\t2026-11-30\n"
        "sub-04\tacq-b\tkeep\tthis is fine\tme\t2026-11-30\n"
    )
    assert gather(processed, out, "--quality-verdicts", str(path)) == ExitCode.OK
    found = scores_of(out)
    assert found["sub-03"] == {OTHER_FF}
    assert found["sub-04"] == {SWAPPED_FF}


def test_the_template_becomes_the_verdicts(processed: Path, out: Path) -> None:
    assert gather(processed, out) == ExitCode.OK
    template = read(out / TEMPLATE)
    swapped = template["participant_id"] == "sub-02"
    assert template.loc[swapped, ["lights", "failed_lights"]].to_numpy().tolist() == [
        ["exclude", "label_placement"]
    ]
    assert template["verdict"].isna().all()
    about = {"verdict": "keep", "reason": "seen", "who": "me", "when": "2026-11-30"}
    for column, text in about.items():
        template.loc[swapped, column] = text
    template.to_csv(out / VERDICTS, sep="\t", index=False, na_rep="n/a")
    assert gather(processed, out) == ExitCode.OK
    assert scores_of(out)["sub-02"] == {SWAPPED_FF}


def test_where_nothing_is_left_the_template_is_there(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gather(processed, out, "--participant-label", "02") == ExitCode.NOTHING_SELECTED
    said = capsys.readouterr().err
    assert "No fat fraction is left to gather: 1 stack(s) are left out" in said
    assert TEMPLATE in said
    assert read(out / TEMPLATE)["participant_id"].tolist() == ["sub-02"]
    assert not (out / "group_scores.tsv").exists()


def test_other_scores_stay_where_none_of_ours_is_left(processed: Path, out: Path) -> None:
    study = write_study(out.parent / "study")
    options = ["--participant-label", "02", "--study", f"leeds={study}"]
    assert gather(processed, out, *options) == ExitCode.OK
    assert set(read(out / "group_scores.tsv")["study"]) == {"leeds"}
    assert states(out) == {"sub-02": "left out"}


def test_several_scans_are_averaged_on_request_only(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gather(processed, out) == ExitCode.OK
    assert "the first by name counts: sub-03 (4 muscle(s) from acq-a)." in capsys.readouterr().err
    assert gather(processed, out, "--combine", "mean") == ExitCode.OK
    assert scores_of(out)["sub-03"] == {(MUSCLE_FF + OTHER_FF) / 2}
    said = capsys.readouterr().err
    assert "their mean, weighted by volume, counts (--combine mean): sub-03 (4 muscle(s))." in said
    assert "(--combine mean): sub-03" in (out / "group.html").read_text()
    trace = read(out / "group_trace.tsv")
    rows = trace[trace["sample"] == "raw/sub-03"]
    assert set(rows["choice"]) == {"mean"}
    assert set(rows["weight"]) == {"0.5"}


def test_the_scan_of_fewer_warnings_counts(processed: Path, out: Path) -> None:
    set_checks(out, "sub-03", "acq-a", noise_floor="warn", limb_cut="warn")
    set_checks(out, "sub-03", "acq-b", noise_floor="warn")
    assert gather(processed, out) == ExitCode.OK
    assert scores_of(out)["sub-03"] == {OTHER_FF}


def test_a_check_whose_failure_leaves_no_number_keeps_its_stack(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_checks(out, "sub-01", "", water_fat_decision="fail")
    assert gather(processed, out) == ExitCode.OK
    assert scores_of(out)["sub-01"] == {MUSCLE_FF}
    assert "because what it doubts has no value in their tables: sub-01" in capsys.readouterr().err
    marks = read(out / "group_scores.tsv").set_index("sample")
    assert marks.loc["raw/sub-01", "failed_lights"] == "water_fat_decision"


def test_a_stack_without_any_fat_fraction_is_named(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = out / "sub-01" / "mr-quant" / "sub-01_desc-muscles_stats.tsv"
    header, *rows = path.read_text().splitlines()
    column = header.split("\t").index("ff_mean")
    cells = [row.split("\t") for row in rows]
    empty = ["\t".join([*row[:column], "n/a", *row[column + 1 :]]) for row in cells]
    path.write_text("\n".join([header, *empty]) + "\n")
    seal(out, "sub-01", path)
    assert gather(processed, out) == ExitCode.OK
    assert "1 stack(s) hold no fat fraction of any muscle: sub-01." in capsys.readouterr().err
    assert states(out)["sub-01"] == "no value"
    assert "sub-01" not in scores_of(out)


def test_results_without_checks_are_used_and_named(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("FF", "desc-muscles_dseg"):
        (out / "sub-02" / "mr-quant" / f"sub-02_{kind}.json").unlink()
    marker = out / "logs" / "complete" / "sub-02.json"
    marker.write_text(marker.read_text().replace('"Version": "', '"Version": "0.1.0-', 1))
    assert gather(processed, out) == ExitCode.OK
    assert scores_of(out)["sub-02"] == {SWAPPED_FF}
    said = capsys.readouterr().err
    assert "1 stack(s) have no quality checks beside them" in said
    assert "Results of MyoMIDS 0.1.0-" in said
    table = read(out / "group_quality.tsv").set_index("sample")
    assert table.loc["raw/sub-02", ["lights", "warnings"]].isna().all()


def test_checks_that_were_edited_are_refused(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = out / "sub-02" / "mr-quant" / "sub-02_desc-muscles_dseg.json"
    path.write_text(path.read_text().replace('"fail"', '"pass"'))
    assert gather(processed, out) == ExitCode.BAD_DATA
    assert f"{path} was changed since its session was complete." in capsys.readouterr().err
    path.write_text('{"QualityChecks": [{"name": "limbs", "level": "green"}]}')
    seal(out, "sub-02", path)
    assert gather(processed, out) == ExitCode.BAD_DATA
    assert "QualityChecks is no list of quality checks." in capsys.readouterr().err


def test_refused_stacks_are_named(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = out / "logs" / "complete" / "sub-01.json"
    refused = '"RefusedStacks": [{"Stack": "acq-x", "Message": "It is negative.", "Hint": ""}]'
    marker.write_text(marker.read_text().replace('"RefusedStacks": []', refused))
    assert gather(processed, out) == ExitCode.OK
    assert "1 stack(s) were refused and give no value: sub-01 acq-x." in capsys.readouterr().err
    row = read(out / "group_quality.tsv").set_index("stack").loc["acq-x"]
    assert row[["state", "why", "text"]].tolist() == ["left out", "refused", "It is negative."]
    assert "acq-x" not in set(read(out / TEMPLATE)["stack"])


@pytest.mark.parametrize(
    ("row", "message", "remedy"),
    [
        (("99", "n/a", "keep", "a", "b", "2026-11-30"), "names sub-99, of which", "Correct"),
        (("01", "2", "keep", "a", "b", "2026-11-30"), "names sub-01_ses-2, of which", "Correct"),
        (("01", "n/a", "maybe", "a", "b", "2026-11-30"), "unknown verdict 'maybe'", "Write keep"),
        (("01", "n/a", "keep", "a", "b", "30.11.2026"), "'30.11.2026', which is no", "2026-11-30"),
        (("01", "n/a", "keep", "a", "b", "2026-02-30"), "'2026-02-30', which is no", "2026-11-30"),
        (("01", "n/a", "keep", "a", "b", "2926-11-30"), "in the future", "Correct the date"),
        (("01", "n/a", "keep", "n/a", "b", "2026-11-30"), "has no reason", "Say who"),
        (("01", "n/a", "keep", "a", " ", "2026-11-30"), "has no who", "Say who"),
        (("", "n/a", "keep", "a", "b", "2026-11-30"), "has no participant_id", "Say who"),
        (("03", "n/a", "keep", "a", "b", "2026-11-30"), "says keep of sub-03, line 2 says", "Keep"),
    ],
)
def test_bad_rows_are_errors_with_line_and_remedy(
    processed: Path,
    out: Path,
    *,
    row: tuple[str, ...],
    message: str,
    remedy: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = ("sub-03", "", "exclude", "a", "b", "2026-11-30")
    path = write_verdicts(out / VERDICTS, first, row)
    assert gather(processed, out) == ExitCode.BAD_DATA
    said = capsys.readouterr().err
    assert f"{path}, line 3: " in said
    assert message in said
    assert remedy in said
    assert not (out / "group_scores.tsv").exists()


def test_other_mistakes_in_verdicts_are_clear(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = out / "absent.tsv"
    assert gather(processed, out, "--quality-verdicts", str(absent)) == ExitCode.INPUT_MISSING
    assert f"{absent} does not exist" in capsys.readouterr().err
    path = out / VERDICTS
    path.write_text("participant_id\tverdict\nsub-01\tkeep\n")
    assert gather(processed, out) == ExitCode.BAD_DATA
    assert f"{path} has no column 'reason'." in capsys.readouterr().err
    path.write_text(
        "participant_id\tstack\tverdict\treason\twho\twhen\nsub-03\tacq-c\tkeep\ta\tb\t2026-11-30\n"
    )
    assert gather(processed, out) == ExitCode.BAD_DATA
    said = capsys.readouterr().err
    assert "names stack 'acq-c', which sub-03 does not have." in said
    assert "Its stacks: acq-a, acq-b." in said


def test_one_file_for_several_folders_names_each_session_once(
    processed: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ("sub-02", "n/a", "keep", "a", "b", "2026-11-30")
    path = write_verdicts(out.parent / "mine.tsv", row)
    other = shutil.copytree(processed / "out", out.parent / "other")
    folders = ["--derivatives", f"a={out}", f"b={other}", "--quality-verdicts", str(path)]
    result = out.parent / "group"
    assert gather(processed, result, *folders) == ExitCode.BAD_DATA
    assert f"names sub-02, which is in {out} and {other}." in capsys.readouterr().err
