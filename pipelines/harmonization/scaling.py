"""Bring scores of any scale to 0 (normal muscle) .. 100 (completely replaced)."""

from collections.abc import Iterator

import numpy as np

from pipelines.arrays import Bool, Float64, Objects
from pipelines.errors import DataError, quoted
from pipelines.harmonization.scores.scales import Scale, scales

_LEFT, _RIGHT, _MEAN = 0, 1, 2


# Rounding when grades of several muscles are averaged must not count as out of range.
_TOLERANCE = 1e-9


def known_scale(name: str) -> Scale:
    """Return a scale by name."""
    found = scales().get(name)
    if found is None:
        raise DataError(
            f"Unknown scale {quoted(name)}.",
            f"Known scales: {', '.join(scales())} (see scales.tsv).",
        )
    return found


def scale_to_percent(values: Float64, scale_names: Objects) -> Float64:
    """Map scores linearly from the ends of their scale to 0-100.

    Parameters
    ----------
    values : ndarray of float64, shape (n, ...)
        Scores; NaN is missing.
    scale_names : ndarray of str, shape (n,)
        Scale of each row.

    Returns
    -------
    ndarray of float64, shape (n, ...)
        Percent of the way from normal to complete replacement; NaN stays.

    Raises
    ------
    DataError
        If a scale is unknown or a score lies outside its scale.

    References
    ----------
    Verdu-Diaz et al. 2025, section 2.2.
    """
    result = np.empty_like(values)
    for scale, rows in checked_scales(values, scale_names):
        part = values[rows]
        result[rows] = (part - scale.lowest) * 100.0 / (scale.highest - scale.lowest)
    return result


def checked_scales(values: Float64, scale_names: Objects) -> Iterator[tuple[Scale, Bool]]:
    """Yield every scale with the mask of its rows, once their scores are seen to lie on it.

    `values` is (n, ...); `scale_names` is (n,).
    `values`: Scores; NaN is missing.
    """
    for name in dict.fromkeys(scale_names.tolist()):
        scale, rows = known_scale(name), scale_names == name
        _check_range(values[rows], scale)
        yield scale, rows


def _check_range(values: Float64, scale: Scale) -> None:
    """Raise a DataError if a score lies outside its scale (NaN is no score)."""
    slack = scale.noise + _TOLERANCE
    outside = (values < scale.lowest - slack) | (values > scale.highest + slack)
    if outside.any():
        raise DataError(
            f"Score {values[outside].flat[0]:g} lies outside scale {scale.name} "
            f"({scale.lowest:g} to {scale.highest:g}).",
            "Correct the score or the scale.",
        )


def mean_involvement(values: Float64) -> Float64:
    """Return the mean over the scored muscles of each sample.

    `values` is (n, m); the result is (n,).
    `values`: Scores 0-100; NaN is missing.
    """
    scored = ~np.isnan(values)
    count = scored.sum(axis=1)
    total = np.where(scored, values, 0.0).sum(axis=1)
    return np.asarray(total / np.where(count > 0, count, np.nan))


def leave_one_out(values: Float64) -> Float64:
    """Subtract from each score the mean of the patient's other scored muscles.

    Parameters
    ----------
    values : ndarray of float64, shape (n, m)
        Scores 0-100; NaN is missing.

    Returns
    -------
    ndarray of float64, shape (n, m)
        -100 to 100, each row sums to 0. NaN where the score is missing, and for the only scored
        muscle of a sample, which has nothing to be compared with.

    References
    ----------
    Verdu-Diaz et al. 2025, section 2.2.
    """
    scored = ~np.isnan(values)
    others = scored.sum(axis=1, keepdims=True) - 1
    total = np.where(scored, values, 0.0).sum(axis=1, keepdims=True)
    return np.asarray(values - (total - values) / np.where(others > 0, others, np.nan))


def patient_ranks(values: Float64, ties: Float64) -> Float64:
    """Rank the muscles of each patient, ties in random order.

    Ranks keep the order of involvement and nothing of the scale: every patient with the same number
    of scored muscles has the same set of values.

    `values`, `ties` and the result are (n, m).
    `values`: Scores; NaN is missing.
    """
    scored = ~np.isnan(values)
    n_scored = scored.sum(axis=1, keepdims=True)
    order = np.lexsort((ties, np.where(scored, values, np.inf)), axis=1)
    ranks = np.argsort(order, axis=1)
    spread = np.where(n_scored > 1, n_scored - 1, 1)
    ranked = 100.0 * (2 * ranks - (n_scored - 1)) / spread
    return np.where(scored, ranked, np.nan)


def side_mean(values: Float64) -> Float64:
    """Make one score per muscle.

    `values` is (n, m, 3); the result is (n, m).
    `values`: Scores left, right, mean; NaN is missing.
    """
    left, right, mean = values[..., _LEFT], values[..., _RIGHT], values[..., _MEAN]
    both = np.where(np.isnan(left), right, np.where(np.isnan(right), left, (left + right) / 2))
    return np.where(np.isnan(mean), both, mean)


def asymmetry(values: Float64) -> tuple[Float64, Float64]:
    """Measure how much the sides of each sample differ.

    Parameters
    ----------
    values : ndarray of float64, shape (n, m, 3)
        Scores left, right, mean; NaN is missing.

    Returns
    -------
    mean, sd : ndarray of float64, shape (n,)
        Mean and standard deviation (divided by N) over muscles of ``|left - right|``; NaN where no
        muscle was scored on both sides.

    Notes
    -----
    Verdu-Diaz et al. 2025 (section 2.2) write "difference"; their published code takes its absolute
    value, without which differences of opposite sign cancel.
    """
    difference = np.abs(values[..., _LEFT] - values[..., _RIGHT])
    scored = ~np.isnan(difference)
    count = scored.sum(axis=1)
    n = np.where(count > 0, count, np.nan)
    mean = np.where(scored, difference, 0.0).sum(axis=1) / n
    deviation = np.where(scored, difference - mean[:, None], 0.0)
    return mean, np.sqrt((deviation**2).sum(axis=1) / n)
