"""Bring a fat image onto the grid of its water image."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Affine, Array, Bool
from pipelines.errors import DataError
from pipelines.geometry import resample, same_grid

# A common field of view thinner than this along an in-plane axis holds no limb.
MIN_COMMON_VOXELS = 16


@dataclass(frozen=True)
class MatchedGrids:
    """Water and fat on one grid.

    Attributes
    ----------
    water, fat : ndarray of shape (x, y, z)
    affine : ndarray of shape (4, 4)
        Affine of both, mm.
    resampled : bool
        Whether fat was interpolated onto the grid of water.
    cropped : bool
        Whether the fields of view differed, so that both were cut to the common box.
    origin : tuple of int
        Voxel of the original water image that became voxel (0, 0, 0).
    text : str
        One sentence saying what was done.
    """

    water: Array
    fat: Array
    affine: Affine
    resampled: bool
    cropped: bool
    origin: tuple[int, int, int]
    text: str


def match_grids(
    water: Array,
    water_affine: Affine,
    fat: Array,
    fat_affine: Affine,
) -> MatchedGrids:
    """Put fat on water's grid, and cut both to what both cover.

    Parameters
    ----------
    water, fat : ndarray of shape (x, y, z)
        Images in canonical orientation.
    water_affine, fat_affine : ndarray of shape (4, 4)
        Their affines, mm.

    Returns
    -------
    MatchedGrids
        The images themselves, untouched, if they already share a grid. Otherwise fat is
        interpolated linearly, and is NaN where the box holds points outside its field of view.

    Raises
    ------
    DataError
        If the two fields of view share no or too small a box.
    """
    if same_grid(water.shape, water_affine, fat.shape, fat_affine):
        text = "Water and fat have the same grid."
        return MatchedGrids(water, fat, water_affine, False, False, (0, 0, 0), text)
    on_water = resample(fat, fat_affine, water.shape, water_affine, outside=np.nan)
    outside = resample(
        np.zeros(fat.shape, np.float32), fat_affine, water.shape, water_affine, outside=1.0
    )
    box = _bounding_box(outside == 0)
    if box is None or min(part.stop - part.start for part in box[:2]) < MIN_COMMON_VOXELS:
        raise DataError(
            "Water and fat do not cover the same part of the body: their fields of view share "
            + ("no voxel." if box is None else "only a thin margin."),
            "Check that both files belong to one scan and that their affines are right.",
        )
    origin = tuple(part.start for part in box)
    cropped = tuple(part.stop - part.start for part in box) != water.shape
    affine = water_affine.copy()
    affine[:3, 3] = (water_affine @ np.array([*origin, 1.0]))[:3]
    text = (
        f"Fat lay on another grid ({_size(fat.shape)}) than water ({_size(water.shape)}); "
        "it was interpolated onto that of water"
    )
    if cropped:
        text += f", and both were cut to the common field of view ({_size(water[box].shape)})"
    text += "."
    return MatchedGrids(water[box], on_water[box], affine, True, cropped, origin, text)


def _bounding_box(mask: Bool) -> tuple[slice, slice, slice] | None:
    if not mask.any():
        return None
    spans = []
    for axis in range(3):
        others = tuple(i for i in range(3) if i != axis)
        used = np.flatnonzero(mask.any(axis=others))
        spans.append(slice(int(used[0]), int(used[-1]) + 1))
    return spans[0], spans[1], spans[2]


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
