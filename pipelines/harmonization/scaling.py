"""Bring scores of any scale to 0 (normal muscle) .. 100 (completely replaced)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError, quoted
from pipelines.harmonization.scales import Scale, scales

FloatArray = npt.NDArray[np.float64]

# Rounding when grades of several muscles are averaged must not count as out of range.
_TOLERANCE = 1e-9


def known_scale(name: str) -> Scale:
    """Return a scale by name.

    Raises
    ------
    DataError
        If there is no such scale.
    """
    found = scales().get(name)
    if found is None:
        raise DataError(
            f"Unknown scale {quoted(name)}.",
            f"Known scales: {', '.join(scales())} (see scales.tsv).",
        )
    return found


def scale_to_percent(values: FloatArray, scale_names: npt.NDArray[np.object_]) -> FloatArray:
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


def checked_scales(
    values: FloatArray, scale_names: npt.NDArray[np.object_]
) -> Iterator[tuple[Scale, npt.NDArray[np.bool_]]]:
    """Yield every scale with the mask of its rows, once their scores are seen to lie on it.

    Parameters
    ----------
    values : ndarray of float64, shape (n, ...)
        Scores; NaN is missing.
    scale_names : ndarray of str, shape (n,)
        Scale of each row.

    Raises
    ------
    DataError
        If a scale is unknown or a score lies outside its scale.
    """
    for name in dict.fromkeys(scale_names.tolist()):
        scale, rows = known_scale(name), scale_names == name
        _check_range(values[rows], scale)
        yield scale, rows


def _check_range(values: FloatArray, scale: Scale) -> None:
    """Raise a DataError if a score lies outside its scale (NaN is no score)."""
    outside = (values < scale.lowest - _TOLERANCE) | (values > scale.highest + _TOLERANCE)
    if outside.any():
        raise DataError(
            f"Score {values[outside].flat[0]:g} lies outside scale {scale.name} "
            f"({scale.lowest:g} to {scale.highest:g}).",
            "Correct the score or the scale.",
        )
