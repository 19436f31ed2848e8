"""Checks of the arrays that every module of this package takes."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Array, Float64, Int64
from pipelines.errors import DataError


def check_matrix(name: str, array: npt.ArrayLike, *, columns: int | None = None) -> Float64:
    """Return a finite float64 matrix with at least one row.

    Parameters
    ----------
    name : str
        What the array is, for messages.
    array : array_like, shape (n, columns)
        The array to check.
    columns : int, optional
        Required number of columns.

    Raises
    ------
    DataError
        If it is not two-dimensional, empty, of another width or not finite.
    """
    matrix = np.asarray(array, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] == 0:
        raise DataError(
            f"{name} has shape {matrix.shape}; it needs one row per sample and at least one row"
        )
    if columns is not None and matrix.shape[1] != columns:
        raise DataError(f"{name} has {matrix.shape[1]} columns, {columns} are needed")
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise DataError(
            f"{name} has missing or infinite values in {len(bad)} of {len(matrix)} rows, "
            f"the first in row {bad[0]}",
            "Impute missing features before; predictions must be numbers.",
        )
    return matrix


def check_labels(y: npt.ArrayLike, n: int, n_classes: int) -> Int64:
    """Return the class numbers of n samples as int64.

    Raises
    ------
    DataError
        If there are not n of them, or one is no class number below ``n_classes``.
    """
    labels = np.asarray(y)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"y has shape {labels.shape} and type {labels.dtype}; {n} class numbers are needed"
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(
            f"y holds class numbers {labels.min()} to {labels.max()}, "
            f"but there are {n_classes} classes (0 to {n_classes - 1})"
        )
    return labels.astype(np.int64)


def check_length(name: str, values: npt.ArrayLike, n: int) -> Array:
    """Return one value per sample as an array.

    Raises
    ------
    DataError
        If there are not n of them.
    """
    array = np.asarray(values)
    if array.shape != (n,):
        raise DataError(f"{name} has shape {array.shape}; one value for each of {n} samples needed")
    return array


def patient_codes(patient: npt.ArrayLike) -> Int64:
    """Give every patient a number, 0, 1, ... in order of first appearance.

    Parameters
    ----------
    patient : array_like, shape (n,)
        Patient of every sample.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    codes, _ = pd.factorize(np.asarray(patient, dtype=object))
    return np.asarray(codes, dtype=np.int64)


def one_sample_per_patient(patient: npt.ArrayLike, seed: int) -> Int64:
    """Choose one visit of every patient at random.

    Samples chosen like this are exchangeable between patients, which is what the guarantee of a
    conformal set and a binomial interval rest on.

    Parameters
    ----------
    patient : array_like, shape (n,)
        Patient of every sample.
    seed : int
        Seed of the choice.

    Returns
    -------
    ndarray of int64
        Rows, ascending, one per patient.
    """
    codes = patient_codes(patient)
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    _, first = np.unique(codes[shuffled], return_index=True)
    return np.sort(shuffled[first]).astype(np.int64)
