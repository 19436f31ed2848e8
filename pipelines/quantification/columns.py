"""The columns of our tables: order, type, unit and meaning, read from ``columns.json``.

The JSON file is the one place that defines them. Its entries are also what a BIDS sidecar of the
table has to say (``Description``, ``Units``, ``Levels``, ``Format``).
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd


class Table(StrEnum):
    """The tables that ``columns.json`` describes."""

    MUSCLES = "muscles"
    PROFILE = "profile"


# pandas type of each BIDS column format; all of them can hold a missing value.
_DTYPES: Mapping[str, str] = {
    "string": "string",
    "integer": "Int64",
    "number": "float64",
    "bool": "boolean",
}


@cache
def column_descriptions(table: Table) -> Mapping[str, Mapping[str, Any]]:
    """Return what each column of a table means, in column order.

    Parameters
    ----------
    table : Table
        Which table.

    Returns
    -------
    Mapping
        Column name to its BIDS sidecar entry.
    """
    text = (files("pipelines.quantification") / "columns.json").read_text(encoding="utf-8")
    descriptions: dict[str, dict[str, Any]] = json.loads(text)[table.value]
    return descriptions


def build_table(table: Table, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Stack frames and give the result the columns, order and types of the table.

    Parameters
    ----------
    table : Table
        Which table.
    parts : sequence of DataFrame
        Frames whose columns are columns of the table; a column missing in one of them is missing
        data there. May be empty.

    Returns
    -------
    DataFrame
        With a fresh index. Missing values are NaN (numbers) or ``pandas.NA``.

    Raises
    ------
    KeyError
        If a frame has a column that the table does not know.
    """
    descriptions = column_descriptions(table)
    dtypes = {name: _DTYPES[entry["Format"]] for name, entry in descriptions.items()}
    typed = [part.reindex(columns=list(dtypes)).astype(dtypes) for part in parts]
    unknown = {name for part in parts for name in part.columns} - set(dtypes)
    if unknown:
        raise KeyError(f"columns.json does not describe {', '.join(sorted(unknown))}")
    if not typed:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in dtypes.items()})
    return pd.concat(typed, ignore_index=True)
