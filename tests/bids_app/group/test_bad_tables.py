"""Tables with mistakes: the run says what is wrong and where, and leaves the results alone."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.score_study import people_text, score_text, write_study

SCORES, PEOPLE = score_text(), people_text()
VL = "vastus_lateralis_L"
TABLE, PARTICIPANTS = "phenotype/mri.tsv", "participants.tsv"
# Where DataLad's links point to while the content is elsewhere.
ANNEX = "../.git/annex/objects/x"


def changed(text: str, row: int, column: str, value: str) -> str:
    """Put another value into a cell; row 1 is the header."""
    lines = [line.split("\t") for line in text.splitlines()]
    lines[row - 1][lines[0].index(column)] = value
    return "".join("\t".join(line) + "\n" for line in lines)


def with_scale_column(*scales: str) -> str:
    lines = SCORES.splitlines()
    added = [lines[0] + "\tscale", *(f"{a}\t{b}" for a, b in zip(lines[1:], scales, strict=True))]
    return "\n".join(added) + "\n"


# What is written instead of a sound file, and what the message must name.
BAD: Mapping[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "duplicate column": (
        {"scores": SCORES.replace("gracilis_L", VL)},
        (TABLE, "more than one column 'vastus_lateralis_L'"),
    ),
    "five thousand unknown muscles": (
        {"scores": "participant_id\t" + "\t".join(f"vastus {i}" for i in range(5000)) + "\n"},
        (TABLE, "'vastus 0'", "(and 4990 more columns)"),
    ),
    "two names of one muscle": (
        {"scores": SCORES.replace("gracilis_L", "VL_left")},
        (TABLE, "columns 'vastus_lateralis_L' and 'VL_left' both mean vastus_lateralis (left)"),
    ),
    "commas": ({"scores": SCORES.replace("\t", ",")}, (TABLE, "separated by commas")),
    "semicolons": ({"scores": SCORES.replace("\t", ";")}, (TABLE, "separated by semicolons")),
    "decimal comma": (
        {"scores": changed(SCORES, 3, VL, "1,5")},
        (TABLE, "row 3, column 'vastus_lateralis_L'", "'1,5' has a decimal comma"),
    ),
    "date of a spreadsheet": (
        {"scores": changed(SCORES, 3, VL, "02-Mar")},
        (TABLE, "row 3, column 'vastus_lateralis_L'", "'02-Mar' is a date"),
    ),
    "NaN": (
        {"scores": changed(SCORES, 5, VL, "NaN")},
        (TABLE, "row 5, column 'vastus_lateralis_L'", "'NaN' is no score"),
    ),
    "empty cell": (
        {"scores": changed(SCORES, 2, VL, "")},
        (TABLE, "row 2, column 'vastus_lateralis_L'", "empty cell"),
    ),
    "word": (
        {"scores": changed(SCORES, 2, VL, "mild")},
        (TABLE, "row 2, column 'vastus_lateralis_L'", "'mild' is no number"),
    ),
    "quotation mark that nothing closes": (
        {"scores": changed(SCORES, 3, VL, '"1')},
        (
            TABLE,
            "row 3, column 'vastus_lateralis_L'",
            "nothing closes the quotation mark before '1\\t4\\t",
        ),
    ),
    "long word": (
        {"scores": changed(SCORES, 2, VL, "mild" * 1000)},
        (TABLE, "row 2, column 'vastus_lateralis_L'", f"'{'mild' * 14}mil…' is no number"),
    ),
    "long number": (
        {"scores": changed(SCORES, 2, VL, "9" * 300)},
        (TABLE, "row 2, column 'vastus_lateralis_L'", f"{'9' * 59}… lies outside scale 0-4"),
    ),
    "long decimal comma": (
        {"scores": changed(SCORES, 2, VL, "1," + "5" * 300)},
        (TABLE, f"'1,{'5' * 57}…' has a decimal comma"),
    ),
    "long sex": (
        {"people": changed(PEOPLE, 2, "sex", "x" * 500)},
        (PARTICIPANTS, "row 2, column 'sex'", f"'{'x' * 59}…' is no sex"),
    ),
    "long name of a muscle": (
        {"scores": SCORES.replace("gracilis_L", "q" * 500)},
        (TABLE, f"no muscle is known by the name '{'q' * 59}…'"),
    ),
    "infinity": (
        {"scores": changed(SCORES, 2, VL, "inf")},
        (TABLE, "row 2, column 'vastus_lateralis_L'", "'inf' is no number"),
    ),
    "negative score": (
        {"scores": changed(SCORES, 4, VL, "-1")},
        (TABLE, "row 4, column 'vastus_lateralis_L'", "-1 lies outside scale 0-4 (0 to 4)"),
    ),
    "mixed scales in a column": (
        {"scores": changed(SCORES, 4, VL, "37.5")},
        (TABLE, "row 4, column 'vastus_lateralis_L'", "37.5 lies outside scale 0-4 (0 to 4)"),
    ),
    "fat fraction above 100": (
        {"scores": changed(SCORES, 4, VL, "140"), "sidecar": {"Scale": "FF", "Units": "percent"}},
        (TABLE, "row 4, column 'vastus_lateralis_L'", "140 lies outside scale FF (0 to 100)"),
    ),
    "fractions declared as percent by nobody": (
        {
            "scores": "participant_id\tgracilis\tsoleus\nsub-01\t0.2\t0.9\n",
            "sidecar": {"Scale": "FF"},
        },
        (TABLE, "seem to be fractions"),
    ),
    "unknown unit": (
        {"sidecar": {"Scale": "FF", "Units": "ratio"}},
        (TABLE, "unknown unit 'ratio'"),
    ),
    "several scales in a sidecar": (
        {"sidecar": {"Scale": ["0-4", "FF"]}},
        ("phenotype/mri.json", 'Scale is ["0-4", "FF"], which is no text'),
    ),
    "units as an object": (
        {"sidecar": {"Scale": "FF", "Units": {"VL": "percent"}}},
        ("phenotype/mri.json", "Units is", "which is no text"),
    ),
    "unknown scale": ({"sidecar": {"Scale": "0-7"}}, (TABLE, "unknown scale '0-7'")),
    "unknown scale in a column": (
        {"scores": with_scale_column("0-4", "Mercuri", "0-4", "0-4"), "sidecar": {}},
        (TABLE, "row 3, column 'scale'", "unknown scale 'Mercuri'"),
    ),
    "scale of column and sidecar differ": (
        {"scores": with_scale_column("0-4", "0-4", "1-4", "0-4")},
        (TABLE, "row 4, column 'scale'", "'1-4'", "declared to be on '0-4'"),
    ),
    "unknown muscle": (
        {"scores": SCORES.replace("gracilis", "gracilus maximus")},
        (TABLE, "row 1", "no muscle is known by the name 'gracilus maximus_L'"),
    ),
    "participant twice": (
        {"scores": changed(SCORES, 4, "participant_id", "sub-02")},
        (TABLE, "row 4: participant 02", "already stands in row 3"),
    ),
    "row without participant": (
        {"scores": changed(SCORES, 3, "participant_id", "n/a")},
        (TABLE, "row 3, column 'participant_id'", "no participant"),
    ),
    "no column of participants": (
        {"scores": SCORES.replace("participant_id", "name")},
        (TABLE, "no column participant_id"),
    ),
    "row too long": (
        {"scores": SCORES.replace("sub-03\t", "sub-03\t1\t")},
        (TABLE, "row 4 has 10 cells, but the header has 9"),
    ),
    "row too short": (
        {"scores": SCORES.replace("sub-03\t0\t", "sub-03\t")},
        (TABLE, "row 4"),
    ),
    "column without name": (
        {"scores": SCORES.replace("gracilis_L", "")},
        (TABLE, "column 4 has no name"),
    ),
    "empty file": ({"scores": ""}, (TABLE, "is empty")),
    "header only": ({"scores": SCORES.splitlines()[0] + "\n"}, (TABLE, "a header but no rows")),
    "nothing but n/a": (
        {"scores": "participant_id\tgracilis\tsoleus\nsub-01\tn/a\tn/a\n"},
        (TABLE, "no score"),
    ),
    "UTF-16": ({"scores": SCORES.encode("utf-16")}, (TABLE, "is UTF-16 text")),
    "UTF-16 without a mark": ({"scores": SCORES.encode("utf-16-le")}, (TABLE, "holds zero bytes")),
    "gzip": ({"scores": gzip.compress(SCORES.encode())}, (TABLE, "is a gzip file")),
    "workbook": ({"scores": b"PK\x03\x04\x14\x00\x06\x00"}, (TABLE, "is an Excel or ZIP file")),
    "Latin-1": (
        {"people": changed(PEOPLE, 2, "diagnosis", "Myopath\xefe").encode("latin-1")},
        (PARTICIPANTS, "is not UTF-8 text"),
    ),
    "negative age": (
        {"people": changed(PEOPLE, 3, "age", "-4")},
        (PARTICIPANTS, "row 3, column 'age'", "'-4' is no age"),
    ),
    "impossible age": (
        {"people": changed(PEOPLE, 3, "age", "250")},
        (PARTICIPANTS, "row 3, column 'age'", "'250' is no age"),
    ),
    "unknown sex": (
        {"people": changed(PEOPLE, 5, "sex", "X?")},
        (PARTICIPANTS, "row 5, column 'sex'", "'X?' is no sex"),
    ),
    "diagnosis NaN": (
        {"people": changed(PEOPLE, 3, "diagnosis", "NaN")},
        (PARTICIPANTS, "row 3, column 'diagnosis'", "'NaN' is no diagnosis"),
    ),
    "participant in two studies": (
        {
            "people": "participant_id\tstudy\nsub-01\ta\nsub-01\tb\nsub-02\ta\n",
        },
        (PARTICIPANTS, "names several studies of sub-01: a, b"),
    ),
    "quote that nobody closes": (
        {"people": changed(PEOPLE, 2, "sex", '"F')},
        (PARTICIPANTS, "row 2, column 'sex': nothing closes the quotation mark before 'F\\t34"),
    ),
    "participant described twice": (
        {"people": PEOPLE + "sub-01\tM\t50\tDMD\n"},
        (PARTICIPANTS, "01", "row"),
    ),
    "sidecar is no JSON": (
        {"sidecar": '{"Scale": 0-4'},
        ("phenotype/mri.json", "line 1, column 12"),
    ),
    "sidecar is a list": ({"sidecar": '["0-4"]'}, ("phenotype/mri.json", "no JSON object")),
    "ten million rows of an old Mac": (
        {"scores": SCORES.splitlines()[0].encode() + b"\r" + b"sub-1\t1\r" * 10_000_000},
        (TABLE, "holds 10000000 rows"),
    ),
    "ten million rows": (
        {"scores": SCORES.splitlines()[0].encode() + b"\n" + b"sub-1\t1\n" * 10_000_000},
        (TABLE, "holds 10000000 rows; a table may hold 100000 rows"),
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with results of the group level."""
    root = tmp_path_factory.mktemp("sound")
    dataset = write_study(root / "in")
    assert main([str(dataset), str(root / "out"), "group"]) == ExitCode.OK
    return root / "out"


