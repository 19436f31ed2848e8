"""Read tables: of people, as they stand, every cell a string; our own, with types."""

import csv
import io
import logging
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from gzip import BadGzipFile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from pipelines.errors import DataError, quoted

if TYPE_CHECKING:
    import pandas as pd

MISSING = "n/a"
"""What stands in a cell without a value."""

LINE = "line"
"""Name of the index, the line in the file; the header is line 1."""

LOGGER = logging.getLogger(__name__)

# A cell that begins like this is computed by spreadsheet programs; apostrophes count so that they
# can be told from the one that is put before it.
_FORMULA = re.compile(r"'*[=+\-@]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]inf", re.IGNORECASE)
# Tabs and ends of lines too: many readers know no quotes.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# Far more than any table of people has; each costs time and memory.
_MOST_COLUMNS = 10_000
# Columns that a message names.
_MOST_NAMED = 10

_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}


def read_text_table(stream: TextIO, source: str, separator: str = "\t") -> "pd.DataFrame":
    """Read a table that people wrote.

    Parameters
    ----------
    stream : text file
        At its beginning.
    source : str
        Name of the file, for messages.
    separator : str
        What stands between cells.

    Returns
    -------
    DataFrame of str
        Index ``line``; nothing is taken for missing or for a number.

    Raises
    ------
    DataError
        If the file is empty or no UTF-8 text, has another separator, more than 10,000 columns, one
        twice or without name, a cell of more than 131,072 characters in quotes, a quotation mark
        that nothing closes, or rows of other lengths than the header.
    """
    import pandas as pd

    columns, rows = _read(stream, source, separator)
    index = pd.Index([line for line, _ in rows], dtype="int64", name=LINE)
    return pd.DataFrame([cells for _, cells in rows], columns=columns, index=index, dtype=str)


def find_separator(header: str) -> str:
    """Return what separates the columns of a header line: a tab, comma or semicolon.

    The one that stands there most often outside of quotation marks; a comma if none does.
    """
    outside = "".join(header.split('"')[::2])
    return max((",", ";", "\t"), key=outside.count)


def read_text_rows(text: str, source: str) -> list[tuple[int, dict[str, str]]]:
    """Read a small tab-separated table without pandas; errors as :func:`read_text_table`.

    Parameters
    ----------
    text : str
        Content of a file.
    source : str
        Its name, for messages.

    Returns
    -------
    list of (int, dict)
        Line and cells by column of each row.
    """
    columns, rows = _read(io.StringIO(text, newline=""), source, "\t")
    return [(line, dict(zip(columns, cells, strict=True))) for line, cells in rows]


def one_line(text: str) -> str:
    """Return text with spaces for control characters, tabs and ends of lines."""
    return _CONTROL.sub(" ", text)


def cell_text(text: str) -> str:
    """Return text as it may stand in a cell that spreadsheet programs open.

    Control characters become spaces. Before text that would be computed, and is no number, an
    apostrophe is put; :func:`read_own_table` takes it away.
    """
    clean = one_line(text)
    return f"'{clean}" if _FORMULA.match(clean) and not _NUMBER.fullmatch(clean) else clean


def _text_of_cell(cell: object) -> object:
    is_marked = isinstance(cell, str) and cell.startswith("'") and _FORMULA.match(cell)
    return cell[1:] if is_marked else cell  # type: ignore[index]


def read_own_table(
    source: "Path | BinaryIO | TextIO", columns: list[str] | None = None
) -> "pd.DataFrame":
    """Read a table that this software wrote.

    Parameters
    ----------
    source : Path or file
        Tab-separated text; compressed if the path ends in ``.gz``.
    columns : list of str or None
        Read only these.

    Returns
    -------
    DataFrame
        ``n/a`` is missing; columns of numbers are numbers; text is as it was before
        :func:`cell_text`.

    Raises
    ------
    ValueError
        If it is damaged or lacks one of the columns.
    """
    import pandas as pd

    try:
        table: pd.DataFrame = pd.read_csv(
            source,
            sep="\t",
            usecols=columns,
            keep_default_na=False,
            na_values=[MISSING],
            encoding="utf-8",
            low_memory=False,
        )
    except (EOFError, BadGzipFile, zlib.error) as error:
        raise ValueError(str(error)) from error
    for column in table.select_dtypes(["object", "string"]):
        texts = table[column]
        if texts.astype(str).str.startswith("'").any():
            table[column] = texts.map(_text_of_cell)
    return table.rename(columns=_text_of_cell)


