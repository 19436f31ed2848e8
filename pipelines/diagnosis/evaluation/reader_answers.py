"""Readers' ranked diagnoses: the tables people write, checked and in one form."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Int64
from pipelines.errors import DataError, quoted, shortened
from pipelines.harmonization.scores.people import line_numbers

# Columns that say which case an answer is about; those that the table has are used.
CASE_COLUMNS = ("study", "participant", "session")
_RANK_PREFIX = "rank"
# Word for a diagnosis that the model does not know: a wrong answer.
_OTHER = "other"
# Numbers in the answers array for "no answer" and for a diagnosis outside the model.
NO_ANSWER, OTHER = -1, -2


@dataclass(frozen=True)
class ReaderAnswers:
    """Ranked answers of readers.

    Attributes
    ----------
    cases : DataFrame, one row per reader and case
        ``reader`` and the case columns of the table.
    answers : ndarray of int64, shape (rows, ranks)
        Class numbers in order of preference; ``NO_ANSWER`` where the reader gave none, ``OTHER``
        for a diagnosis outside the model.
    """

    cases: pd.DataFrame
    answers: Int64

    @property
    def case_columns(self) -> list[str]:
        """Columns that identify a case."""
        return [name for name in CASE_COLUMNS if name in self.cases]


def read_answers(
    table: pd.DataFrame, classes: Sequence[str], *, other_diagnoses: Collection[str] = ()
) -> ReaderAnswers:
    """Check a table of readers' ranked answers.

    Parameters
    ----------
    table : DataFrame
        ``reader``, ``participant`` and if needed ``study`` and ``session``; either ``rank1``,
        ``rank2``, ... with a diagnosis each (wide), or ``rank`` and ``diagnosis`` (long). Empty
        cells are missing answers. A case that a reader has no row for was not read.
    classes : sequence of str
        Diagnoses of the model.
    other_diagnoses : collection of str
        Diagnoses outside the model that readers may name beside the word ``other``; they are wrong
        answers.

    Raises
    ------
    DataError
        If columns are missing, there is no row, a diagnosis is unknown, or a reader answers a case
        twice or names a diagnosis twice for it.
    """
    if "reader" not in table or "participant" not in table:
        raise DataError(
            f"the table of readers has columns {', '.join(map(shortened, table.columns))}; "
            "reader and participant are needed"
        )
    if table.empty:
        raise DataError("the table of readers holds no answer", "Give one row per reader and case.")
    wide = _widen(table) if "rank" in table else table.reset_index(drop=True)
    ranks = _rank_columns(wide)
    keys = ["reader", *(name for name in CASE_COLUMNS if name in wide)]
    cases = wide[keys].astype("object").astype(str)
    repeated = cases.duplicated()
    if repeated.any():
        raise DataError(f"{_case(cases, int(np.argmax(repeated)))} is there more than once")
    named = wide[ranks].astype("object")
    text = named.where(named.notna(), "").astype(str).apply(lambda column: column.str.strip())
    numbers = {name: k for k, name in enumerate(classes)} | {"": NO_ANSWER, "n/a": NO_ANSWER}
    numbers |= {name: OTHER for name in (_OTHER, *other_diagnoses) if name not in numbers}
    for column in ranks:
        unknown = ~text[column].isin(list(numbers))
        if unknown.any():
            row = int(np.argmax(unknown))
            raise DataError(
                f"{_case(cases, row)}: {column} is {quoted(text[column].iloc[row])}, "
                "which is no diagnosis of the model",
                f"Diagnoses of the model: {', '.join(classes)}. Write {_OTHER} for any other.",
            )
    answers = np.column_stack([text[column].map(numbers) for column in ranks]).astype(np.int64)
    _check_no_repetition(answers, cases, classes)
    return ReaderAnswers(cases, answers)


def _rank_columns(wide: pd.DataFrame) -> list[str]:
    found = [c for c in map(str, wide.columns) if c.removeprefix(_RANK_PREFIX).isdigit()]
    ranks = sorted(
        (c for c in found if c.startswith(_RANK_PREFIX)),
        key=lambda c: int(c.removeprefix(_RANK_PREFIX)),
    )
    expected = [f"{_RANK_PREFIX}{i + 1}" for i in range(len(ranks))]
    if not ranks or ranks != expected:
        raise DataError(
            f"the table of readers has rank columns {', '.join(ranks) or 'none'}; "
            "rank1, rank2, ... without a gap, or rank and diagnosis, are needed"
        )
    return ranks


def _widen(table: pd.DataFrame) -> pd.DataFrame:
    if "diagnosis" not in table:
        raise DataError("the table of readers has a column rank but no column diagnosis")
    number = pd.to_numeric(table["rank"], errors="coerce")
    wrong = ~(number >= 1) | (number % 1 != 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"rank is {quoted(table['rank'].iloc[row])} in row {line_numbers(table)[row]}; "
            "1, 2, ... are needed"
        )
    keys = ["reader", *(name for name in CASE_COLUMNS if name in table)]
    long = table[keys].astype("object").astype(str)
    long = long.assign(rank=number.astype(int), diagnosis=table["diagnosis"])
    repeated = long.duplicated([*keys, "rank"])
    if repeated.any():
        row = int(np.argmax(repeated))
        raise DataError(f"{_case(long[keys], row)} has rank {long['rank'].iloc[row]} twice")
    wide = long.set_index([*keys, "rank"])["diagnosis"].unstack("rank")
    wide = wide.reindex(columns=range(1, int(number.max()) + 1))
    wide.columns = pd.Index([f"{_RANK_PREFIX}{rank}" for rank in wide.columns])
    return wide.reset_index()


def _check_no_repetition(answers: Int64, cases: pd.DataFrame, classes: Sequence[str]) -> None:
    for row, own in enumerate(answers):
        given = own[own >= 0]
        values, n = np.unique(given, return_counts=True)
        if (n > 1).any():
            raise DataError(
                f"{_case(cases, row)} names {classes[values[n > 1][0]]} at more than one rank"
            )


def _case(cases: pd.DataFrame, row: int) -> str:
    return ", ".join(f"{name} {shortened(value)}" for name, value in cases.iloc[row].items())
