"""What the columns of our tables mean: the file ``columns.json`` beside the code that makes them.

The JSON file is the one place that defines the columns of its package. Its entries are also what
the BIDS sidecar of a table has to say (``Description``, ``Units``, ``Levels``, ``Format``).
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from pipelines.package_data import package_json

Columns = Mapping[str, Mapping[str, Any]]

# Entries that several tables of a file share; they stand there as empty entries.
_SHARED = "shared"


class DescribedTable(StrEnum):
    """Base of the enumeration of a package's tables, each named as in its ``columns.json``."""

    @property
    def columns(self) -> Columns:
        """Sidecar entry of each column, in column order."""
        return described_tables(type(self).__module__.rpartition(".")[0])[self.value]


@cache
def described_tables(package: str) -> Mapping[str, Columns]:
    """Return what each column of each table of a package means, in column order.

    Parameters
    ----------
    package : str
        Full name of a package that holds a ``columns.json``.

    Returns
    -------
    Mapping
        Table name to column name to its BIDS sidecar entry. A column that several tables describe
        alike is written once, under ``shared``, and stands as an empty entry in the tables.
    """
    content: dict[str, dict[str, dict[str, Any]]] = package_json(package, "columns.json")
    shared = content.pop(_SHARED, {})
    return {
        table: {name: entry or shared[name] for name, entry in columns.items()}
        for table, columns in content.items()
    }
