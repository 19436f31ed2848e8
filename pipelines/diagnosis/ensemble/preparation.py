"""Make features ready for trees: scale, fill the gaps, round the sex. Fitted inside a fold only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Float64
from pipelines.errors import DataError

# Rows whose distances to all donors are in memory at a time.
_CHUNK = 1024


# A spread this small beside the mean is rounding: the feature does not vary.
_CONSTANT = 1e-12


@dataclass(frozen=True)
class Preparation:
    """Column-wise z-score, nearest-neighbour imputation and rounding of categories.

    Every statistic comes from the rows it was fitted on; only numpy is needed to apply it.

    Attributes
    ----------
    mean, sd : float64 array (p,)
        Of the values present; `sd` is 1 where a feature does not vary.
    reference : float32 array (m, p)
        The z-scored training rows, donors of the imputation; NaN where missing.
    categorical : tuple of int
        Columns coded 0 and 1 (sex), rounded after imputation.
    """

    mean: Float64
    sd: Float64
    reference: Float32
    categorical: tuple[int, ...] = ()

    @classmethod
    def fit(cls, features: Float64, categorical: Sequence[int] = ()) -> "Preparation":
        """Learn the preparation from training rows.

        Parameters
        ----------
        features : float64 array (m, p)
            NaN where missing.
        categorical : sequence of int
            Columns coded 0 and 1.

        Raises
        ------
        DataError
            If there is no row.
        """
        if not len(features):
            raise DataError("There is no training sample to learn the preparation from.")
        present = ~np.isnan(features)
        count = np.maximum(present.sum(axis=0), 1)
        mean = np.where(present, features, 0.0).sum(axis=0) / count
        sd = np.sqrt((np.where(present, features - mean, 0.0) ** 2).sum(axis=0) / count)
        sd = np.where(sd > _CONSTANT * np.maximum(np.abs(mean), 1.0), sd, 1.0)
        scaled = ((features - mean) / sd).astype(np.float32)
        return cls(mean, sd, scaled, tuple(categorical))

    def transform(self, features: Float64, neighbours: Sequence[int]) -> dict[int, Float32]:
        """Prepare rows.

        Parameters
        ----------
        features : float64 array (n, p)
            NaN where missing.
        neighbours : sequence of int
            Numbers of neighbours wanted for the imputation.

        Returns
        -------
        dict of int to float32 array (n, p)
            z-scores without NaN for each number of neighbours.

        Raises
        ------
        DataError
            If the number of features is not the one fitted.
        """
        if features.shape[1] != self.mean.size:
            raise DataError(
                f"{features.shape[1]} features were given, the preparation knows {self.mean.size}."
            )
        return self._filled(((features - self.mean) / self.sd).astype(np.float32), neighbours)

    def training_rows(self, neighbours: Sequence[int]) -> dict[int, Float32]:
        """Return the rows it was fitted on, prepared."""
        return self._filled(self.reference, neighbours)

    def _filled(self, scaled: Float32, neighbours: Sequence[int]) -> dict[int, Float32]:
        """Fill z-scored rows and round their categories."""
        filled = _impute(self.reference, scaled, neighbours)
        for array in filled.values():
            for column in self.categorical:
                # The value most of the neighbours have; docs/methods.md says why not the mean.
                zero, one = (np.array([0.0, 1.0]) - self.mean[column]) / self.sd[column]
                array[:, column] = np.where(array[:, column] >= (zero + one) / 2, one, zero)
        return filled


def _impute(reference: Float32, values: Float32, neighbours: Sequence[int]) -> dict[int, Float32]:
    """Fill missing features of z-scored rows (n, p) with the mean of the nearest donors.

    Donors are the rows of `reference` (m, p) that have the feature. Returns the filled rows for
    each number of neighbours. A feature that no donor has, and a sample that shares no feature
    with any donor, get 0: the mean of z-scored features.
    """
    filled = {k: values.copy() for k in neighbours}
    for start in range(0, len(values), _CHUNK):
        rows = slice(start, start + _CHUNK)
        _fill_rows(reference, values[rows], {k: array[rows] for k, array in filled.items()})
    return filled


def _fill_rows(reference: Float32, values: Float32, filled: dict[int, Float32]) -> None:
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


def _running_means(distances: Float32, donated: Float64, largest: int) -> Float64:
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
    means: Float64 = totals / np.maximum(np.cumsum(usable, axis=1), 1)
    return means


def _distances(values: Float32, reference: Float32) -> Float32:
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