def results(folder: Path) -> dict[str, bytes]:
    """Return all files but those every run adds to its logs."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name.split("-")[0] not in {"run", "settings"}
    }


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_named_and_the_earlier_results_stay(
    case: str, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, pieces = BAD[case]
    before = results(sound)
    dataset = write_study(tmp_path / "in", **files)
    assert main([str(dataset), str(sound), "group"]) == ExitCode.BAD_DATA
    said = capsys.readouterr().err
    problem = next(line for line in said.splitlines() if "rror" in line[:16].lower())
    assert not [piece for piece in pieces if piece not in problem], problem
    assert "hint: " in said
    assert said.splitlines()[-1].endswith("exit code 65 (BAD_DATA)")
    assert results(sound) == before


def test_a_bad_table_of_a_named_study_is_named_by_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write_study(tmp_path / "in")
    bad = write_study(tmp_path / "other", scores=changed(SCORES, 2, VL, "9"))
    out = tmp_path / "out"
    code = main([str(good), str(out), "group", "--study", f"london={bad}"])
    assert code == ExitCode.BAD_DATA
    assert "bids:london:phenotype/mri.tsv, row 2, column" in capsys.readouterr().err
    assert not list(out.glob("group*"))


def test_lines_are_counted_as_an_editor_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blank lines count, and so do lines that end as on Windows."""
    text = changed(SCORES, 4, VL, "9").replace("sub-02", "\nsub-02").replace("\n", "\r\n")
    dataset = write_study(tmp_path / "in", scores=text)
    assert main([str(dataset), str(tmp_path / "out"), "group"]) == ExitCode.BAD_DATA
    assert "row 5, column 'vastus_lateralis_L': 9 lies outside" in capsys.readouterr().err


