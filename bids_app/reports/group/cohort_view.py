"""Who is in the cohort: one row per study, and how many samples of each kind there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bids_app.reports.charts import Bar, bars

if TYPE_CHECKING:
    import pandas as pd

# Studies listed one by one; of more, the rest are one row.
_MOST_STUDIES = 12

_UNKNOWN = "not known"


@dataclass(frozen=True)
class StudyRow:
    """A study, or the rest of many, in words for a person."""

    name: str
    origin: str  # phrase if its data are not of people
    samples: int
    patients: int
    scales: str
    sides: str
    sexes: str
    ages: str


@dataclass(frozen=True)
class CohortView:
    """What the page says about the cohort; the last of several rows is all studies together."""

    samples: int
    patients: int
    studies: int
    rows: Sequence[StudyRow]
    diagnoses: Sequence[Bar]
    scales: Sequence[Bar]


def cohort_view(
    samples: "pd.DataFrame", origins: Mapping[str, str], side_words: Mapping[str, str]
) -> CohortView:
    """Count the samples of ``group_scores``, with words for origins of studies and for sides."""
    patients = samples["study"].astype(str) + "/" + samples["participant"].astype(str)
    frame = samples.assign(patient=patients)
    by_size = list(frame["study"].value_counts().index)
    listed = by_size if len(by_size) <= _MOST_STUDIES else by_size[: _MOST_STUDIES - 1]
    rows = [
        _row(str(study), origins.get(str(study), ""), frame[frame["study"] == study], side_words)
        for study in listed
    ]
    rest = by_size[len(listed) :]
    if rest:
        part = frame[frame["study"].isin(rest)]
        words = "; ".join(sorted({origins.get(str(study), "") for study in rest} - {""}))
        rows.append(_row(f"{len(rest)} more studies", words, part, side_words))
    if len(by_size) > 1:
        rows.append(_row("All", "", frame, side_words))
    return CohortView(
        len(frame),
        frame["patient"].nunique(),
        len(by_size),
        rows,
        _count_bars(frame["diagnosis"]),
        _count_bars(frame["scale"]),
    )


def _row(name: str, origin: str, part: "pd.DataFrame", side_words: Mapping[str, str]) -> StudyRow:
    return StudyRow(
        name,
        origin,
        len(part),
        part["patient"].nunique(),
        _counts(part["scale"], {}),
        _counts(part["sides"], side_words),
        _counts(part["sex"].astype(object).fillna(_UNKNOWN), {}),
        _ages(part["age"]),
    )


def _counts(values: "pd.Series[str]", words: Mapping[str, str]) -> str:
    """List values with their counts; without counts if there is one only."""
    counts = values.value_counts()
    if len(counts) == 1:
        return words.get(str(counts.index[0]), str(counts.index[0]))
    return ", ".join(f"{words.get(str(value), value)} {n}" for value, n in counts.items())


def _ages(ages: "pd.Series[float]") -> str:
    known = ages.dropna()
    if known.empty:
        return _UNKNOWN
    text = f"{known.mean():.0f} ({known.min():.0f}–{known.max():.0f})"
    missing = len(ages) - len(known)
    return f"{text}, {missing} {_UNKNOWN}" if missing else text


def _count_bars(values: "pd.Series[str]") -> list[Bar]:
    counts = values.astype(object).fillna(_UNKNOWN).value_counts()
    return bars({str(value): float(n) for value, n in counts.items()})
