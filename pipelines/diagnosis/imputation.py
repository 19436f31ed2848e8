"""Nearest-neighbour imputation, for many numbers of neighbours from one set of distances.

Same rule as scikit-learn's ``KNNImputer`` with uniform weights (Euclidean distance over the
features both samples have, scaled up to all features; a donor must have the missing feature).
The search tries up to thirteen numbers of neighbours in every fold; sharing the distances
between them, and between training and prediction, is why this is not scikit-learn's class.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

# Rows whose distances to all donors are in memory at a time.
_CHUNK = 1024


def impute(
    reference: FloatArray, values: FloatArray, neighbours: Sequence[int]
) -> dict[int, FloatArray]:
    """Fill missing features with the mean of the nearest samples that have them.

    Parameters
    ----------
    reference : float32 array (m, p)
        Donors, z-scored; NaN where missing.
    values : float32 array (n, p)
        Samples to fill, on the same scale; may be the donors themselves.
    neighbours : sequence of int
        Numbers of neighbours wanted.

    Returns
    -------
    dict of int to float32 array (n, p)
        Filled samples for each number of neighbours. A feature that no donor has, and a sample
        that shares no feature with any donor, get 0: the mean of z-scored features.
    """
    filled = {k: values.copy() for k in neighbours}
    for start in range(0, len(values), _CHUNK):
        rows = slice(start, start + _CHUNK)
        _fill_rows(reference, values[rows], {k: array[rows] for k, array in filled.items()})
    return filled


def _fill_rows(reference: FloatArray, values: FloatArray, filled: dict[int, FloatArray]) -> None:
    """Fill the gaps of some rows in place, for each number of neighbours."""
    missing = np.isnan(values)
    incomplete = np.flatnonzero(missing.any(axis=1))
    if not incomplete.size:
        return
    distances = _distances(values[incomplete], reference)
    largest = max(filled)
    for column in np.flatnonzero(missing.any(axis=0)):
        receivers = np.flatnonzero(missing[incomplete, column])
        donors = np.flatnonzero(~np.isnan(reference[:, column]))
        means = _running_means(
            distances[np.ix_(receivers, donors)],
            reference[donors, column].astype(np.float64),
            largest,
        )
        for k, array in filled.items():
            array[incomplete[receivers], column] = means[:, min(k, means.shape[1]) - 1]


def _running_means(
    distances: FloatArray, donated: npt.NDArray[np.float64], largest: int
) -> npt.NDArray[np.float64]:
    """Return the mean value of the nearest 1, 2, ... donors of every receiver, one column each."""
    if not donated.size:
        return np.zeros((len(distances), 1))
    count = min(largest, donated.size)
    if count < donated.size:
        nearest = np.argpartition(distances, count - 1, axis=1)[:, :count]
    else:
        nearest = np.broadcast_to(np.arange(count), (len(distances), count))
    order = np.argsort(np.take_along_axis(distances, nearest, axis=1), axis=1, kind="stable")
    nearest = np.take_along_axis(nearest, order, axis=1)
    near = np.take_along_axis(distances, nearest, axis=1)
    # Donors that share no feature with the receiver lie infinitely far: they give nothing.
    usable = np.isfinite(near)
    totals = np.cumsum(np.where(usable, donated[nearest], 0.0), axis=1)
    means: npt.NDArray[np.float64] = totals / np.maximum(np.cumsum(usable, axis=1), 1)
    return means


def _distances(values: FloatArray, reference: FloatArray) -> FloatArray:
    """Return squared distances over shared features, scaled up to all of them; inf if none."""
    a, b = values.astype(np.float64), reference.astype(np.float64)
    a_present, b_present = ~np.isnan(a), ~np.isnan(b)
    a, b = np.where(a_present, a, 0.0), np.where(b_present, b, 0.0)
    squares = (a * a) @ b_present.T + a_present @ (b * b).T - 2.0 * (a @ b.T)
    shared = a_present.astype(np.float64) @ b_present.T.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.maximum(squares, 0.0) * (a.shape[1] / shared)
    # Single precision hides the rounding of the products, so that equal distances stay equal
    # whatever the number of threads.
    return np.where(shared > 0, scaled, np.inf).astype(np.float32)
