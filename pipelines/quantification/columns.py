"""The tables of muscles and slices, with the columns, order and types of ``columns.json``."""

from collections.abc import Mapping

import pandas as pd

from pipelines.columns import DescribedTable


class MuscleTables(DescribedTable):
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


def build_table(table: MuscleTables, data: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the columns, order and types of a table, and a fresh index.

    A column that the frame lacks is missing data (NaN or ``pandas.NA``); one that the table does
    not know is a ``KeyError``.
    """
    unknown = {str(name) for name in data} - set(table.columns)
    if unknown:
        raise KeyError(f"columns.json does not describe {', '.join(sorted(unknown))}")
    dtypes = {name: _DTYPES[entry["Format"]] for name, entry in table.columns.items()}
    return data.reindex(columns=list(dtypes)).astype(dtypes).reset_index(drop=True)
