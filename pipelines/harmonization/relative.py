"""Scores relative to the other muscles of the same patient."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def mean_involvement(values: FloatArray) -> FloatArray:
    """Return the mean over the scored muscles of each sample.

    Parameters
    ----------
    values : ndarray of float64, shape (n, m)
        Scores 0-100; NaN is missing.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where no muscle was scored.
    """
    scored = ~np.isnan(values)
    count = scored.sum(axis=1)
    total = np.where(scored, values, 0.0).sum(axis=1)
    return np.asarray(total / np.where(count > 0, count, np.nan))


def leave_one_out(values: FloatArray) -> FloatArray:
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


def patient_ranks(values: FloatArray, ties: FloatArray) -> FloatArray:
    """Rank the muscles of each patient, ties in random order.

    Ranks keep the order of involvement and nothing of the scale: every patient with the same number
    of scored muscles has the same set of values.

    Parameters
    ----------
    values : ndarray of float64, shape (n, m)
        Scores; NaN is missing.
    ties : ndarray of float64, shape (n, m)
        Random numbers that decide between equal scores.

    Returns
    -------
    ndarray of float64, shape (n, m)
        From -100 (least) to 100 (most involved), evenly spaced, mean 0; 0 for a muscle that is the
        only one. NaN stays.
    """
    scored = ~np.isnan(values)
    n_scored = scored.sum(axis=1, keepdims=True)
    order = np.lexsort((ties, np.where(scored, values, np.inf)), axis=1)
    ranks = np.argsort(order, axis=1)
    spread = np.where(n_scored > 1, n_scored - 1, 1)
    ranked = 100.0 * (2 * ranks - (n_scored - 1)) / spread
    return np.where(scored, ranked, np.nan)
