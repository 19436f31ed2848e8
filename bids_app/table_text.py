"""Tables as TSV text, some rows at a time: a trace of a large cohort has millions.

A column of such a table has few different values. Each is made text once, which takes a fifth of
the time of ``DataFrame.to_csv``; the text is the same.
"""

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

MISSING = "n/a"
_NUMBER = "%.6g"
# Rows that are text at the same time.
_ROWS = 100_000
_NEEDS_QUOTES = re.compile(r'[\t"\r\n]')


def table_text(frame: "pd.DataFrame") -> str:
    """Return a table as TSV text; missing values become ``n/a``."""
    return "".join(table_parts(frame))


def table_parts(frame: "pd.DataFrame") -> Iterator[str]:
    """Yield the TSV text of a table in parts, the header first."""
    yield "\t".join(_quoted(str(name)) for name in frame.columns) + "\n"
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
    quoted = {text: _quoted(text) for text in set(texts) if _NEEDS_QUOTES.search(text)}
    return [quoted.get(text, text) for text in texts] if quoted else list(texts)


def _taken(texts: list[str], places: "npt.NDArray[np.integer[Any]]") -> list[str]:
    return [texts[place] for place in places.tolist()]


def _quoted(text: str) -> str:
    if not _NEEDS_QUOTES.search(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
