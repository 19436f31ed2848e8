"""Checks of the arrays that every module of this package takes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError


def check_matrix(
    name: str, array: npt.ArrayLike, *, columns: int | None = None
) -> npt.NDArray[np.float64]:
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


def check_labels(y: npt.ArrayLike, n: int, n_classes: int) -> npt.NDArray[np.int64]:
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


def check_length(name: str, values: npt.ArrayLike, n: int) -> npt.NDArray[Any]:
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
