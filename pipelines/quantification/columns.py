"""The columns of our tables: order, type, unit and meaning, read from ``columns.json``.

The JSON file is the one place that defines them. Its entries are also what a BIDS sidecar of the
table has to say (``Description``, ``Units``, ``Levels``, ``Format``).
"""

import json
from collections.abc import Mapping
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


def build_table(table: Table, data: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the columns, order and types of a table.

    Parameters
    ----------
    table : Table
        Which table.
    data : DataFrame
        Its columns are columns of the table; one that it lacks is missing data.

    Returns
    -------
    DataFrame
        With a fresh index. Missing values are NaN (numbers) or ``pandas.NA``.

    Raises
    ------
    KeyError
        If the frame has a column that the table does not know.
    """
    descriptions = column_descriptions(table)
    unknown = {str(name) for name in data} - set(descriptions)
    if unknown:
        raise KeyError(f"columns.json does not describe {', '.join(sorted(unknown))}")
    dtypes = {name: _DTYPES[entry["Format"]] for name, entry in descriptions.items()}
    return data.reindex(columns=list(dtypes)).astype(dtypes).reset_index(drop=True)
