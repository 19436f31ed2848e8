"""Intervals that respect that visits of one patient belong together.

Proportions get Wilson's interval (Wilson 1927) on the effective number of independent samples: the
number that would give the variance which the patients, taken as clusters, really show (Taylor
linearisation of a ratio; Korn and Graubard 1998 use the same idea with the exact interval).
Everything else gets percentiles of a bootstrap over patients (:class:`Resamples`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from pipelines.arrays import Bool, Float64, Int64
from pipelines.diagnosis.evaluation.predictions import Predictions

LEVEL = 0.95


@dataclass(frozen=True)
class Proportions:
    """Proportions with their interval, arrays of shape (c,).

    Attributes
    ----------
    value, lower, upper : ndarray
        NaN where there is no sample.
    numerator, denominator, patients : ndarray of int64
        Samples counted, samples there are, and how many patients they come from.
    """

    value: Float64
    lower: Float64
    upper: Float64
    numerator: Int64
    denominator: Int64
    patients: Int64


def proportions(
    numerator: Bool,
    denominator: Bool,
    patient: Int64,
    level: float = LEVEL,
) -> Proportions:
    """Return c proportions of samples with intervals that count patients as clusters.

    `numerator` and `denominator` are (n, c); `patient` is (n,).
    """
    asked = denominator.astype(np.float64)
    counted = (numerator & denominator).astype(np.float64)
    n_patients = int(patient.max()) + 1 if len(patient) else 0
    asked_by_patient = _sum_by_patient(asked, patient, n_patients)
    counted_by_patient = _sum_by_patient(counted, patient, n_patients)
    total = asked.sum(axis=0)
    patients = (asked_by_patient > 0).sum(axis=0)
    value = np.divide(counted.sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
    residual = counted_by_patient - np.nan_to_num(value) * asked_by_patient
    correction = patients / np.maximum(patients - 1, 1)
    variance = correction * (residual**2).sum(axis=0) / np.maximum(total, 1) ** 2
    # All or none: the patients show no variance, so each counts once however many visits it has.
    effective = np.divide(
        value * (1 - value), variance, out=patients.astype(np.float64), where=variance > 0
    )
    lower, upper = wilson_interval(value, np.clip(effective, 1, np.maximum(total, 1)), level)
    return Proportions(
        value,
        lower,
        upper,
        counted.sum(axis=0).astype(np.int64),
        total.astype(np.int64),
        patients.astype(np.int64),
    )


def wilson_interval(
    value: npt.ArrayLike, n: npt.ArrayLike, level: float = LEVEL
) -> tuple[Float64, Float64]:
    """Return Wilson's score interval of proportions.

    `value`: Observed proportions; NaN stays NaN.
    """
    p, size = np.asarray(value, np.float64), np.asarray(n, np.float64)
    z2 = norm.ppf(0.5 + level / 2) ** 2
    centre = (p + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2 * (p * (1 - p) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


@dataclass(frozen=True)
class Summary:
    """A figure on all samples, its bootstrap interval and its spread over folds.

    Attributes
    ----------
    value, lower, upper, fold_mean, fold_sd : ndarray
        All of the shape of the figure; ``fold_sd`` has n - 1 in its denominator and is NaN for
        fewer than two folds.
    """

    value: Float64
    lower: Float64
    upper: Float64
    fold_mean: Float64
    fold_sd: Float64


@dataclass(frozen=True)
class Resamples:
    """Sample weights under which every figure is computed: all samples, each fold, resamples.

    A figure is a function of weights, so that its pooled value, its values in the folds and its
    bootstrap distribution come from one vectorised call.

    Attributes
    ----------
    weights : ndarray of float64, shape (1 + folds + replicates, n)
        Row 0 is all ones, then one indicator row per fold, then how often each sample's patient
        was drawn.
    n_folds : int
        Number of folds.
    """

    weights: Float64
    n_folds: int

    def first(self, replicates: int) -> "Resamples":
        """Return the same with fewer replicates, for costly figures."""
        kept = self.weights[: 1 + self.n_folds + replicates]
        return Resamples(np.asfortranarray(kept), self.n_folds)

    def fold_values(self, values: Float64) -> Float64:
        """Return the part of a figure's values that belongs to the folds."""
        return values[1 : 1 + self.n_folds]

    def summary(self, values: Float64, *, reflected: bool = False, level: float = LEVEL) -> Summary:
        """Summarize a figure.

        Parameters
        ----------
        values : ndarray, shape (1 + folds + replicates, ...)
            The figure under each row of weights; NaN where it is undefined.
        reflected : bool
            For figures that noise can only make larger, such as a calibration error: resampling
            adds noise to that of the samples, so that percentiles lie too high, and their mirror
            images about the figure (basic bootstrap interval, not below 0) are taken instead.
        level : float
            Of the interval.
        """
        folds, replicates = self.fold_values(values), values[1 + self.n_folds :]
        lower, upper = interval_of(replicates, level)
        if reflected:
            lower, upper = (
                np.maximum(2 * values[0] - upper, 0),
                np.maximum(2 * values[0] - lower, 0),
            )
        mean, sd = mean_and_sd(folds)
        return Summary(values[0], lower, upper, mean, sd)


def resamples(predictions: Predictions, replicates: int = 1000, seed: int = 0) -> Resamples:
    """Draw patients with replacement, as many of each class as there are.

    Drawing within classes keeps rare diseases in every replicate, without which balanced accuracy
    would mean something else in each of them. A patient counts for the class of its first sample.
    """
    rng = np.random.default_rng(seed)
    _, first = np.unique(predictions.patient, return_index=True)
    class_of_patient = predictions.y[first]
    draws = np.zeros((replicates, len(first)))
    for k in np.unique(class_of_patient):
        members = np.flatnonzero(class_of_patient == k)
        share = np.full(len(members), 1 / len(members))
        draws[:, members] = rng.multinomial(len(members), share, size=replicates)
    folds = [predictions.fold == name for name in predictions.fold_names]
    weights = np.vstack([np.ones(predictions.n), *folds, draws[:, predictions.patient]])
    # Column order: figures pick and sum samples, which then lie together in memory.
    return Resamples(np.asfortranarray(weights), len(folds))


def interval_of(values: Float64, level: float = LEVEL) -> tuple[Float64, Float64]:
    """Return the percentile interval along the first axis; NaN values are left out."""
    if not len(values):
        nothing = np.full(values.shape[1:], np.nan)
        return nothing, nothing
    filled = np.where(np.isfinite(values).any(axis=0), values, 0.0)
    bounds = np.nanquantile(filled, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    bounds = np.where(np.isfinite(values).any(axis=0), bounds, np.nan)
    return bounds[0], bounds[1]


def mean_and_sd(values: Float64) -> tuple[Float64, Float64]:
    """Return mean and sample standard deviation along the first axis; NaN values are left out."""
    n = np.isfinite(values).sum(axis=0)
    nothing = np.full(values.shape[1:], np.nan)
    mean = np.divide(np.nansum(values, axis=0), n, out=nothing.copy(), where=n > 0)
    squares = np.nansum((values - mean) ** 2, axis=0)
    sd = np.sqrt(np.divide(squares, n - 1, out=nothing, where=n > 1))
    return mean, sd


def _sum_by_patient(values: Float64, patient: Int64, n_patients: int) -> Float64:
    sums = np.zeros((n_patients, values.shape[1]))
    np.add.at(sums, patient, values)
    return sums
