"""Describe where each muscle lies in its limb, free of the limb's size and place."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.anatomy.vocabulary import SIDES, label_values
from pipelines.geometry import Affine, voxel_volume_ml


def describe_limbs(labels: npt.NDArray[np.uint16], affine: Affine) -> pd.DataFrame:
    """Measure volume, share and position of each muscle relative to its limb.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, our values, in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.

    Returns
    -------
    DataFrame
        One row per muscle and side found: ``muscle``, ``side``, ``volume_ml``; ``share`` of the
        limb's labelled volume; ``medial`` and ``anterior``: mean distance from the limb's centre
        in these directions, in units of the limb's radius. Centre and radius (that of a disc of
        the same area) are those of the labelled muscle in each slice. Medial points to the other
        limb, or along the scanner's left-right axis if there is one limb.
    """
    x, y, z = np.nonzero(labels)
    values = labels[x, y, z].astype(np.intp)
    points = np.stack([x, y], axis=1) @ affine[:2, :2].T + z[:, None] * affine[:2, 2]
    side_of = np.zeros(int(values.max()) + 1 if values.size else 1, np.intp)
    for value, (_, side) in label_values().items():
        if value < len(side_of):
            side_of[value] = 1 + SIDES.index(side)
    limb = side_of[values]
    rightwards = _rightwards(points, limb)
    rows = []
    for number, side in enumerate(SIDES, start=1):
        own = limb == number
        if own.any():
            medial = rightwards if side == "left" else -rightwards
            anterior = np.array([-rightwards[1], rightwards[0]])
            rows += _limb_rows(values[own], points[own], z[own], (medial, anterior), affine)
    columns = ["muscle", "side", "volume_ml", "share", "medial", "anterior"]
    return pd.DataFrame(rows, columns=columns)


def _rightwards(
    points: npt.NDArray[np.float64], limb: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Return the unit vector from the left to the right limb."""
    if not ((limb == 1).any() and (limb == 2).any()):
        return np.array([1.0, 0.0])
    vector = points[limb == 2].mean(axis=0) - points[limb == 1].mean(axis=0)
    unit: npt.NDArray[np.float64] = vector / np.linalg.norm(vector)
    return unit


def _limb_rows(
    values: npt.NDArray[np.intp],
    points: npt.NDArray[np.float64],
    z: npt.NDArray[np.intp],
    directions: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    affine: Affine,
) -> list[tuple[str, str, float, float, float, float]]:
    pixel = abs(float(np.linalg.det(affine[:2, :2])))
    count = np.bincount(z)
    filled = np.maximum(count, 1)
    centre = np.stack([np.bincount(z, points[:, i]) / filled for i in (0, 1)], axis=1)
    radius = np.sqrt(filled * pixel / np.pi)
    relative = (points - centre[z]) / radius[z, None]
    size = np.bincount(values)
    place = [np.bincount(values, relative @ d) for d in directions]
    rows: list[tuple[str, str, float, float, float, float]] = []
    for value in np.flatnonzero(size):
        muscle, side = label_values()[int(value)]
        n = int(size[value])
        rows.append(
            (
                muscle.name,
                side,
                n * voxel_volume_ml(affine),
                n / len(values),
                float(place[0][value] / n),
                float(place[1][value] / n),
            )
        )
    return rows
