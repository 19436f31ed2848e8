"""Tables of text are read as they stand, and files that are no such table are refused."""

import gzip
import io
import math
from pathlib import Path

import pytest

from pipelines.errors import DataError
from pipelines.text_table import (
    cell_text,
    find_separator,
    read_own_table,
    read_text_rows,
    read_text_table,
)


def read(text, **options):
    return read_text_table(io.StringIO(text), "scores.tsv", **options)


def test_cells_stay_text_and_rows_know_their_line() -> None:
    table = read("participant_id\tVL\n sub-1\t0\n\nsub-2\tn/a\n\n")
    assert table.columns.tolist() == ["participant_id", "VL"]
    assert table.to_numpy().tolist() == [[" sub-1", "0"], ["sub-2", "n/a"]]
    assert table.index.tolist() == [2, 4]


def test_small_tables_are_read_row_by_row_as_strictly() -> None:
    text = '\ufeffindex\tname\r\n\r\n1\t"a\tb"\r\n'
    assert read_text_rows(text, "x.tsv") == [(3, {"index": "1", "name": "a\tb"})]
    with pytest.raises(DataError, match=r"x\.tsv, row 2 has 1 cell"):
        read_text_rows("a\tb\n1\n", "x.tsv")


def test_a_byte_order_mark_quotes_and_other_separators_are_understood() -> None:
    assert read('\ufeffa,"b"\n1,2\n', separator=",").columns.tolist() == ["a", "b"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_count_whatever_ends_a_line_and_however_many_are_blank(end) -> None:
    table = read_text_table(
        io.StringIO(end.join(["a\tb", "", "1\t2", "\t", "3\t4", ""]), newline=""), "scores.tsv"
    )
    assert table.to_numpy().tolist() == [["1", "2"], ["3", "4"]]
    assert table.index.tolist() == [3, 5]


def test_quotes_hold_a_cell_together_and_stray_ones_are_text() -> None:
    table = read('"a"\tb\n"1\t2"\t"3 ""x"""\n5" needle\t6"\n')
    assert table.columns.tolist() == ["a", "b"]
    assert table.to_numpy().tolist() == [["1\t2", '3 "x"'], ['5" needle', '6"']]


def test_one_column_is_a_table() -> None:
    """A participants.tsv that only lists participants is valid BIDS."""
    assert read("participant_id\nsub-01\n")["participant_id"].tolist() == ["sub-01"]


def test_a_table_without_rows_has_none() -> None:
    table = read("a\tb\n")
    assert table.empty
    assert table.columns.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "scores.tsv is empty, or its first line is.", "header line"),
        ("\na\tb\n1\t2\n", "scores.tsv is empty, or its first line is.", "header line"),
        (
            "a,b,c\n1,2,3\n",
            "scores.tsv has only one column, 'a,b,c'; the header seems to be separated by commas.",
            "Separate the columns by tabs.",
        ),
        (
            "a;b\n1;2\n",
            "scores.tsv has only one column, 'a;b'; the header seems to be separated by "
            "semicolons.",
            "Separate the columns by tabs.",
        ),
        ("a\tVL\tVL\n", "scores.tsv has more than one column 'VL'.", "Delete or rename"),
        ("a\t\tc\n", "scores.tsv: column 2 has no name.", "Name or delete it."),
        ("a\tb\n1\t2\t3\n", "scores.tsv, row 2 has 3 cells, but the header has 2.", "n/a"),
        ("a\tb\n1\t2\n1\t2\t3\n", "scores.tsv, row 3 has 3 cells, but the header has 2.", "n/a"),
        ("a\tb\n1\n", "scores.tsv, row 2 has 1 cell, but the header has 2.", "n/a"),
        ("a\tb\n1\n1\t2\n", "scores.tsv, row 2 has 1 cell, but the header has 2.", "n/a"),
        ("a\tb\n1\t2\n\n1\n", "scores.tsv, row 4 has 1 cell, but the header has 2.", "n/a"),
        (
            'a\tb\n"1\t2\n1\t"2"\n',
            "scores.tsv, row 2, column 'a': nothing closes the quotation mark before '1\\t2'.",
            "Delete it, or write one at the end of the cell too.",
        ),
        (
            'a\tb\n1\t2\n1\t"\n',
            "scores.tsv, row 3, column 'b': nothing closes the quotation mark before ''.",
            "Delete it",
        ),
        (
            'a\tb\n1\t"' + "x" * 100 + "\n",
            "scores.tsv, row 2, column 'b': nothing closes the quotation mark before "
            f"'{'x' * 59}…'.",
            "Delete it",
        ),
        ('a\tb\n1\t2\t"3\n', "scores.tsv, row 2 has 3 cells, but the header has 2.", "n/a"),
        (
            'a\t"b\n1\t2\n',
            "scores.tsv, row 1: nothing closes the quotation mark before 'b'.",
            "Delete it",
        ),
        (
            "x" * 100 + ",y\n1,2\n",
            f"scores.tsv has only one column, '{'x' * 59}…'; the header seems to be separated by "
            "commas.",
            "Separate the columns by tabs.",
        ),
        (
            'a\tb\n1\t"' + "x" * 200_000 + '"\n',
            "scores.tsv, row 2 cannot be read as a row of a table: "
            "field larger than field limit (131072).",
            "Check its cells and quotation marks.",
        ),
    ],
)
def test_what_is_no_table_is_named(text, message, hint) -> None:
    with pytest.raises(DataError) as error:
        read(text)
    assert error.value.message == message
    assert hint in error.value.hint


