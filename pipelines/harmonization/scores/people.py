"""Sex, age, diagnosis, site and study of people, from participants, sessions or score tables."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.arrays import Float64, Int64, Objects
from pipelines.errors import DataError, quoted, shortened
from pipelines.harmonization.scores.cells import MISSING_ELSEWHERE
from pipelines.harmonization.scores.column_roles import column_role, columns_by_role
from pipelines.harmonization.scores.described import (
    Described,
    column_place,
    levels_of,
    unit_from_text,
    unit_text,
    units_of,
)
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
_LEVEL_WORDS: Mapping[str, str | None] = {
    **SEX_WORDS,
    "man": "M",
    "men": "M",
    "woman": "F",
    "women": "F",
    "unknown": None,
    "diverse": None,
    "intersex": None,
}
"""Words that tell what a coded sex means."""
OLDEST = 120.0
_CAPPED_AGE = re.compile(r"(\d+)\+")  # BIDS: ages above 89 may be given as 89+


def read_people(
    table: pd.DataFrame, source: str, described: Described | None = None
) -> pd.DataFrame:
    """Read what is known of people.

    Parameters
    ----------
    table : DataFrame of str
        Columns named as in ``column_roles.tsv``; others are left aside. ``n/a`` is missing.
    source : str
        Name of the file, for messages.
    described : mapping of str to Any, optional
        Content of the JSON file beside the table: ``Units`` of the age (years if not given),
        ``Levels`` of a coded sex, and of diagnoses and sites that are numbers.

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
        described twice, an age is no number from 0 to 120 years, its unit is not known, a sex is
        none of the words of BIDS and no level, or a diagnosis or site is a word such as ``NaN``
        that other programs write for n/a.
    """
    roles = columns_by_role(table, source)
    lines = line_numbers(table)
    about = described or {}
    people = pd.DataFrame(
        {
            "participant": read_labels(table, roles["participant"], "sub-", source),
            "session": read_labels(table, roles.get("session"), "ses-", source),
            "study": read_labels(table, roles.get("study"), "", source),
            "patient": read_labels(table, roles.get("patient"), "", source),
            "sex": _sexes(table, roles.get("sex"), about, source, lines),
            "age": _ages(table, roles.get("age"), about, source, lines),
            "diagnosis": _texts(table, roles.get("diagnosis"), about, source, lines),
            "site": _texts(table, roles.get("site"), about, source, lines),
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


def _texts(
    table: pd.DataFrame, column: str | None, described: Described, source: str, lines: Int64
) -> Objects:
    """Read diagnoses or sites; a number is replaced by what ``Levels`` says it stands for."""
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
    levels = {code: text for code, text in levels_of(described, column).items() if is_code(code)}
    named = texts.map(lambda text: levels.get(text) or text)
    return named.where(~named.isin([MISSING, ""]), np.nan).to_numpy(dtype=object)


def is_code(text: str) -> bool:
    """Return whether a diagnosis or site is a number, which means something in its table only."""
    return text.strip().isdecimal()


def _sexes(
    table: pd.DataFrame, column: str | None, described: Described, source: str, lines: Int64
) -> Objects:
    if column is None:
        return np.full(len(table), np.nan, dtype=object)
    known = {**SEX_WORDS, **_sex_levels(described, column, source)}
    words = table[column].astype(object).map(lambda text: str(text).strip().lower())
    unknown = ~words.isin(list(known)).to_numpy(dtype=bool)
    if unknown.any():
        raise DataError(
            f"{source}, row {lines[unknown][0]}, column {quoted(column)}: "
            f"{quoted(table[column].iloc[int(np.argmax(unknown))])} is no sex.",
            f"Write M, F, O (other) or {MISSING}, or say in the JSON file beside the table what "
            'each code means: {"sex": {"Levels": {"1": "male", "2": "female"}}}.',
        )
    found = words.map(known)
    return found.where(found.notna(), np.nan).to_numpy(dtype=object)


def _sex_levels(described: Described, column: str, source: str) -> dict[str, str | None]:
    """Return what the codes of a column of sexes mean."""
    meanings: dict[str, str | None] = {}
    for code, text in levels_of(described, column).items():
        words = set(re.findall(r"n/a|[a-z]+", text.lower())) & _LEVEL_WORDS.keys()
        said = {_LEVEL_WORDS[word] for word in words}
        own = code.strip().lower()
        if own in SEX_WORDS and not said:  # the code is a word of BIDS, its description foreign
            continue
        if len(said) != 1 or said != {SEX_WORDS.get(own, *said)}:
            raise DataError(
                f"{column_place(source, column)}: Levels say that {quoted(code)} means "
                f"{quoted(text)}, which is not one of male, female and other"
                f"{f', or not what {code!r} means elsewhere' if own in SEX_WORDS else ''}.",
                f"Describe each code as male, female, other or {MISSING}.",
            )
        meanings[own] = said.pop()
    return meanings


def _ages(
    table: pd.DataFrame, column: str | None, described: Described, source: str, lines: Int64
) -> Float64:
    """Read ages in years from the unit that the JSON file names."""
    if column is None:
        return np.full(len(table), np.nan)
    text = unit_text(described, column, source)
    place = column_place(source, column)
    unit = units_of("age")["years"] if text is None else unit_from_text(text, "age", place)
    texts = table[column].astype(object).map(lambda text: str(text).strip())
    missing = (texts == MISSING).to_numpy(dtype=bool)
    plain = texts.str.replace(_CAPPED_AGE, r"\1", regex=True)
    ages = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64) * unit.size
    wrong = ~missing & ~((ages >= 0) & (ages <= OLDEST))
    if wrong.any():
        raise DataError(
            f"{source}, row {lines[wrong][0]}, column {quoted(column)}: "
            f"{quoted(table[column].iloc[int(np.argmax(wrong))])} is no age in {unit.name} "
            f"(0 to {OLDEST / unit.size:g}).",
            f"Write {unit.name} with a decimal point, or {MISSING}; another unit is declared in "
            'the JSON file beside the table: {"age": {"Units": "months"}}.',
        )
    return ages
