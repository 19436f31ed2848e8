"""Area under the ROC curve of a leak, overall and within disease, with its uncertainty."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESAMPLES = 200
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Auc:
    """An area under the curve with its 95 % interval, and the samples it rests on."""

    value: float
    lower: float
    upper: float
    n: int


def class_auc(
    classes: IntArray,
    scores: FloatArray,
    groups: IntArray,
    seed: int,
    strata: IntArray | None = None,
) -> Auc | None:
    """Average the one-against-rest areas of all classes.

    Parameters
    ----------
    classes : ndarray of int, shape (n,)
        True class, 0..K-1.
    scores : ndarray of float64, shape (n, K)
        Score of each class; comparable within a column only.
    groups : ndarray of int, shape (n,)
        Patients 0..; the interval resamples patients and not samples.
    seed : int
        Seed of the resampling.
    strata : ndarray of int, shape (n,), optional
        Diseases: samples are compared within a stratum only, and areas are averaged with weight
        ``n1 n0 / (n1 + n0)``. Without strata classes have equal weight.

    Returns
    -------
    Auc or None
        None if nothing can be compared.
    """
    patients = np.random.default_rng(seed).multinomial(
        groups.max() + 1, np.full(groups.max() + 1, 1 / (groups.max() + 1)), RESAMPLES
    )
    weights = np.vstack([np.ones(len(groups)), patients[:, groups]])
    total, weight = np.zeros(len(weights)), np.zeros(len(weights))
    used = np.zeros(len(groups), dtype=bool)
    for stratum in [None] if strata is None else np.unique(strata).tolist():
        rows = np.arange(len(groups)) if stratum is None else np.flatnonzero(strata == stratum)
        for label in np.unique(classes[rows]):
            positive = classes[rows] == label
            if positive.all():
                continue
            area, n1, n0 = _weighted_auc(positive, scores[rows, label], weights[:, rows])
            valid = (n1 > 0) & (n0 > 0)
            share = np.where(valid, 1.0 if strata is None else n1 * n0 / np.maximum(n1 + n0, 1), 0)
            total += np.where(valid, area, 0) * share
            weight += share
            used[rows] = True
    if not used.any():
        return None
    areas = total / np.where(weight > 0, weight, np.nan)
    lower, upper = np.nanpercentile(areas[1:], INTERVAL)
    return Auc(float(areas[0]), float(lower), float(upper), int(used.sum()))


def _weighted_auc(
    positive: npt.NDArray[np.bool_], scores: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return areas and the weight of positives and negatives, one per row of ``weights``."""
    order = np.argsort(scores, kind="stable")
    sorted_scores = scores[order]
    starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
    is_positive = positive[order]
    ones = np.add.reduceat(weights[:, order] * is_positive, starts, axis=1)
    zeros = np.add.reduceat(weights[:, order] * ~is_positive, starts, axis=1)
    n1, n0 = ones.sum(axis=1), zeros.sum(axis=1)
    below = np.cumsum(zeros, axis=1) - zeros / 2  # ties count half
    product = np.where((n1 > 0) & (n0 > 0), n1 * n0, 1)
    return (ones * below).sum(axis=1) / product, n1, n0