def test_a_workbook_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "scores.tsv"
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00")
    with (
        path.open(encoding="utf-8", newline="") as stream,
        pytest.raises(DataError, match=r"scores\.tsv is no text in UTF-8") as error,
    ):
        read_text_table(stream, "scores.tsv")
    assert "workbook" in error.value.hint


def test_our_own_tables_have_types(tmp_path) -> None:
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(b"a\tb\tc\n1\t0.5\tNA\n2\tn/a\tx\n"))
    table = read_own_table(path)
    assert table["a"].tolist() == [1, 2]
    assert table["b"][0] == 0.5
    assert math.isnan(table["b"][1])
    assert table["c"].tolist() == ["NA", "x"]
    assert read_own_table(path, ["c"]).columns.tolist() == ["c"]
    assert read_own_table(io.BytesIO(b"a\n1\n"))["a"].tolist() == [1]


@pytest.mark.parametrize(
    ("content", "columns", "problem"),
    [
        (b"", None, "No columns to parse"),
        (b"a\tb\n1\t2\n3\t4\t5\t6\n", None, "Expected 2 fields in line 3, saw 4"),
        (b"a\n\xff\n", None, "can't decode byte 0xff"),
        (b"b\n1\n", ["a"], "do not match columns"),
    ],
)
def test_damaged_tables_of_our_own_are_value_errors(tmp_path, content, columns, problem) -> None:
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=problem):
        read_own_table(tmp_path / "t.tsv", columns)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (gzip.compress(b"a\n" + bytes(range(97, 123)) * 100)[:-10], "ended before the end"),
        (gzip.compress(b"a\n")[:10] + b"\xff" * 20, "invalid"),
        (b"a\n1\n", "Not a gzipped file"),
    ],
)
def test_damaged_compressed_tables_are_value_errors(tmp_path, content, problem) -> None:
    (tmp_path / "t.tsv.gz").write_bytes(content)
    with pytest.raises(ValueError, match=problem):
        read_own_table(tmp_path / "t.tsv.gz")


