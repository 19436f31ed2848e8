"""Which voxels of a muscle its fat fraction is computed on."""

from typing import Literal

import numpy as np

from pipelines.arrays import Bool, Float64
from pipelines.quantification.options import QuantificationOptions

Erosion = Literal["in_plane", "3d", "none"]

_ALL_AXES = (0, 1, 2)


def erosion_axes(sizes: Float64, thick_slice_ratio: float) -> tuple[Erosion, tuple[int, ...]]:
    """Choose the array axes along which a mask is eroded, from voxel edge lengths in mm.

    An axis whose voxels are `thick_slice_ratio` times longer than along both others is the slice
    axis of a thick-slice scan, and is left out.
    """
    thickest = int(np.argmax(sizes))
    pixel = np.delete(sizes, thickest).max()
    # The comparison forgives the rounding of voxel sizes stored as float32.
    if sizes[thickest] >= thick_slice_ratio * pixel * (1 - 1e-4):
        return "in_plane", tuple(axis for axis in _ALL_AXES if axis != thickest)
    return "3d", _ALL_AXES


def erode(mask: Bool, axes: tuple[int, ...]) -> Bool:
    """Remove the voxels that have a face neighbour outside the mask along one of the axes.

    The border of the array is no edge of the muscle: what lies beyond was not imaged, so a voxel
    there is judged by the neighbours it has.
    """
    inner = mask.copy()
    for axis in axes:
        lower = tuple(slice(None, -1) if a == axis else slice(None) for a in _ALL_AXES)
        upper = tuple(slice(1, None) if a == axis else slice(None) for a in _ALL_AXES)
        inner[upper] &= mask[lower]
        inner[lower] &= mask[upper]
    return inner


def select_voxels(
    mask: Bool, has_ff: Bool, sizes: Float64, options: QuantificationOptions
) -> tuple[Bool, Erosion, bool]:
    """Select the voxels of one muscle that count for its fat fraction; all of them have one.

    The mask has a margin of at least one voxel on every side that is no border of the image. Also
    returned are what was done, and whether too few voxels were left (by the erosion, or in the
    whole mask when erosion is switched off).
    """
    whole = mask & has_ff
    if not options.erode:
        return whole, "none", bool(np.count_nonzero(whole) < options.min_voxels)
    kind, axes = erosion_axes(sizes, options.thick_slice_ratio)
    inner = erode(mask, axes) & has_ff
    if np.count_nonzero(inner) < options.min_voxels:
        return whole, "none", True
    return inner, kind, False
