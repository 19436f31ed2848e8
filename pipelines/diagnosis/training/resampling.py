"""Give rare diseases their weight: oversampling with SMOTE-NC, or class weights.

SMOTE-NC (Chawla et al. 2002, J Artif Intell Res 16:321) with the rules and the random stream of
imbalanced-learn's ``SMOTENC``, to which tests compare it row by row. Written anew because a search
oversamples the same rows hundreds of times: here the neighbours are found once.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np

from pipelines.arrays import Float32, Index
from pipelines.harmonization.scores.native import NativeScores

# Fewer scored muscles than this leave no relative score.
_MINIMUM_MUSCLES = 2


logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _ClassRows:
    """Rows of one class and, for each, its nearest others within the class, nearest first."""

    label: int
    rows: Index
    nearest: Index


class Oversampler:
    """SMOTE-NC of prepared rows (n, p) without NaN, from at most so many `neighbours`."""

    def __init__(
        self, features: Float32, y: Index, categorical: tuple[int, ...], neighbours: int
    ) -> None:
        self._features = features
        self._y = y
        self._categorical = categorical
        self._classes = [
            _ClassRows(int(k), rows, _nearest_rows(features[rows], categorical, neighbours))
            for k in np.unique(y)
            for rows in [np.flatnonzero(y == k)]
        ]
        for part in self._classes:
            if len(part.rows) <= neighbours:
                logger.info(
                    "class %d has %d training samples: oversampled from at most %d neighbours",
                    part.label, len(part.rows), len(part.rows) - 1,
                )  # fmt: skip

    def sample(self, factor: float, neighbours: int, seed: int) -> tuple[Float32, Index]:
        """Return the rows given, then new ones by class until all have one size, and their labels.

        `factor` is that size in sizes of the largest class, at least 1 (paper, section 2.4). A new
        sample leans towards one of the `neighbours` nearest of its class; fewer where the class is
        smaller, and copies where it has one sample.
        """
        size = round(factor * max(len(part.rows) for part in self._classes))
        features, labels = [self._features], [self._y]
        for part in self._classes:
            missing = size - len(part.rows)
            features.append(self._new_rows(part, missing, neighbours, seed))
            labels.append(np.full(missing, part.label, self._y.dtype))
        return np.concatenate(features), np.concatenate(labels)

    def _new_rows(self, part: _ClassRows, count: int, neighbours: int, seed: int) -> Float32:
        """Return new samples between samples of a class and their neighbours."""
        own = self._features[part.rows]
        nearest = part.nearest[:, :neighbours]
        # As imbalanced-learn: the same seed for every class, and again for the categories.
        random = np.random.RandomState(seed)
        if not nearest.size:
            return own[np.zeros(count, np.intp)]
        picks = random.randint(0, nearest.size, count)
        steps = random.uniform(size=count)[:, np.newaxis]
        base, other = np.divmod(picks, nearest.shape[1])
        new: Float32 = (own[base] + steps * (own[nearest[base, other]] - own[base])).astype(
            np.float32
        )
        random = np.random.RandomState(seed)
        for column in self._categorical:
            categories = np.unique(self._features[:, column])
            around = own[nearest[base], column]
            new[:, column] = _most_frequent(around, categories, random)
        return new


def class_weights(y: Index) -> Float32:
    """Return a weight for every sample so that all classes weigh the same; their mean is 1."""
    counts = np.bincount(y)
    return (len(y) / (np.count_nonzero(counts) * counts[y])).astype(np.float32)


def _nearest_rows(features: Float32, categorical: tuple[int, ...], neighbours: int) -> Index:
    """Return the nearest other rows of every row, nearest first, at most `neighbours`.

    Two different categories are the median standard deviation of the continuous features apart.
    """
    continuous = np.delete(features, categorical, axis=1).astype(np.float64)
    norms = (continuous * continuous).sum(axis=1)
    squares = norms[:, np.newaxis] + norms - 2.0 * (continuous @ continuous.T)
    step = np.median(continuous.std(axis=0)) if continuous.size else 1.0
    for column in categorical:
        differs = features[:, column][:, np.newaxis] != features[:, column]
        squares += differs * step**2
    np.fill_diagonal(squares, np.inf)
    order = np.argsort(squares.astype(np.float32), axis=1, kind="stable")
    return order[:, : min(neighbours, len(features) - 1)]


def _most_frequent(
    around: Float32,
    categories: Float32,
    random: np.random.RandomState,
) -> Float32:
    """Return the category most neighbours of each new sample have; ties are drawn."""
    votes = (around[:, :, np.newaxis] == categories).sum(axis=1)
    winners = random.permutation(np.argwhere(votes == votes.max(axis=1, keepdims=True)))
    _, first = np.unique(winners[:, 0], return_index=True)
    chosen: Float32 = categories[winners[first, 1]]
    return chosen


def mask_blocks(native: NativeScores, share: float, seed: int) -> NativeScores:
    """Hide in a share (0-1) of samples the muscles that another, randomly chosen one lacks.

    A sample that would keep fewer than two muscles stays as it was.
    """
    random = np.random.default_rng(seed)
    count = len(native.values)
    donors = random.integers(count, size=count)
    scored = np.asarray((~np.isnan(native.values)).any(axis=2))
    kept = scored & scored[donors]
    enough = kept.sum(axis=1, keepdims=True) >= _MINIMUM_MUSCLES
    chosen = np.asarray(random.random((count, 1)) < share) & enough
    values = native.values.copy()
    values[chosen & ~kept] = np.nan
    return replace(native, values=values)
