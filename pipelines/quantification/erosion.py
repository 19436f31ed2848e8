"""Which voxels of a muscle its fat fraction is computed on."""

from typing import Literal

import numpy as np

from pipelines.arrays import Bool, Float64
from pipelines.quantification.options import QuantificationOptions

Erosion = Literal["in_plane", "3d", "none"]

_ALL_AXES = (0, 1, 2)


def erosion_axes(sizes: Float64, thick_slice_ratio: float) -> tuple[Erosion, tuple[int, ...]]:
    """Choose the array axes along which a mask is eroded.

    Parameters
    ----------
    sizes : ndarray of shape (3,)
        Voxel edge lengths, mm.
    thick_slice_ratio : float
        An axis whose voxels are this many times longer than along both other axes is the slice
        axis of a thick-slice scan, and is left out.

    Returns
    -------
    kind : {'in_plane', '3d'}
        What to call it.
    axes : tuple of int
        The axes to erode along.
    """
    thickest = int(np.argmax(sizes))
    pixel = np.delete(sizes, thickest).max()
    # The comparison forgives the rounding of voxel sizes stored as float32.
    if sizes[thickest] >= thick_slice_ratio * pixel * (1 - 1e-4):
        return "in_plane", tuple(axis for axis in _ALL_AXES if axis != thickest)
    return "3d", _ALL_AXES


def erode(mask: Bool, axes: tuple[int, ...]) -> Bool:
    """Remove the voxels that have a face neighbour outside the mask.

    The border of the array is no edge of the muscle: what lies beyond was not imaged, so a voxel
    there is judged by the neighbours it has.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y, z)
        Voxels of the muscle.
    axes : tuple of int
        Axes along which neighbours are looked at.

    Returns
    -------
    ndarray of bool, shape (x, y, z)
        The inner voxels.
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
    """Select the voxels of one muscle that count for its fat fraction.

    Parameters
    ----------
    mask : ndarray of bool, shape (x, y, z)
        Voxels of the muscle, with at least one voxel of margin on every side that is not a border
        of the image.
    has_ff : ndarray of bool, shape (x, y, z)
        Where the fat fraction has a value.
    sizes : ndarray of shape (3,)
        Voxel edge lengths, mm.
    options : QuantificationOptions
        Whether and how to erode, and how many voxels are enough.

    Returns
    -------
    selected : ndarray of bool, shape (x, y, z)
        The voxels to use; all of them have a value.
    erosion : {'in_plane', '3d', 'none'}
        What was done.
    few_voxels : bool
        Whether fewer than ``options.min_voxels`` were left (by the erosion, or in the whole mask
        when erosion is switched off).
    """
    whole = mask & has_ff
    if not options.erode:
        return whole, "none", bool(np.count_nonzero(whole) < options.min_voxels)
    kind, axes = erosion_axes(sizes, options.thick_slice_ratio)
    inner = erode(mask, axes) & has_ff
    if np.count_nonzero(inner) < options.min_voxels:
        return whole, "none", True
    return inner, kind, False
