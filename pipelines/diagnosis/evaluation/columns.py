"""The tables of an evaluation and their columns, as ``columns.json`` describes them.

Its entries are also what the JSON sidecar of a written table has to say.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from pipelines.diagnosis.evaluation.reader_answers import CASE_COLUMNS


@cache
def table_descriptions() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return what each column of each table means, in column order.

    Returns
    -------
    Mapping
        Table name to column name to its BIDS sidecar entry. A column that every table describes
        alike is written once, under ``shared``, and stands as an empty entry in the tables.
    """
    text = (files("pipelines.diagnosis.evaluation") / "columns.json").read_text(encoding="utf-8")
    data: dict[str, dict[str, dict[str, Any]]] = json.loads(text)
    shared = data.pop("shared")
    return {
        table: {name: entry or shared[name] for name, entry in columns.items()}
        for table, columns in data.items()
    }


def check_columns(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table if its columns are those that ``columns.json`` describes, in order.

    Parameters
    ----------
    name : str
        Name of the table.
    table : DataFrame
        Case columns of readers' tables may be missing.

    Raises
    ------
    KeyError
        If columns are unknown, missing or in another order: a mistake in this package.
    """
    described = [
        column
        for column in table_descriptions()[name]
        if column in table or column not in CASE_COLUMNS
    ]
    if list(table.columns) != described:
        raise KeyError(f"table {name} has columns {list(table.columns)}, described: {described}")
    return table
