"""Both sides of the body: their mean and how much they differ."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
_LEFT, _RIGHT, _MEAN = 0, 1, 2


def side_mean(values: FloatArray) -> FloatArray:
    """Make one score per muscle.

    Parameters
    ----------
    values : ndarray of float64, shape (n, m, 3)
        Scores left, right, mean; NaN is missing.

    Returns
    -------
    ndarray of float64, shape (n, m)
        The mean score where one was given, else the mean of the sides that were scored (one side
        stands for both), else NaN.
    """
    left, right, mean = values[..., _LEFT], values[..., _RIGHT], values[..., _MEAN]
    both = np.where(np.isnan(left), right, np.where(np.isnan(right), left, (left + right) / 2))
    return np.where(np.isnan(mean), both, mean)


def asymmetry(values: FloatArray) -> tuple[FloatArray, FloatArray]:
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
