"""Scores of muscles in long form: one row per value that somebody gave or measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipelines.errors import DataError, quoted, shortened
from pipelines.harmonization.scores.people import line_numbers
from pipelines.harmonization.scores.scales import MEASURED

LONG_COLUMNS = (
    "study",
    "participant",
    "session",
    "scale",
    "muscle",
    "side",
    "score",
    "source",
    "row",
    "column",
)
SCORE_SIDES = ("left", "right", "mean")
PEOPLE_COLUMNS = ("sex", "age", "diagnosis", "site")
SAMPLE_COLUMNS = ("study", "participant", "session", "patient", "scale", "sides", *PEOPLE_COLUMNS)

_TEXT = [name for name in LONG_COLUMNS if name not in {"score", "row"}]


@dataclass(frozen=True)
class ScoreTable:
    """Scores of any number of studies, on the scales they were given on.

    Attributes
    ----------
    scores : DataFrame
        ``LONG_COLUMNS`` and ``sample`` (the index value of ``samples``), one row per score; a
        missing score has no row. Texts are categorical. ``side`` is ``left``, ``right`` or ``mean``
        (one value for both sides, or of a side that is not known); ``row`` is the line in the file
        ``source`` (the header is line 1) and ``column`` the header there.
    samples : DataFrame
        One row per participant and session, index ``sample``, columns ``SAMPLE_COLUMNS``.
        ``patient`` groups the samples of a person, over studies too if the studies name it
        (otherwise it is study and participant); ``sides`` is ``bilateral``, ``average`` or
        ``unilateral``; ``sex`` is ``M``, ``F`` or missing; ``age`` is in years.
    """

    scores: pd.DataFrame
    samples: pd.DataFrame

    @classmethod
    def from_long(cls, scores: pd.DataFrame, people: pd.DataFrame | None = None) -> "ScoreTable":
        """Build the table from its long form.

        Parameters
        ----------
        scores : DataFrame
            ``LONG_COLUMNS``, valid values (:func:`.read_scores` checks files).
        people : DataFrame, optional
            What is known of the people, see :meth:`with_people`.

        Returns
        -------
        ScoreTable

        Raises
        ------
        DataError
            If there is no score, a sample has scores on two scales, one muscle and side of a sample
            has two scores, or a whole muscle has one beside that of a side.
        """
        if scores.empty:
            raise DataError("There is no score in the table.", "Check that it holds more than n/a.")
        long = scores.loc[:, list(LONG_COLUMNS)].reset_index(drop=True)
        long[_TEXT] = long[_TEXT].astype("category")
        long.insert(0, "sample", pd.Series(_sample_names(long), index=long.index))
        _check_scales(long)
        _check_twice(long)
        _check_whole_beside_sides(long)
        table = cls(long, _samples(long))
        return table if people is None else table.with_people(people)

    @classmethod
    def concat(cls, tables: Sequence["ScoreTable"]) -> "ScoreTable":
        """Put tables of several sources together.

        Parameters
        ----------
        tables : sequence of ScoreTable
            At least one.

        Returns
        -------
        ScoreTable
            Samples in the order of the tables.

        Raises
        ------
        DataError
            If two tables hold the same participant and session of one study.
        """
        if not tables:
            raise DataError("There are no score tables.", "Name at least one study with scores.")
        samples = pd.concat([t.samples for t in tables])
        twice = samples.index[samples.index.duplicated()]
        if len(twice):
            places = [_place(t.scores, twice[0]) for t in tables if twice[0] in t.samples.index]
            raise DataError(
                f"{shortened(twice[0])} has scores in more than one table: {'; '.join(places)}"
                f"{_more(len(twice) - 1, 'sample')}.",
                "Keep one of them, or join them into one table. Different visits need session "
                "labels, different people with the same label a study name each (column study).",
            )
        return cls(_concat_long([t.scores for t in tables]), samples)

    def with_people(self, people: pd.DataFrame) -> "ScoreTable":
        """Fill in what is known of the people.

        Parameters
        ----------
        people : DataFrame
            Columns ``participant`` and, where known, ``study``, ``session``, ``patient`` and any of
            ``PEOPLE_COLUMNS``, as :func:`~.people.read_people` returns it. A
            row without session holds for all sessions of the participant, one without study for
            all studies.

        Returns
        -------
        ScoreTable
            Values already known are kept; rows for other people are ignored. A row with a session
            comes before one without.

        Raises
        ------
        DataError
            If a participant (and session) stands twice.
        """
        samples = self.samples.copy()
        for column in ("study", "session"):
            if column not in people:
                people = people.assign(**{column: ""})
        people = people.fillna({"study": "", "session": ""})
        for by_study in (True, False):
            for by_session in (True, False):
                part = people[
                    (people["study"].astype(str) != "").eq(by_study)
                    & (people["session"].astype(str) != "").eq(by_session)
                ]
                keys = ["study"] * by_study + ["participant"] + ["session"] * by_session
                _fill(samples, part, keys)
        return ScoreTable(self.scores, samples)


def _fill(samples: pd.DataFrame, people: pd.DataFrame, keys: list[str]) -> None:
    """Fill missing values of ``samples`` from the rows of ``people`` with the same keys."""
    if people.empty:
        return
    twice = people.duplicated(keys)
    if twice.any():
        who = ", ".join(f"{k} {v}" for k, v in people.loc[twice, keys].iloc[0].items())
        raise DataError(f"Two rows describe {who}.", "Keep one row per participant (and session).")
    known = people.set_index(keys)
    wanted = (
        pd.MultiIndex.from_frame(samples[keys]) if len(keys) > 1 else pd.Index(samples[keys[0]])
    )
    found = known.reindex(wanted)
    for column in PEOPLE_COLUMNS:
        if column in found:
            values = pd.Series(found[column].to_numpy(), index=samples.index)
            samples[column] = samples[column].where(samples[column].notna(), values)
    if "patient" in found:
        named = pd.Series(found["patient"].to_numpy(), index=samples.index).fillna("")
        takes = (samples["patient"] == _own_patients(samples)) & (named != "")
        samples["patient"] = samples["patient"].where(~takes, named)


def _own_patients(samples: pd.DataFrame) -> "pd.Series[str]":
    """Return the patient of each sample where nothing says who takes part in several studies."""
    return samples["study"] + "/" + samples["participant"]


def _sample_names(long: pd.DataFrame) -> pd.Categorical:
    """Name the sample of each row, doing the text work once per sample and not once per row."""
    keys = ["study", "participant", "session"]
    combination = long.groupby(keys, observed=True, sort=False).ngroup().to_numpy()
    first = np.unique(combination, return_index=True)[1]
    heads = long.loc[first, keys].astype(str)
    session = heads["session"].where(heads["session"] == "", "_ses-" + heads["session"])
    names = heads["study"] + "/sub-" + heads["participant"] + session
    return pd.Categorical.from_codes(combination, categories=pd.Index(names, dtype=object))


def _check_scales(long: pd.DataFrame) -> None:
    per_sample = long.groupby("sample", observed=True, sort=False)["scale"].nunique()
    if (per_sample > 1).any():
        sample = per_sample.index[per_sample > 1][0]
        names = sorted(long.loc[long["sample"] == sample, "scale"].astype(str).unique())
        raise DataError(
            f"{_place(long, sample)}: {shortened(sample)} has scores on several scales: "
            f"{', '.join(names)}.",
            "Give each scale its own table and study or session; one sample has one scale.",
        )


def _check_twice(long: pd.DataFrame) -> None:
    twice = long.duplicated(["sample", "muscle", "side"])
    if twice.any():
        row = long[twice].iloc[0]
        same = (
            (long["sample"] == row["sample"])
            & (long["muscle"] == row["muscle"])
            & (long["side"] == row["side"])
        )
        first = long[same].iloc[0]
        raise DataError(
            f"{row['source']}, row {row['row']}, column {quoted(row['column'])}: {row['muscle']} "
            f"({row['side']}) of {shortened(row['sample'])} already has a score from row "
            f"{first['row']}, column {quoted(first['column'])}"
            f"{_more(int(twice.sum()) - 1, 'score')}.",
            "Keep one row per participant and session, and one column per muscle and side.",
        )


def _check_whole_beside_sides(long: pd.DataFrame) -> None:
    """Refuse a score of a whole muscle beside one of its sides: which is meant, nobody can tell."""
    whole = long["side"] == "mean"
    if whole.all() or not whole.any():
        return
    keys = ["sample", "muscle"]
    sides = long.loc[~whole, keys].drop_duplicates()
    both = long[whole].merge(sides, on=keys)
    if both.empty:
        return
    row = both.iloc[0]
    same = (long["sample"] == row["sample"]) & (long["muscle"] == row["muscle"])
    side = long[same & ~whole].iloc[0]
    raise DataError(
        f"{row['source']}, row {row['row']}, column {quoted(row['column'])}: {row['muscle']} of "
        f"{shortened(row['sample'])} has a score of the whole muscle beside one of its "
        f"{side['side']} side (column {quoted(side['column'])}){_more(len(both) - 1, 'score')}.",
        "Keep either the sides or the whole muscle; of one scored on one side, that side.",
    )


def _samples(long: pd.DataFrame) -> pd.DataFrame:
    first = long.drop_duplicates("sample")
    samples = first[["study", "participant", "session", "scale"]].astype(str).astype(object)
    samples.index = pd.Index(first["sample"].astype(str).astype(object), name="sample")
    samples["patient"] = _own_patients(samples)
    samples["sides"] = _sides(long)
    for column, missing in (("sex", None), ("age", np.nan), ("diagnosis", None), ("site", None)):
        samples[column] = pd.Series(
            missing, index=samples.index, dtype="float64" if column == "age" else object
        )
    return samples[list(SAMPLE_COLUMNS)]


def _sides(long: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Say for each sample whether sides were scored apart (any left and any right score)."""
    codes = long["sample"].cat.codes.to_numpy()
    n = len(long["sample"].cat.categories)
    position = pd.Index(SCORE_SIDES).get_indexer(long["side"].cat.categories)
    side = position[long["side"].cat.codes.to_numpy()]
    left, right, mean = (np.bincount(codes[side == s], minlength=n) > 0 for s in range(3))
    return np.select(
        [left & right, mean], np.array(["bilateral", "average"], dtype=object), "unilateral"
    )


