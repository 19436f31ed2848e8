"""Scores of the feature muscles as an array, still on the scale they were given on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Float64, Int64
from pipelines.errors import DataError
from pipelines.harmonization.scores.regrouping import Regrouping, default_regrouping
from pipelines.harmonization.scores.score_table import SCORE_SIDES, ScoreTable


@dataclass(frozen=True)
class NativeScores:
    """Scores of the feature muscles after merging and expanding.

    Attributes
    ----------
    samples : DataFrame
        One row per sample, as in :class:`.ScoreTable`.
    muscles : tuple of str
        The m feature muscles.
    values : ndarray of float64, shape (n, m, 3)
        Scores on the scale of the sample; last axis left, right, mean. NaN is missing.
    """

    samples: pd.DataFrame
    muscles: tuple[str, ...]
    values: Float64

    def __post_init__(self) -> None:
        expected = (len(self.samples), len(self.muscles), len(SCORE_SIDES))
        if self.values.shape != expected:
            raise DataError(
                f"Scores have shape {self.values.shape}, but samples, muscles and sides are "
                f"{expected}."
            )

    def subset(self, rows: npt.ArrayLike) -> "NativeScores":
        """Return the samples at these positions (integers, or one boolean per sample)."""
        index = np.asarray(rows)
        return NativeScores(self.samples.iloc[index], self.muscles, self.values[index])

    def select(self, muscles: tuple[str, ...]) -> "NativeScores":
        """Return these muscles in this order.

        Raises
        ------
        DataError
            If there is no column for one of them.
        """
        lacking = [name for name in muscles if name not in self.muscles]
        if lacking:
            raise DataError(
                f"The scores have no column for {', '.join(lacking)}.",
                "Use the features.tsv with which the harmonization was fitted; a muscle that was "
                "not scored needs its column, filled with missing values.",
            )
        if muscles == self.muscles:
            return self
        columns = [self.muscles.index(name) for name in muscles]
        return NativeScores(self.samples, muscles, self.values[:, columns])


def to_native(table: ScoreTable, regrouping: Regrouping | None = None) -> NativeScores:
    """Merge and expand muscle scores into the feature muscles.

    Parameters
    ----------
    table : ScoreTable
        Scores on any scales.
    regrouping : Regrouping, optional
        Features and rules; those of the package if not given.

    Returns
    -------
    NativeScores
        A sample without a score of any feature muscle keeps its row, all NaN.

    Notes
    -----
    Each side is regrouped on its own, as in Verdu-Diaz et al. 2025, section 2.2: a score of the
    feature itself wins, then the mean of its parts that were scored, then the score of a group.
    """
    rules = regrouping or default_regrouping()
    routes = score_routes(table, rules)
    shape = (len(table.samples), len(rules.features), len(SCORE_SIDES))
    score = table.scores["score"].to_numpy(dtype=np.float64)
    values = np.full(shape, np.nan)
    flat = values.reshape(-1)
    for level in sorted(set(routes["level"].tolist()), reverse=True):  # lower levels overwrite
        at_level = routes["level"] == level
        cell = routes["cell"][at_level]
        count = np.bincount(cell, minlength=flat.size)
        total = np.bincount(cell, weights=score[routes["row"][at_level]], minlength=flat.size)
        scored = count > 0
        flat[scored] = total[scored] / count[scored]
    return NativeScores(table.samples, rules.features, values)


def score_routes(table: ScoreTable, regrouping: Regrouping) -> dict[str, Int64]:
    """Say which score goes to which cell of the (sample, muscle, side) array, at which level.

    Parameters
    ----------
    table : ScoreTable
        Scores on any scales.
    regrouping : Regrouping
        Features and rules.

    Returns
    -------
    dict of ndarray of int
        ``row`` (position in ``table.scores``), ``cell`` (flat index into (n, m, 3)) and ``level``
        (:class:`.Regrouping`), one entry per score and feature it serves. Scores of muscles that
        serve no feature have none.
    """
    scores = table.scores
    n_features, n_sides = len(regrouping.features), len(SCORE_SIDES)
    position = {name: i for i, name in enumerate(regrouping.features)}
    served = [regrouping.targets.get(str(name), ()) for name in scores["muscle"].cat.categories]
    count = np.array([len(s) for s in served], dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(count)[:-1]]) if len(count) else count
    feature = np.array([position[name] for s in served for name, _ in s], dtype=np.int64)
    level = np.array([step for s in served for _, step in s], dtype=np.int64)

    muscle = scores["muscle"].cat.codes.to_numpy().astype(np.int64)
    repeats = count[muscle]
    row = np.repeat(np.arange(len(scores)), repeats)
    within = np.arange(len(row)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    target = first[muscle[row]] + within
    sample = _positions(scores["sample"], table.samples.index)[row]
    side = _positions(scores["side"], pd.Index(SCORE_SIDES))[row]
    cell = (sample * n_features + feature[target]) * n_sides + side
    return {"row": row, "cell": cell, "level": level[target]}


def _positions(column: "pd.Series[Any]", index: "pd.Index[Any]") -> Int64:
    """Return the position of each categorical value in an index, looking up categories only."""
    lookup = index.get_indexer(column.cat.categories).astype(np.int64)
    return lookup[column.cat.codes.to_numpy()]
