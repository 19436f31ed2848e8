"""Figures of merit, each as a function of sample weights.

``weights`` has one row per weighting (all samples, one fold, one bootstrap replicate; see
:class:`pipelines.diagnosis.evaluation.intervals.Resamples`), and every function returns one value
per row. A row of ones gives the plain figure.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from pipelines.arrays import Float64, Int64
from pipelines.diagnosis.evaluation.predictions import Predictions

# Bins of confidence, as in Guo et al. 2017.
CONFIDENCE_BINS = 15
# A probability of 0 for the true class counts as this much in the log loss (float32 resolution).
_LEAST_PROBABILITY = 1e-7


def ratio(numerator: Float64, denominator: Float64) -> Float64:
    """Return numerator / denominator, NaN where the denominator is 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    positive = np.broadcast_to(denominator > 0, shape)
    out = np.full(shape, np.nan)
    return np.asarray(np.divide(numerator, denominator, out=out, where=positive))


def mean_over_defined(values: Float64) -> Float64:
    """Return the mean over the last axis without NaN; NaN where all are."""
    return ratio(np.nansum(values, axis=-1), np.isfinite(values).sum(axis=-1).astype(np.float64))


def _sums_by_group(
    weights: Float64,
    group: Int64,
    n_groups: int,
    values: Float64 | None = None,
) -> Float64:
    """Return the weighted sum of values in every group.

    `weights` is (R, n); `group` and `values` are (n,); the result is (R, n_groups).
    """
    n = len(group)
    data = np.ones(n) if values is None else values
    chooser = csr_array((data, (group, np.arange(n))), shape=(n_groups, n))
    return np.asarray((chooser @ weights.T).T)


def _top_n_recall(predictions: Predictions, weights: Float64, numbers: Sequence[int]) -> Float64:
    """Return for every class the share of its samples with it among the first n answers.

    `weights` is (R, n_samples); the result is (R, len(numbers)).
    """
    classes, steps = len(predictions.classes), len(numbers) + 1
    # Bucket i: found with numbers[i] answers but not with fewer; the last one: with none of them.
    bucket = np.searchsorted(np.asarray(numbers), predictions.ranks, side="left")
    cells = _sums_by_group(weights, predictions.y * steps + bucket, classes * steps)
    found = np.cumsum(cells.reshape(len(weights), classes, steps), axis=2)
    return ratio(found[:, :, :-1], found[:, :, -1:]).transpose(0, 2, 1)


def balanced_accuracy(predictions: Predictions, weights: Float64) -> Float64:
    """Return the mean sensitivity over the classes present, shape (R,)."""
    return weighted_top_n(predictions, weights, (1,))[:, 0]


def weighted_top_n(predictions: Predictions, weights: Float64, numbers: Sequence[int]) -> Float64:
    """Return the class-weighted top-n accuracy, equations 1 and 2 of the Myo-Guide paper.

    W_n = sum_i w_(y_i) I(y_i in P_(n,i)) / sum_i w_(y_i) with w_k = S / count(k). Each class then
    weighs S in the denominator, so that W_n is the mean over the classes of their top-n recall
    (and W_1 is the balanced accuracy).

    `weights` is (R, n_samples); the result is (R, len(numbers)).
    """
    return mean_over_defined(_top_n_recall(predictions, weights, numbers))


def accuracy(predictions: Predictions, weights: Float64) -> Float64:
    """Return the share of samples whose first answer is right, shape (R,)."""
    return _weighted_mean((predictions.ranks == 1).astype(np.float64), weights)


def log_loss(predictions: Predictions, weights: Float64) -> Float64:
    """Return the mean of minus the log probability of the true class (nats), shape (R,)."""
    own = predictions.probabilities[np.arange(predictions.n), predictions.y]
    return _weighted_mean(-np.log(np.maximum(own, _LEAST_PROBABILITY)), weights)


def brier_score(predictions: Predictions, weights: Float64) -> Float64:
    """Return the mean squared distance of probabilities and truth, from 0 to 2, shape (R,)."""
    truth = np.eye(len(predictions.classes))[predictions.y]
    return _weighted_mean(((predictions.probabilities - truth) ** 2).sum(axis=1), weights)


def expected_calibration_error(
    predictions: Predictions, weights: Float64, bins: int = CONFIDENCE_BINS
) -> Float64:
    """Return the mean distance of confidence and accuracy over bins of confidence.

    Confidence is the probability of the first answer; bins have equal width and are closed on
    the right (Guo et al. 2017, equation 3).

    `weights` is (R, n_samples); the result is (R,).
    """
    confidence = predictions.probabilities.max(axis=1)
    gap = confidence - (predictions.predicted == predictions.y)
    return _binned_gap(confidence, gap, weights, bins)


def classwise_calibration_error(
    predictions: Predictions, weights: Float64, bins: int = CONFIDENCE_BINS
) -> Float64:
    """Return the calibration error of each class's probability against all others.

    Nixon et al. 2019 (static calibration error), kept per class: rare classes are seen.

    The result is (R, K).
    """
    columns = [
        _binned_gap(p, p - (predictions.y == k), weights, bins)
        for k, p in enumerate(predictions.probabilities.T)
    ]
    return np.stack(columns, axis=1)


def confidence_bin(confidence: Float64, bins: int) -> Int64:
    """Return the number of the equal-width bin, closed on the right, of each confidence."""
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    return np.searchsorted(edges, confidence, side="left").astype(np.int64)


def _binned_gap(confidence: Float64, gap: Float64, weights: Float64, bins: int) -> Float64:
    """Sum over bins of |weighted sum of gaps|, over the sum of weights."""
    by_bin = _sums_by_group(weights, confidence_bin(confidence, bins), bins, gap)
    return ratio(abs(by_bin).sum(axis=1), weights.sum(axis=1))


def _weighted_mean(values: Float64, weights: Float64) -> Float64:
    return ratio(weights @ values, weights.sum(axis=1))
