"""What the columns of a table are that describe people and sessions (``column_roles.tsv``)."""

import re
from collections.abc import Mapping
from functools import cache

import pandas as pd

from pipelines.errors import DataError, quoted
from pipelines.package_data import package_rows


@cache
def _column_roles() -> Mapping[str, str]:
    """Return what columns other than muscles mean, by lower-case name (``column_roles.tsv``)."""
    return {row["column"]: row["role"] for row in package_rows(__package__, "column_roles.tsv")}


@cache
def _defined_by_bids() -> frozenset[str]:
    """Return the names that BIDS defines; others of the same meaning are anybody's."""
    rows = package_rows(__package__, "column_roles.tsv")
    return frozenset(row["column"] for row in rows if row["in_bids"] == "yes")


def column_role(column: str) -> str | None:
    """Return what a column other than a muscle means; None for a name that is not listed."""
    return _column_roles().get(_plain(column))


def _plain(column: str) -> str:
    return re.sub(r"\W+", "_", column.strip().lower())


def columns_by_role(table: pd.DataFrame, source: str) -> dict[str, str]:
    """Find the columns that describe people and sessions.

    Parameters
    ----------
    table : DataFrame
        Any table.
    source : str
        Name of the file, for messages.

    Returns
    -------
    dict of str to str
        Role (``participant``, ``session``, ``sex``, ...) to column name.

    Raises
    ------
    DataError
        If there is no column of participants, or two columns have one role and BIDS defines none
        of them, or both. A column that is set aside for one that BIDS defines is no error, see
        :func:`set_aside`.
    """
    found: dict[str, str] = {}
    for role, columns in _candidates(table).items():
        defined = [column for column in columns if _plain(column) in _defined_by_bids()]
        if len(columns) > 1 and len(defined) != 1:
            first, second, *_ = defined or columns
            raise DataError(
                f"{source}: columns {quoted(first)} and {quoted(second)} both give the {role}.",
                "Keep one of them.",
            )
        found[role] = defined[0] if len(columns) > 1 else columns[0]
    if "participant" not in found:
        raise DataError(
            f"{source} has no column participant_id.", "Every row needs the participant's label."
        )
    return found


def set_aside(table: pd.DataFrame, roles: Mapping[str, str]) -> dict[str, str]:
    """Return columns that are not read, and the one of the same meaning that BIDS defines.

    Parameters
    ----------
    table : DataFrame
        Any table.
    roles : mapping of str to str
        What :func:`columns_by_role` found in it.

    Returns
    -------
    dict of str to str
        For example ``gender`` to ``sex``.
    """
    return {
        column: roles[role]
        for role, columns in _candidates(table).items()
        for column in columns
        if role in roles and column != roles[role]
    }


def _candidates(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the columns of each role."""
    found: dict[str, list[str]] = {}
    for column in map(str, table.columns):
        role = column_role(column)
        if role is not None and role != "ignore":
            found.setdefault(role, []).append(column)
    return found