@pytest.mark.parametrize(
    "text",
    ["a\tb\t\n1\t2\t\n", "a\tb\t\t\r\n1\t2\t\r\n", "a\tb\n1\t2\t\t \n", "a\tb\t\n1\t2\n3\t4\t\n"],
)
def test_empty_cells_at_the_ends_of_lines_are_left_out_and_logged(text, caplog) -> None:
    table = read_text_table(io.StringIO(text, newline=""), "t.tsv")
    assert list(table.columns) == ["a", "b"]
    assert table.iloc[0].tolist() == ["1", "2"]
    assert [record.getMessage() for record in caplog.records] == [
        "t.tsv: empty cells at the ends of its lines were left out."
    ]


def test_a_value_beyond_the_last_column_is_refused() -> None:
    with pytest.raises(DataError, match="row 2 has 3 cells"):
        read_text_table(io.StringIO("a\tb\t\n1\t2\t3\n"), "t.tsv")


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("participant_id;VL;SOL", ";"),
        ("participant_id,VL", ","),
        ("participant_id\tVL", "\t"),
        ('"id, name; of all";VL', ";"),
        ("VL", ","),
    ],
)
def test_the_header_tells_what_separates_columns(header, separator) -> None:
    assert find_separator(header) == separator


def test_an_empty_cell_after_a_decimal_comma_is_no_empty_column() -> None:
    """P1 has 12,5 and nothing: read otherwise, it would have 12 and 5."""
    with pytest.raises(DataError, match="row 2 has 4 cells, but the header has 3"):
        read_text_table(io.StringIO("participant_id,VL,SOL\nP1,12,5,\n"), "s.csv", ",")
    with pytest.raises(DataError, match="row 3 has 5 cells, but the header has 3"):
        read_text_table(io.StringIO("participant_id,VL,SOL,\na,1,2,\nP1,12,5,,\n"), "s.csv", ",")
    table = read_text_table(io.StringIO("participant_id,VL,SOL,\na,1,2,\nb,3,4\n"), "s.csv", ",")
    assert table.to_numpy().tolist() == [["a", "1", "2"], ["b", "3", "4"]]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+1", "'+1+1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("'=1", "''=1"),
        ("''-x", "'" * 3 + "-x"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
    ],
)
def test_text_that_spreadsheets_would_compute_is_marked_and_comes_back(text, cell) -> None:
    assert cell_text(text) == cell
    table = read_own_table(io.StringIO(f"{cell}\tn\n{cell}\t-1.5\nx\tn/a\n"))
    assert list(table) == [text, "n"]
    assert table[text].tolist() == [text, "x"]
    assert table["n"].tolist()[0] == -1.5


@pytest.mark.parametrize("number", ["-3.5", "+2e-3", "-.5", "-inf", "-7"])
def test_text_that_is_a_number_stays_one(number) -> None:
    assert cell_text(number) == number


def test_control_characters_become_spaces() -> None:
    assert cell_text("a\r\nb\x1b\u2028c\t=1") == "a  b  c =1"


def test_a_table_of_a_million_columns_is_refused_at_once() -> None:
    header = "\t".join(f"c{i}" for i in range(1_000_000))
    with pytest.raises(DataError, match="has 1000000 columns; a table may have 10000"):
        read_text_table(io.StringIO(header), "wide.tsv")


def test_a_message_names_a_few_of_many_columns_that_stand_twice() -> None:
    header = "\t".join(f"c{i}" for i in [*range(5000), *range(5000)])
    with pytest.raises(DataError) as caught:
        read_text_table(io.StringIO(header), "wide.tsv")
    assert caught.value.message.endswith("'c8', 'c9'.")


@pytest.mark.parametrize(
    ("text", "row"),
    [('a\tb\n1\t2\n\n3\t"' + "x" * 200_000 + '"\n', 4), ('a\t"' + "x" * 200_000 + '"\n', 1)],
)
def test_a_cell_that_is_too_large_is_refused_with_its_row(text, row) -> None:
    with pytest.raises(DataError, match=rf"scores\.tsv, row {row} cannot .*field larger"):
        read(text)