def test_a_table_that_names_no_scale_is_not_silently_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in", sidecar={"Rater": "anybody"})
    assert main([str(dataset), str(tmp_path / "out"), "group"]) == ExitCode.NOTHING_SELECTED
    error = capsys.readouterr().err
    assert "no score table that names its scale" in error
    assert str(dataset / TABLE) in error
    options = ["--study", f"london={dataset}"]
    code = main([str(tmp_path), str(tmp_path / "out"), "group", *options])
    assert code == ExitCode.INPUT_MISSING
    error = capsys.readouterr().err
    assert f"Study london={dataset} holds no scores" in error
    assert '{"Scale": "0-4"}' in error


def test_two_tables_with_the_same_sample_are_both_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in")
    (dataset / "phenotype" / "second.tsv").write_text(changed(SCORES, 2, VL, "0"))
    (dataset / "phenotype" / "second.json").write_text(json.dumps({"Scale": "0-4"}))
    assert main([str(dataset), str(tmp_path / "out"), "group"]) == ExitCode.BAD_DATA
    error = capsys.readouterr().err
    assert "raw/sub-01 has scores in more than one table" in error
    assert "phenotype/mri.tsv, row 2" in error
    assert "phenotype/second.tsv, row 2" in error


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("source_name\tmuscle\nGrac\tno_such_muscle\n", ("row 2", "unknown muscle")),
        ("name\tmuscle\nGrac\tgracilis\n", ("source_name",)),
    ],
)
def test_a_bad_muscle_map_is_named(
    text: str, pieces: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "map.tsv"
    path.write_text(text)
    dataset = write_study(tmp_path / "in", scores=SCORES.replace("gracilis", "Grac"))
    command = [str(dataset), str(tmp_path / "out"), "group", "--muscle-map", str(path)]
    assert main(command) == ExitCode.BAD_DATA
    error = capsys.readouterr().err
    assert str(path) in error
    assert not [piece for piece in pieces if piece not in error], error


def run(dataset: Path, *options: str) -> int:
    return main([str(dataset), str(dataset.parent / "out"), "group", *options])


@pytest.mark.parametrize(
    ("link", "sidecar", "said"),
    [
        ((TABLE, ANNEX), None, (ExitCode.INPUT_MISSING, "datalad get")),
        ((TABLE, ANNEX), {}, (ExitCode.INPUT_MISSING, "datalad get")),
        ((PARTICIPANTS, ANNEX), None, (ExitCode.INPUT_MISSING, "datalad get")),
        (("phenotype/mri.json", ANNEX), None, (ExitCode.INPUT_MISSING, "datalad get")),
        ((TABLE, "mri.tsv"), None, (ExitCode.IO_FAILURE, "symbolic links")),
        ((TABLE, "mri.tsv"), {}, (ExitCode.IO_FAILURE, "symbolic links")),
        ((TABLE, ".."), {}, (ExitCode.INPUT_MISSING, "Is a directory")),
    ],
)
def test_what_is_not_there_is_never_taken_for_absent(
    link: tuple[str, str],
    sidecar: dict[str, str] | None,
    said: tuple[ExitCode, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset = write_study(tmp_path / "in", sidecar=sidecar)
    name, target = link
    (dataset / name).unlink()
    (dataset / name).symlink_to(target)
    assert run(dataset) == said[0]
    error = capsys.readouterr().err
    assert said[1] in error
    assert str(dataset / name) in error


def test_one_table_in_two_studies_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in")
    assert run(dataset, "--study", f"again={dataset}") == ExitCode.BAD_DATA
    assert (
        "bids:raw:phenotype/mri.tsv and bids:again:phenotype/mri.tsv are the same table"
        in capsys.readouterr().err
    )


def test_one_session_described_in_two_files_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in")
    (dataset / "sessions.tsv").write_text("participant_id\tsession_id\tage\nsub-01\tses-1\t3\n")
    (dataset / "sub-01").mkdir()
    (dataset / "sub-01" / "sub-01_sessions.tsv").write_text("session_id\tage\nses-1\t4\n")
    assert run(dataset) == ExitCode.BAD_DATA
    assert (
        "bids:raw:sessions.tsv and bids:raw:sub-01/sub-01_sessions.tsv both describe sub-01_ses-1"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("sessions", "age"),
    [("participant_id\tsession_id\tage\nsub-01\tses-1\t7\n", "7"), ("session_id\nses-1\n", "34")],
)
def test_sessions_of_a_participant_may_name_the_participant_or_nothing_else(
    sessions: str, age: str, tmp_path: Path
) -> None:
    scores = "participant_id\tsession_id\tsoleus\nsub-01\tses-1\t3\n"
    dataset = write_study(tmp_path / "in", scores=scores)
    (dataset / "sub-01").mkdir()
    (dataset / "sub-01" / "sub-01_sessions.tsv").write_text(sessions)
    assert run(dataset) == ExitCode.OK
    header, row = (tmp_path / "out" / "group_scores.tsv").read_text().splitlines()
    assert row.split("\t")[header.split("\t").index("age")] == age


@pytest.mark.parametrize("header", ["Scale", '"scale"', " SCALE "])
def test_a_column_of_scales_is_seen_however_it_is_written(header: str, tmp_path: Path) -> None:
    scores = with_scale_column(*["0-4"] * 4).replace("\tscale", f"\t{header}")
    assert run(write_study(tmp_path / "in", scores=scores, sidecar={})) == ExitCode.OK


def test_doubts_about_people_and_rows_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = PEOPLE.replace("sub-02", "sub-2").replace("DYSF\n", "dysf\n", 1)
    people = people.replace("n/a\t8\tn/a", "n/a\t8\tDYSF")
    scores = SCORES + "sub-05" + "\tn/a" * 8 + "\n"
    assert run(write_study(tmp_path / "in", scores=scores, people=people)) == ExitCode.OK
    said = capsys.readouterr().err
    summary = json.loads((tmp_path / "out" / "group_summary.json").read_text())
    for sentence in (
        "bids:raw:phenotype/mri.tsv: 1 row(s) hold no score and are left out: row 6.",
        "bids:raw:phenotype/mri.tsv: 1 participant(s) are not in participants.tsv, so it tells no "
        "sex, age or diagnosis of them: 02.",
        "Diagnoses that may be one are taken as different: DYSF, dysf.",
    ):
        assert sentence in said
        assert sentence in summary["Cautions"]


def test_a_person_of_two_studies_is_one_patient_with_one_diagnosis(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = write_study(tmp_path / "in", people="participant_id\tpatient_id\nsub-01\tp9\n")
    there = write_study(
        tmp_path / "there",
        scores="participant_id\tsoleus\tpatient_id\tdiagnosis\tsex\nx\t2\tp9\tDMD\tM\n"
        "y\t3\tp9\tDYSF\tM\n",
        people="participant_id\tsite\nx\tRome\ny\tRome\n",
    )
    assert run(here, "--study", f"there={there}") == ExitCode.OK
    said = capsys.readouterr().err
    assert "6 samples of 4 patients, 2 studies" in said
    assert "1 patient(s) have more than one diagnosis in their samples: p9." in said
    assert "more than one sex" not in said
