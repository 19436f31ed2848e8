"""Read a table of text as it stands: every cell a string, every row with its line number."""

import re
from collections.abc import Iterator
from typing import TextIO

import pandas as pd

from pipelines.errors import DataError

LINE = "line"
"""Name of the index: line in the file; the header is line 1."""

_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}


def read_text_table(stream: TextIO, source: str, separator: str = "\t") -> pd.DataFrame:
    """Read a whole table; see :func:`iterate_text_table`."""
    return pd.concat(iterate_text_table(stream, source, separator))


def iterate_text_table(
    stream: TextIO, source: str, separator: str = "\t", rows: int = 100_000
) -> Iterator[pd.DataFrame]:
    """Read a table in parts, so that its length does not matter.

    Parameters
    ----------
    stream : text file
        At its beginning.
    source : str
        Name of the file, for messages.
    separator : str
        What stands between cells.
    rows : int
        Rows per part.

    Yields
    ------
    DataFrame of str
        Index ``line``; nothing is taken for missing or for a number. A table without rows yields
        one frame without rows.

    Raises
    ------
    DataError
        If the file is empty or no UTF-8 text, has another separator, a column twice or without
        name, or rows of other lengths than the header.
    """
    try:
        columns = _columns(stream.readline(), source, separator)
        yield from _parts(stream, columns, source, separator, rows)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source} is no text in UTF-8 ({error.reason}).",
            "Save it as text (tab-separated, UTF-8); the workbook of a spreadsheet program is not.",
        ) from error


def _columns(header: str, source: str, separator: str) -> list[str]:
    """Read the header line and check it."""
    columns = [
        c.strip().strip('"') for c in header.lstrip("\ufeff").rstrip("\r\n").split(separator)
    ]
    if columns == [""]:
        raise DataError(f"{source} is empty.", "It needs a header line and one row per session.")
    if len(columns) == 1:
        others = [text for sign, text in _SEPARATORS.items() if sign in columns[0]]
        found = f"; the header seems to be separated by {others[0]}" if others else ""
        raise DataError(
            f"{source} has only one column, {columns[0][:60]!r}{found}.",
            f"Separate the columns by {_SEPARATORS.get(separator, repr(separator))}.",
        )
    if "" in columns:
        raise DataError(
            f"{source}: column {columns.index('') + 1} has no name.", "Name or delete it."
        )
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice:
        raise DataError(
            f"{source} has more than one column {', '.join(map(repr, twice))}.",
            "Delete or rename one of them.",
        )
    return columns


def _parts(
    stream: TextIO, columns: list[str], source: str, separator: str, rows: int
) -> Iterator[pd.DataFrame]:
    try:
        reader = pd.read_csv(
            stream,
            sep=separator,
            header=None,
            dtype=str,
            na_filter=False,
            skip_blank_lines=False,
            chunksize=rows,
        )
        for part in reader:
            if part.shape[1] != len(columns):
                raise _ragged(source, 2, part.shape[1], len(columns))
            part.columns = pd.Index(columns)
            part.index = pd.RangeIndex(part.index[0] + 2, part.index[-1] + 3, name=LINE)
            yield part[(part != "").any(axis=1)]
    except pd.errors.EmptyDataError:
        yield pd.DataFrame({name: pd.Series(dtype=str) for name in columns})
    except pd.errors.ParserError as error:
        place = re.search(r"line (\d+), saw (\d+)", str(error))
        if place is None:
            raise DataError(f"{source} cannot be read as a table: {error}.", "Check it.") from error
        raise _ragged(source, int(place[1]) + 1, int(place[2]), len(columns)) from error


def _ragged(source: str, line: int, cells: int, columns: int) -> DataError:
    return DataError(
        f"{source}, row {line} has {cells} cells, but the header has {columns}.",
        "Give every row one cell per column; write n/a where a value is missing.",
    )
