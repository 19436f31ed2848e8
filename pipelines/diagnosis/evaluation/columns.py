"""Hold the tables of an evaluation to the columns that ``columns.json`` describes."""

import pandas as pd

from pipelines.columns import described_tables
from pipelines.diagnosis.evaluation.reader_answers import CASE_COLUMNS

_PACKAGE = "pipelines.diagnosis.evaluation"


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
        for column in described_tables(_PACKAGE)[name]
        if column in table or column not in CASE_COLUMNS
    ]
    if list(table.columns) != described:
        raise KeyError(f"table {name} has columns {list(table.columns)}, described: {described}")
    return table
