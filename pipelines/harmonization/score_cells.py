"""Turn the text of score columns into numbers, and say what is wrong where that fails."""

import re
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.errors import DataError

FloatArray = npt.NDArray[np.float64]

MISSING = "n/a"
LETTER_SCALE = "2a2b"
LETTER_GRADES: Mapping[str, float] = {"0": 0.0, "1": 1.0, "2a": 2.0, "2b": 3.0, "3": 4.0}
"""How the written grades of scale 2a2b are coded. The paper names the scale and gives no coding;
this one keeps the grades in order with equal steps."""

_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}.*|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}"
    rf"|\d{{1,2}}[-. ]({_MONTH})[a-z]*.*|({_MONTH})[a-z]*[-. ]\d{{1,4}}",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[+-]?\d+,\d+")
_NO_NUMBER = {"", "na", "nan", "n.a.", "none", "null", "-", ".", "missing", "#n/a", "?"}


def parse_scores(
    cells: pd.DataFrame, letters: npt.NDArray[np.bool_], source: str, lines: npt.NDArray[np.int64]
) -> FloatArray:
    """Read the cells of score columns.

    Parameters
    ----------
    cells : DataFrame of str, shape (n, c)
        One column per muscle and side.
    letters : ndarray of bool, shape (n,)
        Rows on scale 2a2b, where grades may be written 2a and 2b.
    source : str
        Name of the file, for messages.
    lines : ndarray of int, shape (n,)
        Line of each row in the file.

    Returns
    -------
    ndarray of float64, shape (n, c)
        NaN for ``n/a``.

    Raises
    ------
    DataError
        If a cell is neither a number nor ``n/a``; names the first one.
    """
    codes, texts = pd.factorize(cells.to_numpy(dtype=object).ravel())
    codes = codes.reshape(cells.shape)
    stripped = pd.Series([str(text).strip() for text in texts], dtype=object)
    numbers = pd.to_numeric(stripped, errors="coerce").to_numpy(dtype=np.float64)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    missing = (stripped == MISSING).to_numpy(dtype=bool)
    values, readable = numbers[codes], (~np.isnan(numbers) | missing)[codes]
    if letters.any():
        graded = stripped.str.lower().map(LETTER_GRADES).to_numpy(dtype=np.float64)
        written = stripped.str.lower().isin(["2a", "2b"]).to_numpy(dtype=bool)
        if written[codes[letters]].any():
            values[letters] = graded[codes[letters]]
            readable[letters] = (~np.isnan(graded) | missing)[codes[letters]]
    if not readable.all():
        rows, columns = np.nonzero(~readable)
        text = str(texts[codes[rows[0], columns[0]]])
        others = len(rows) - 1
        raise DataError(
            f"{source}, row {lines[rows[0]]}, column {str(cells.columns[columns[0]])!r}: "
            f"{text!r} {_problem(text.strip(), bool(letters[rows[0]]))}"
            f"{f' (and {others} more such cells)' if others > 0 else ''}.",
            _remedy(text.strip(), bool(letters[rows[0]])),
        )
    return values


def _problem(text: str, letters: bool) -> str:
    if text.lower() in _NO_NUMBER:
        return "is no score" if text else "is an empty cell"
    if _DATE.fullmatch(text):
        return "is a date, into which spreadsheet programs turn some scores"
    if _COMMA.fullmatch(text):
        return "has a decimal comma"
    if letters:
        return f"is no grade of scale {LETTER_SCALE} in a table that writes 2a and 2b"
    return "is no number"


def _remedy(text: str, letters: bool) -> str:
    if text.lower() in _NO_NUMBER:
        return f"Write {MISSING} where a score is missing."
    if _DATE.fullmatch(text):
        return "Format the column as text before typing scores, and restore the original value."
    if _COMMA.fullmatch(text):
        return "Write a decimal point: " + text.replace(",", ".") + "."
    if letters:
        return "Write 0, 1, 2a, 2b or 3 in every row, or code the whole table 0 to 4 in that order."
    return f"Write a number, or {MISSING} if the score is missing."
