"""Turn the text of score columns into numbers, and say what is wrong where that fails."""

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float64, Int64
from pipelines.errors import DataError, quoted, shortened
from pipelines.text_table import MISSING

LETTER_SCALE = "2a2b"
LETTER_GRADES: Mapping[str, float] = {"0": 0.0, "1": 1.0, "2a": 2.0, "2b": 3.0, "3": 4.0}
"""How the written grades of scale 2a2b are coded. The paper names the scale and gives no coding;
this one keeps the grades in order with equal steps."""

# Grade 3 as it is written, and the code of grade 2b.
_WRITTEN_OR_CODED = 3.0

_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATE = re.compile(
    rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}.*|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}"
    rf"|\d{{1,2}}[-. ]({_MONTH})[a-z]*.*|({_MONTH})[a-z]*[-. ]\d{{1,4}}",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[+-]?\d+,\d+")
_POINT = re.compile(r"[+-]?\d*\.\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
MISSING_ELSEWHERE = frozenset(
    ("", "na", "nan", "n.a.", "none", "null", "-", ".", "missing", "#n/a", "?")
)
"""What other programs and people write for a missing value, in lower case."""


def parse_scores(cells: pd.DataFrame, letters: Bool, source: str, lines: Int64) -> Float64:
    """Read the cells of score columns.

    `cells` and the result are (n, c); `letters` and `lines` are (n,).
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
            f"{source}, row {lines[rows[0]]}, column {quoted(cells.columns[columns[0]])}: "
            f"{quoted(text)} {_problem(text.strip(), bool(letters[rows[0]]))}"
            f"{f' (and {others} more such cells)' if others > 0 else ''}.",
            _remedy(text.strip(), bool(letters[rows[0]])),
        )
    if letters.any() and not written[codes[letters]].any():
        _check_codes(values, letters, cells, source, lines)
    return values


def with_decimal_points(
    table: pd.DataFrame, columns: Sequence[str], large: Collection[str], source: str, lines: Int64
) -> pd.DataFrame:
    """Write decimal commas as points.

    Parameters
    ----------
    table : DataFrame of str
        Any table.
    columns : sequence of str
        Its columns of numbers.
    large : collection of str
        Those of them in which numbers may exceed 1000, so that 1,234 may mean 1234.
    source : str
        Name of the file, for messages.
    lines : ndarray of int64
        Line of each row.

    Raises
    ------
    DataError
        If decimal points stand in these columns too, or commas may separate thousands.
    """
    cells = table[list(columns)].astype(str).apply(lambda column: column.str.strip())
    comma = cells.apply(lambda column: column.str.fullmatch(_COMMA))
    point = cells.apply(lambda column: column.str.fullmatch(_POINT))
    if not comma.to_numpy().any():
        return table

    def first(where: pd.DataFrame) -> str:
        row, column = np.argwhere(where.to_numpy())[0]
        return (
            f"row {lines[row]}, column {quoted(columns[column])}: {quoted(cells.iat[row, column])}"
        )

    if point.to_numpy().any():
        raise DataError(
            f"{source}, {first(point)} has a decimal point, but a decimal comma stands in "
            f"{first(comma)}.",
            "Use one of them throughout the table.",
        )
    thousands = cells.apply(lambda column: column.str.fullmatch(_THOUSANDS))
    doubtful = thousands & cells.columns.isin(list(large))
    if doubtful.to_numpy().any() and (thousands == comma).to_numpy().all():
        raise DataError(
            f"{source}, {first(doubtful)} may be a number with three decimals, or thousands.",
            "Write a decimal point, and nothing between thousands.",
        )
    return table.assign(
        **{n: cells[n].where(~comma[n], cells[n].str.replace(",", ".")) for n in columns}
    )


def _check_codes(
    values: Float64,
    letters: Bool,
    cells: pd.DataFrame,
    source: str,
    lines: Int64,
) -> None:
    """Refuse a table on scale 2a2b whose 3 may be written or coded: 2 and 4 are codes only."""
    given = np.where(letters[:, None], values, np.nan)
    three = given == _WRITTEN_OR_CODED
    if three.any() and np.isin(given[~np.isnan(given)], [0.0, 1.0, _WRITTEN_OR_CODED]).all():
        row, column = np.argwhere(three)[0]
        raise DataError(
            f"{source}, row {lines[row]}, column {quoted(cells.columns[column])}: 3 may be grade 3 "
            f"or the code of grade 2b; no cell of scale {LETTER_SCALE} tells.",
            "Write 2b in letters if it is that; code it as 4 if it is grade 3.",
        )


def _problem(text: str, letters: bool) -> str:
    if text.lower() in MISSING_ELSEWHERE:
        return "is no score" if text else "is an empty cell"
    if _DATE.fullmatch(text):
        return "is a date, into which spreadsheet programs turn some scores"
    if _COMMA.fullmatch(text):
        return "has a decimal comma"
    if letters:
        return f"is no grade of scale {LETTER_SCALE} in a table that writes 2a and 2b"
    return "is no number"


def _remedy(text: str, letters: bool) -> str:
    if text.lower() in MISSING_ELSEWHERE:
        return f"Write {MISSING} where a score is missing."
    if _DATE.fullmatch(text):
        return "Format the column as text before typing scores, and restore the original value."
    if _COMMA.fullmatch(text):
        return f"Write a decimal point: {shortened(text.replace(',', '.'))}."
    if letters:
        return "Write 0, 1, 2a, 2b or 3 in every row, or code the whole table 0 to 4 in that order."
    return f"Write a number, or {MISSING} if the score is missing."
