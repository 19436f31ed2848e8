"""Files of phenotype/: TSV, CSV of spreadsheet programs, and what is named instead of read."""

import json
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.score_study import score_text, write_study
from tests.bids_app.small_training import read

FF = "participant_id;VL_L;VL_R;soleus\nsub-01;12,5;7;n/a\nsub-02;80,25;n/a;3,5\n"


def with_csv(root: Path, text: str | bytes, sidecar: dict[str, object], name: str = "mri") -> Path:
    """Write a study whose only scores are a CSV file."""
    write_study(root)
    (root / "phenotype" / "mri.tsv").unlink()
    (root / "phenotype" / "mri.json").unlink()
    path = root / "phenotype" / f"{name}.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return root


def run(dataset: Path, *options: str) -> int:
    return main([str(dataset), str(dataset.parent / "out"), "group", *options])


def test_semicolons_and_decimal_commas_are_read_as_a_spreadsheet_wrote_them(tmp_path: Path) -> None:
    text = ("\ufeff" + FF).replace("\n", "\r\n")
    assert run(with_csv(tmp_path / "in", text, {"Scale": "FF"})) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_muscles.tsv")
    assert scores["score"].tolist() == [12.5, 7, 80.25, 3.5]
    assert scores["row"].tolist() == [2, 2, 3, 3]
    assert set(scores["source"]) == {"bids:raw:phenotype/mri.csv"}


def test_commas_and_a_column_of_scales_are_read(tmp_path: Path) -> None:
    text = score_text().replace("\t", ",").splitlines()
    table = "\n".join([f'{text[0]},"Scale"', *(f"{line},0-4" for line in text[1:])]) + "\n"
    assert run(with_csv(tmp_path / "in", table, {})) == ExitCode.OK
    scores = read(tmp_path / "out" / "group_muscles.tsv")
    assert scores["score"].tolist()[:4] == [1, 2, 0, 0]


@pytest.mark.parametrize(
    ("text", "sidecar", "pieces"),
    [
        (
            FF.replace("80,25", "80.25"),
            {"Scale": "FF"},
            ("mri.csv, row 3, column 'VL_L': '80.25' has a decimal point", "row 2, column 'VL_L'"),
        ),
        (
            FF.replace(";", ","),
            {"Scale": "FF"},
            ("mri.csv, row 2 has 5 cells, but the header has 4",),
        ),
        (
            FF.replace("12,5", "1.012,5"),
            {"Scale": "FF"},
            ("mri.csv, row 2, column 'VL_L': '1.012,5' is no number",),
        ),
        (
            "participant_id;VL;SOL\nsub-01;1,012;n/a\nsub-02;8,250;7\n",
            {"Scale": "FF", "Units": "permille"},
            ("row 2, column 'VL': '1,012' may be a number with three decimals, or thousands",),
        ),
        (
            "sep=;\n" + FF,
            {"Scale": "FF"},
            ("mri.csv, row 1: 'sep=;' is a note of a spreadsheet program, not the header.",),
        ),
        (FF.encode("utf-16"), {"Scale": "FF"}, ("mri.csv is UTF-16 text",)),
        (
            FF.replace("soleus", "Wadenmuskel ü").encode("cp1252"),
            {"Scale": "FF"},
            ("mri.csv is not UTF-8 text",),
        ),
    ],
)
def test_a_csv_file_that_may_be_read_in_two_ways_is_refused(
    text: str | bytes,
    sidecar: dict[str, object],
    pieces: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(with_csv(tmp_path / "in", text, sidecar)) == ExitCode.BAD_DATA
    error = capsys.readouterr().err
    assert not [piece for piece in pieces if piece not in error], error


def test_ages_have_decimal_commas_too_and_three_decimals_are_told_from_thousands(
    tmp_path: Path,
) -> None:
    text = "participant_id;age;VL;SOL\nx;400,5;0,012;1\ny;1200;1,250;3\n"
    sidecar = {"Scale": "FF", "Units": "permille", "age": {"Units": "months"}}
    assert run(with_csv(tmp_path / "in", text, sidecar)) == ExitCode.OK
    ages = read(tmp_path / "out" / "group_scores.tsv")["age"]
    assert ages.tolist() == pytest.approx([400.5 / 12, 100], abs=1e-3)
    scores = read(tmp_path / "out" / "group_muscles.tsv")["score"]
    assert scores.tolist() == pytest.approx([0.0012, 0.1, 0.125, 0.3])


def test_tables_that_are_not_read_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = write_study(tmp_path / "in")
    for name in ("phenotype/mri.csv", "phenotype/second.csv", "phenotype/third.XLSX"):
        (dataset / name).write_text("participant_id;VL\nsub-9;1\n")
    (dataset / "phenotype" / "~$third.xlsx").write_text("locked")
    (dataset / "sessions.ods").write_text("x")
    assert run(dataset) == ExitCode.OK
    said = json.loads((tmp_path / "out" / "group_summary.json").read_text())["Cautions"]
    named = [
        sentence.removeprefix(str(dataset) + "/") for sentence in said if "not used" in sentence
    ]
    assert named == [
        "phenotype/mri.csv: not used, mri.tsv beside it is.",
        "phenotype/second.csv: not used, neither its sidecar nor a column names its scale.",
        "phenotype/third.XLSX: not used, it is a workbook; save its sheet as tab-separated text "
        "(.tsv) or CSV.",
        "sessions.ods: not used, people are described in sessions.tsv; save it as tab-separated "
        "text.",
    ]
    (dataset / "phenotype" / "mri.json").write_text("{}")
    other = ["--study", f"rome={dataset}"]
    assert main([str(tmp_path), str(tmp_path / "out"), "group", *other]) == ExitCode.INPUT_MISSING
    error = capsys.readouterr().err
    assert "no table in phenotype/ names its scale (mri.tsv, second.csv); mri.csv: " in error