def _concat_long(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate and keep texts categorical, so that memory stays a few bytes per value."""
    columns: Mapping[str, Any] = {
        str(name): (
            pd.api.types.union_categoricals([t[name] for t in tables])
            if isinstance(tables[0][name].dtype, pd.CategoricalDtype)
            else np.concatenate([t[name].to_numpy() for t in tables])
        )
        for name in tables[0]
    }
    return pd.DataFrame(columns)


def _place(long: pd.DataFrame, sample: str) -> str:
    """Say where the first score of a sample stands."""
    first = long[long["sample"] == sample].iloc[0]
    return f"{first['source']}, row {first['row']}"


def _more(count: int, what: str) -> str:
    """Say that there are more cases than the one a message names."""
    return "" if count <= 0 else f" (and {count} more {what}{'s' * (count > 1)})"


def scores_of_muscle_table(table: pd.DataFrame, *, study: str, source: str) -> ScoreTable:
    """Take the mean fat fractions of our per-muscle tables as scores on scale FF.

    Parameters
    ----------
    table : DataFrame
        Rows of :class:`pipelines.quantification.table.MuscleMeasurements` with the columns
        ``participant`` and ``session`` (labels without prefix; ``session`` may be absent), and
        optionally ``source`` and ``row`` (file and line each row comes from).
    study : str
        Name of the study.
    source : str
        Name of the table, for rows that name none.

    Returns
    -------
    ScoreTable
        Groups of muscles are left out, for their muscles are there.

    Raises
    ------
    DataError
        If the table holds no fat fraction of any muscle.
    """
    level = table["level"].to_numpy(dtype=object) == "muscle"
    score = table["ff_mean"].to_numpy(dtype=np.float64, na_value=np.nan)
    kept = table.assign(line=line_numbers(table), score=score)[level & ~np.isnan(score)]
    long = pd.DataFrame(
        {
            "study": study,
            "participant": kept["participant"].astype(str),
            "session": kept["session"].fillna("").astype(str) if "session" in kept else "",
            "scale": MEASURED,
            "muscle": kept["muscle"].astype(str),
            "side": kept["side"].astype(str),
            "score": kept["score"],
            "source": kept["source"].astype(str) if "source" in kept else source,
            "row": kept["row"] if "row" in kept else kept["line"],
            "column": "ff_mean",
        }
    )
    if long.empty:
        raise DataError(
            f"{source} holds no fat fraction of any muscle.", "Check the participant level."
        )
    return ScoreTable.from_long(long)
