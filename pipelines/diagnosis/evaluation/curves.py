"""ROC and precision-recall curves of one yes-or-no question, and the areas under them."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float64, Int64

# Points kept of a curve that is only drawn; areas come from all points.
DRAWN_POINTS = 201


@dataclass(frozen=True)
class RankedScores:
    """Scores of a yes-or-no question, sorted from the likeliest to the least likely.

    Attributes
    ----------
    order : ndarray of int64, shape (n,)
        Samples from the highest score to the lowest.
    ends : ndarray of int64, shape (t,)
        Positions in ``order`` of the last sample of each distinct score: thresholds lie only
        there, so that equal scores are always on the same side.
    positive : ndarray of bool, shape (n,)
        Whether the sorted samples are positive.
    thresholds : ndarray of float64, shape (t,)
        The distinct scores, descending.
    """

    order: Int64
    ends: Int64
    positive: Bool
    thresholds: Float64

    def cumulated(self, weights: Float64) -> tuple[Float64, Float64]:
        """Return true and false positives at every threshold.

        Parameters
        ----------
        weights : ndarray, shape (R, n)
            Sample weights.

        Returns
        -------
        true_positives, false_positives : ndarray, shape (R, t)
        """
        ordered = weights[:, self.order]
        true = np.cumsum(ordered * self.positive, axis=1)[:, self.ends]
        every = np.cumsum(ordered, axis=1)[:, self.ends]
        return true, every - true


@dataclass(frozen=True)
class Curve:
    """Points of a curve, from the strictest threshold to the loosest.

    Attributes
    ----------
    x, y : ndarray of float64
        ROC: false- and true-positive rate. Precision-recall: recall and precision.
    threshold : ndarray of float64
        Samples at or above it are called positive; infinite where none is, NaN for averages.
    """

    x: Float64
    y: Float64
    threshold: Float64


def rank_scores(scores: Float64, positive: Bool) -> RankedScores:
    """Sort scores and find where thresholds may lie.

    `scores` and `positive` are (n,).
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    return RankedScores(order, ends, positive[order], ordered[ends])


def areas(ranked: RankedScores, weights: Float64) -> tuple[Float64, Float64]:
    """Return the areas under both curves for every row of weights.

    The ROC area is the trapezoid rule, the precision-recall area is average precision (a sum of
    steps; the trapezoid rule would be too kind, Davis and Goadrich 2006).

    `weights` is (R, n); `roc` and `precision_recall` are (R,).
    `roc` and `precision_recall`: NaN where there is no positive or (ROC) no negative.
    """
    true, false = ranked.cumulated(weights)
    return areas_of_counts(true, false)


def areas_of_counts(true: Float64, false: Float64) -> tuple[Float64, Float64]:
    """Return both areas from cumulated true and false positives, shape (R, t) each."""
    positives, negatives = true[:, -1], false[:, -1]
    gained = np.diff(true, axis=1, prepend=0)
    # Negatives that rank below, plus half of those with an equal score.
    below = negatives[:, None] - false + 0.5 * np.diff(false, axis=1, prepend=0)
    precision = true / np.maximum(true + false, np.finfo(float).tiny)
    both = positives * negatives
    nothing = np.full(len(true), np.nan)
    roc = np.divide((gained * below).sum(axis=1), both, out=nothing.copy(), where=both > 0)
    summed = (gained * precision).sum(axis=1)
    return roc, np.divide(summed, positives, out=nothing, where=positives > 0)


def roc_curve(ranked: RankedScores) -> Curve:
    """Return the ROC curve from (0, 0) to (1, 1); needs a positive and a negative."""
    true, false = ranked.cumulated(np.ones((1, len(ranked.order))))
    return Curve(
        np.append(0.0, false[0] / false[0, -1]),
        np.append(0.0, true[0] / true[0, -1]),
        np.append(np.inf, ranked.thresholds),
    )


def precision_recall_curve(ranked: RankedScores) -> Curve:
    """Return the precision-recall curve from recall 0 (precision 1 by convention) to recall 1."""
    true, false = ranked.cumulated(np.ones((1, len(ranked.order))))
    return Curve(
        np.append(0.0, true[0] / true[0, -1]),
        np.append(1.0, true[0] / (true[0] + false[0])),
        np.append(np.inf, ranked.thresholds),
    )


def roc_at(curve: Curve, rates: Float64) -> Float64:
    """Return true-positive rates at given false-positive rates, straight lines between points.

    Where the curve rises straight up the upper end counts.
    """
    return np.asarray(np.interp(rates, curve.x, curve.y))


def precision_at(curve: Curve, recalls: Float64) -> Float64:
    """Return the precision at given recalls: that of the strictest threshold that reaches them.

    This is the step curve whose area is average precision.
    """
    reached = np.searchsorted(curve.x[1:], recalls - 1e-12, side="left")
    return np.asarray(curve.y[1:][np.minimum(reached, len(curve.y) - 2)])


def thin(curve: Curve, points: int = DRAWN_POINTS) -> Curve:
    """Keep at most so many points, evenly spaced along the drawn line, both ends among them."""
    if len(curve.x) <= points:
        return curve
    length = np.cumsum(abs(np.diff(curve.x, prepend=0)) + abs(np.diff(curve.y, prepend=curve.y[0])))
    wanted = np.linspace(length[0], length[-1], points)
    keep = np.unique(np.append(np.searchsorted(length, wanted), [0, len(curve.x) - 1]))
    keep = keep[keep < len(curve.x)]
    return Curve(curve.x[keep], curve.y[keep], curve.threshold[keep])
