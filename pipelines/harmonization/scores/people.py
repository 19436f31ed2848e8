"""Sex, age, diagnosis, site and study of people, from participants, sessions or score tables."""

import re
from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd

from pipelines.arrays import Float64, Int64, Objects
from pipelines.errors import DataError, quoted, shortened
from pipelines.harmonization.scores.cells import MISSING_ELSEWHERE
from pipelines.package_data import package_rows
from pipelines.text_table import LINE, MISSING

SEX_WORDS: Mapping[str, str | None] = {
    "m": "M",
    "male": "M",
    "f": "F",
    "female": "F",
    "o": None,
    "other": None,
    MISSING: None,
}
"""BIDS words for sex; the diagnosis knows male and female, anything else is missing to it."""
OLDEST = 120.0
_CAPPED_AGE = re.compile(r"(\d+)\+")  # BIDS: ages above 89 may be given as 89+


@cache
def _column_roles() -> Mapping[str, str]:
    """Return what columns other than muscles mean, by lower-case name (``column_roles.tsv``)."""
    return {row["column"]: row["role"] for row in package_rows(__package__, "column_roles.tsv")}


def column_role(column: str) -> str | None:
    """Return what a column other than a muscle means; None for a name that is not listed."""
    return _column_roles().get(re.sub(r"\W+", "_", column.strip().lower()))


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
        If there is no column of participants, or two columns have one role.
    """
    found: dict[str, str] = {}
    for column in map(str, table.columns):
        role = column_role(column)
        if role is None or role == "ignore":
            continue
        if role in found:
            raise DataError(
                f"{source}: columns {quoted(found[role])} and {quoted(column)} both give the "
                f"{role}.",
                "Keep one of them.",
            )
        found[role] = column
    if "participant" not in found:
        raise DataError(
            f"{source} has no column participant_id.", "Every row needs the participant's label."
        )
    return found


def read_people(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Read what is known of people.

    Parameters
    ----------
    table : DataFrame of str
        Columns named as in ``column_roles.tsv``; others are left aside. ``n/a`` is missing.
    source : str
        Name of the file, for messages.

    Returns
    -------
    DataFrame
        Columns ``participant`` (without ``sub-``), ``session`` (without ``ses-``, empty for none),
        ``study`` (empty if not given), ``patient`` (empty if not given; the same for one person in
        several studies), ``sex`` (``M``, ``F``, NaN), ``age`` (years), ``diagnosis`` and ``site``.

    Raises
    ------
    DataError
        If there is no participant column, a label is missing or cannot be printed, somebody is
        described twice, an age is no number from 0 to 120, a sex is none of the words of BIDS, or
        a diagnosis or site is a word such as ``NaN`` that other programs write for n/a.
    """
    roles = columns_by_role(table, source)
    lines = line_numbers(table)
    people = pd.DataFrame(
        {
            "participant": read_labels(table, roles["participant"], "sub-", source),
            "session": read_labels(table, roles.get("session"), "ses-", source),
            "study": read_labels(table, roles.get("study"), "", source),
            "patient": read_labels(table, roles.get("patient"), "", source),
            "sex": _sexes(table, roles.get("sex"), source, lines),
            "age": _ages(table, roles.get("age"), source, lines),
            "diagnosis": _texts(table, roles.get("diagnosis"), source, lines),
            "site": _texts(table, roles.get("site"), source, lines),
        }
    )
    _check_twice(people, source, lines)
    return people


def _check_twice(people: pd.DataFrame, source: str, lines: Int64) -> None:
    keys = ["study", "participant", "session"]
    twice = people.duplicated(keys).to_numpy()
    if twice.any():
        row = int(np.argmax(twice))
        first = int(np.argmax((people[keys] == people[keys].iloc[row]).all(axis=1)))
        raise DataError(
            f"{source}, row {lines[row]}: participant "
            f"{shortened(people['participant'].iloc[row])} is already "
            f"described in row {lines[first]}.",
            "Keep one row per participant (and session).",
        )


def line_numbers(table: pd.DataFrame) -> Int64:
    """Return the line of each row in its file; the header is line 1."""
    if table.index.name == LINE:
        return table.index.to_numpy(dtype=np.int64)
    return np.arange(2, len(table) + 2)


def read_labels(table: pd.DataFrame, column: str | None, prefix: str, source: str) -> Objects:
    """Read labels of participants, sessions or studies, without the BIDS prefix."""
    if column is None:
        return np.full(len(table), "", dtype=object)
    labels = table[column].astype(object).map(lambda text: str(text).strip().removeprefix(prefix))
    labels = labels.where(labels != MISSING, "")
    odd = (~labels.map(str.isprintable)).to_numpy(dtype=bool)
    if odd.any():
        raise DataError(
            f"{source}, row {line_numbers(table)[odd][0]}, column {quoted(column)}: "
            f"{quoted(labels[odd].iloc[0])} cannot be a label.",
            "Use letters and digits.",
        )
    empty = (labels == "").to_numpy(dtype=bool)
    if prefix == "sub-" and empty.any():
        raise DataError(
            f"{source}, row {line_numbers(table)[empty][0]}, column {quoted(column)}: "
            "no participant.",
            "Give every row the label of its participant.",
        )
    return labels.to_numpy(dtype=object)


def _texts(table: pd.DataFrame, column: str | None, source: str, lines: Int64) -> Objects:
    if column is None:
        return np.full(len(table), np.nan, dtype=object)
    texts = table[column].astype(object).map(lambda text: str(text).strip())
    wrong = ((texts != "") & texts.str.lower().isin(MISSING_ELSEWHERE)).to_numpy(dtype=bool)
    if wrong.any():
        raise DataError(
            f"{source}, row {lines[wrong][0]}, column {quoted(column)}: "
            f"{quoted(texts[wrong].iloc[0])} is no {column_role(column)}.",
            f"Write {MISSING} where it is not known.",
        )
    return texts.where(~texts.isin([MISSING, ""]), np.nan).to_numpy(dtype=object)


def _sexes(table: pd.DataFrame, column: str | None, source: str, lines: Int64) -> Objects:
    if column is None:
        return np.full(len(table), np.nan, dtype=object)
    words = table[column].astype(object).map(lambda text: str(text).strip().lower())
    unknown = ~words.isin(list(SEX_WORDS)).to_numpy(dtype=bool)
    if unknown.any():
        raise DataError(
            f"{source}, row {lines[unknown][0]}, column {quoted(column)}: "
            f"{quoted(table[column].iloc[int(np.argmax(unknown))])} is no sex.",
            f"Write M, F, O (other) or {MISSING}.",
        )
    found = words.map(SEX_WORDS)
    return found.where(found.notna(), np.nan).to_numpy(dtype=object)


def _ages(table: pd.DataFrame, column: str | None, source: str, lines: Int64) -> Float64:
    if column is None:
        return np.full(len(table), np.nan)
    texts = table[column].astype(object).map(lambda text: str(text).strip())
    missing = (texts == MISSING).to_numpy(dtype=bool)
    plain = texts.str.replace(_CAPPED_AGE, r"\1", regex=True)
    ages = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~missing & ~((ages >= 0) & (ages <= OLDEST))
    if wrong.any():
        raise DataError(
            f"{source}, row {lines[wrong][0]}, column {quoted(column)}: "
            f"{quoted(table[column].iloc[int(np.argmax(wrong))])} is no age in years "
            f"(0 to {OLDEST:g}).",
            f"Write years with a decimal point, or {MISSING}.",
        )
    return ages
