"""Read tables that people made: as text, strictly, and within the memory there is.

What the cells mean is checked by the science (:mod:`pipelines.harmonization`); here only that the
file can be a table at all.
"""

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.files.reading import read_text
from pipelines.text_table import MISSING, cell_text, find_separator, read_text_table

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.arrays import Integer


_NUMBER = "%.6g"
# Rows that are text at the same time.
_ROWS = 100_000
# Text without any of these, not only at its beginning, stands in a cell as it is.
_SPECIAL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\"=+\-@]")


# Far above any cohort (one row is a visit), low enough that a table always fits in memory.
MOST_ROWS = 100_000
MOST_BYTES = 100_000_000

_BLOCK = 2**20

# First bytes of files that are no UTF-8 text, and what they are.
_OTHER_KINDS = {
    b"PK\x03\x04": "an Excel or ZIP file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x1f\x8b": "a gzip file",
}


def read_tsv(path: Path) -> "pd.DataFrame":
    """Read a tab-separated table whose first line names the columns.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    DataFrame of str
        Index ``line`` (the header is line 1), see
        :func:`pipelines.text_table.read_text_table`.

    Raises
    ------
    AppError
        As :func:`~.reading.read_text`; ``BAD_DATA`` if the file is no table or holds more
        than ``MOST_ROWS`` rows or ``MOST_BYTES`` bytes. The message names the line.
    """
    text = _table_source(path)
    with as_app_errors():
        return read_text_table(io.StringIO(text, newline=""), str(path))


def read_csv(path: Path) -> "tuple[pd.DataFrame, str]":
    """Read a table that a spreadsheet program exported; errors as :func:`read_tsv`.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    table : DataFrame of str
        As of :func:`read_tsv`.
    separator : str
        What separates its columns, as the header tells: a comma, semicolon or tab.
    """
    text = _table_source(path)
    header = text.partition("\n")[0].strip()
    if re.fullmatch('"?sep=."?', header, re.IGNORECASE):
        raise AppError(
            f"{path}, row 1: {header!r} is a note of a spreadsheet program, not the header.",
            ExitCode.BAD_DATA,
            "Delete the line.",
        )
    separator = find_separator(header)
    with as_app_errors():
        return read_text_table(io.StringIO(text, newline=""), str(path), separator), separator


def _table_source(path: Path) -> str:
    """Return the text of a file that may be a table."""
    _check_size(path)
    text = read_text(path)
    if "\0" in text:
        raise AppError(
            f"{path} holds zero bytes: it is UTF-16 text or damaged.",
            ExitCode.BAD_DATA,
            "Save it as tab-separated text in UTF-8.",
        )
    return text


def _check_size(path: Path) -> None:
    """Refuse, without loading it, a file that is too large or no text; missing files pass."""
    if not path.is_file():
        return
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(4)
        feeds, returns = start.count(b"\n"), start.count(b"\r")
        while size <= MOST_BYTES and (block := stream.read(_BLOCK)):
            feeds += block.count(b"\n")
            returns += block.count(b"\r")
    rows = max(feeds, returns)
    for magic, kind in _OTHER_KINDS.items():
        if start.startswith(magic):
            raise AppError(
                f"{path} is {kind}, not a TSV table.",
                ExitCode.BAD_DATA,
                "Save it as tab-separated text in UTF-8.",
            )
    if size > MOST_BYTES or rows > MOST_ROWS + 1:
        found = f"{size / 1e6:.0f} MB" if size > MOST_BYTES else f"{rows - 1} rows"
        raise AppError(
            f"{path} holds {found}; a table may hold {MOST_ROWS} rows and "
            f"{MOST_BYTES // 10**6} MB.",
            ExitCode.BAD_DATA,
            "A table has one row per participant and session. Check how it was made, or split it.",
        )


def table_text(frame: "pd.DataFrame") -> str:
    """Return a table as TSV text; missing values become ``n/a``."""
    return "".join(table_parts(frame))


def table_parts(frame: "pd.DataFrame") -> Iterator[str]:
    """Yield the TSV text of a table in parts, the header first."""
    yield "\t".join(_cell(str(name)) for name in frame.columns) + "\n"
    for start in range(0, len(frame), _ROWS):
        part = frame.iloc[start : start + _ROWS]
        columns = [_texts(part.iloc[:, i]) for i in range(part.shape[1])]
        yield "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"


def _texts(column: "pd.Series[Any]") -> list[str]:
    """Return the text of every value of a column."""
    import numpy as np
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = [*_texts(pd.Series(column.cat.categories)), MISSING]
        return _taken(categories, column.cat.codes.to_numpy())
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        # By their bits: -0 is not 0.
        bits = column.to_numpy(np.float64).view(np.int64)
        found, places = np.unique(bits, return_inverse=True)
        numbers = found.view(np.float64).tolist()
        return _taken([MISSING if math.isnan(n) else _NUMBER % n for n in numbers], places)
    values = column.to_numpy(dtype=object)
    texts = np.array([*map(str, values), ""], dtype=object)[:-1]
    texts[pd.isna(values)] = MISSING
    written = {text: _cell(text) for text in set(texts) if _SPECIAL.search(text)}
    return [written.get(text, text) for text in texts] if written else list(texts)


def _taken(texts: list[str], places: "Integer") -> list[str]:
    return [texts[place] for place in places.tolist()]


def _cell(text: str) -> str:
    safe = cell_text(text)
    if '"' not in safe:
        return safe
    doubled = safe.replace('"', '""')
    return f'"{doubled}"'