def _read(
    stream: TextIO, source: str, separator: str
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and line number and cells of every row."""
    try:
        header = stream.readline()
        columns = _columns(header, source, separator)
        # Between commas, an empty cell more than the header has may follow a decimal comma.
        most = len(_cells(header, separator, source, 1)[0]) if separator == "," else None
        return columns, list(_rows(stream, columns, source, separator, most))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source} is no text in UTF-8 ({error.reason}).",
            "Save it as text (tab-separated, UTF-8); the workbook of a spreadsheet program is not.",
        ) from error


def _columns(header: str, source: str, separator: str) -> list[str]:
    """Read the header line and check it."""
    cells, is_open = _cells(header.lstrip("\ufeff"), separator, source, 1)
    columns = [name.strip() for name in cells]
    if is_open:
        raise _never_closed(f"{source}, row 1", columns[-1])
    # Spreadsheet programs leave empty cells at the ends of lines.
    while len(columns) > 1 and not columns[-1]:
        columns.pop()
    if columns == [""]:
        raise DataError(
            f"{source} is empty, or its first line is.",
            "It needs a header line and one row per session.",
        )
    others = [text for sign, text in _SEPARATORS.items() if sign in columns[0]]
    if len(columns) == 1 and others:
        raise DataError(
            f"{source} has only one column, {quoted(columns[0])}; the header seems to be separated "
            f"by {others[0]}.",
            f"Separate the columns by {_SEPARATORS.get(separator, repr(separator))}.",
        )
    if "" in columns:
        raise DataError(
            f"{source}: column {columns.index('') + 1} has no name.", "Name or delete it."
        )
    if len(columns) > _MOST_COLUMNS:
        raise DataError(
            f"{source} has {len(columns)} columns; a table may have {_MOST_COLUMNS}.",
            "A table has one row per participant and session. Check that it is not turned over.",
        )
    twice = [name for name, times in Counter(columns).items() if times > 1]
    if twice:
        raise DataError(
            f"{source} has more than one column {', '.join(map(quoted, twice[:_MOST_NAMED]))}.",
            "Delete or rename one of them.",
        )
    return columns


def _rows(
    lines: Iterable[str], columns: list[str], source: str, separator: str, most: int | None
) -> Iterator[tuple[int, list[str]]]:
    """Split the lines below the header into one cell per column; blank ones are left out.

    Rows of more than `most` cells are refused, also if the last ones are empty.
    """
    trailing = False
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        row, is_open = _cells(line, separator, source, number)
        if most is not None and len(row) > most:
            raise _ragged(source, number, len(row), len(columns))
        while len(row) > len(columns) and not row[-1].strip():
            row.pop()
            trailing = True
        if is_open and len(row) <= len(columns):
            column = quoted(columns[len(row) - 1])
            raise _never_closed(f"{source}, row {number}, column {column}", row[-1])
        if len(row) != len(columns):
            raise _ragged(source, number, len(row), len(columns))
        yield number, row
    if trailing:
        LOGGER.warning("%s: empty cells at the ends of its lines were left out.", source)


def _cells(line: str, separator: str, source: str, number: int) -> tuple[list[str], bool]:
    """Split a line; quotes around a cell keep separators in it together.

    Returns the cells.
    """
    text = line.rstrip("\r\n")
    if '"' not in text:
        return text.split(separator), False
    # A cell that is still open at the end of the line would take in the next one.
    reader = csv.reader([text, ""], delimiter=separator)
    try:
        return next(reader), reader.line_num > 1
    except csv.Error as error:
        raise DataError(
            f"{source}, row {number} cannot be read as a row of a table: {error}.",
            "Check its cells and quotation marks.",
        ) from error


def _never_closed(place: str, rest: str) -> DataError:
    return DataError(
        f"{place}: nothing closes the quotation mark before {quoted(rest.rstrip())}.",
        "Delete it, or write one at the end of the cell too.",
    )


def _ragged(source: str, line: int, cells: int, columns: int) -> DataError:
    return DataError(
        f"{source}, row {line} has {cells} cell{'s' * (cells != 1)}, but the header has {columns}.",
        "Give every row one cell per column; write n/a where a value is missing.",
    )
