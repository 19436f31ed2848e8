"""Bring a scan to the grid of a network, and remember the way back.

The steps are those of nnU-Net's preprocessor (crop to what is not zero, normalize, resample), so
that a network sees what it was trained on; only the body is resampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from nibabel import orientations
from scipy import ndimage

from pipelines.arrays import Affine, Bool, Float32, Float64, Floating
from pipelines.errors import DataError
from pipelines.geometry import voxel_sizes
from pipelines.segmentation.plans.intensities import normalize_channel
from pipelines.segmentation.plans.network_plan import NetworkPlan
from pipelines.segmentation.plans.resampling import new_shape, resample_window

# A voxel belongs to the body if its smoothed signal exceeds this share of the 99th percentile.
BODY_SHARE = 0.10
# Air kept around the body, so that the network sees where it ends.
BODY_MARGIN_MM = 15.0
_SMOOTHING_VOXELS = (5, 5, 1)

CANONICAL = "RAS"


@dataclass(frozen=True)
class AxisMap:
    """How one axis of the scan relates to the same axis of the prepared data.

    Attributes
    ----------
    length : int
        Number of voxels of the scan.
    start, stop : int
        Voxels of the scan that are predicted; the others are background.
    source : ndarray of float, shape (stop - start,)
        Position of each of those voxels in the prepared data, in voxels of the network.
    """

    length: int
    start: int
    stop: int
    source: Float64


@dataclass(frozen=True)
class Prepared:
    """Input of a network.

    Attributes
    ----------
    data : ndarray of float32, shape (c, a, b, d)
        Normalized channels at the network's voxel size, axes as in the plans.
    axes : tuple of AxisMap
        The three axes.
    """

    data: Float32
    axes: tuple[AxisMap, AxisMap, AxisMap]


def to_network_order(data: Floating, orientation: str, transpose: Sequence[int]) -> Floating:
    """Reorder canonical (x, y, z) axes to those of the network.

    Parameters
    ----------
    data : ndarray of shape (c, x, y, z)
        Canonical arrays.
    orientation : str
        Axis codes of the model's training arrays, e.g. ``LPS``.
    transpose : sequence of int
        ``transpose_forward`` of the plans, on (z, y, x).
    """
    change = orientations.ornt_transform(
        orientations.axcodes2ornt(CANONICAL), orientations.axcodes2ornt(orientation)
    )
    turned = orientations.apply_orientation(np.moveaxis(data, 0, -1), change)
    ordered: Floating = turned.transpose(3, *(2 - axis for axis in transpose))
    return ordered


def from_network_order(
    data: npt.NDArray[np.generic], orientation: str, transpose: Sequence[int]
) -> npt.NDArray[np.generic]:
    """Undo :func:`to_network_order` for an array without channels."""
    back = np.empty(3, int)
    back[[2 - axis for axis in transpose]] = np.arange(3)
    change = orientations.ornt_transform(
        orientations.axcodes2ornt(orientation), orientations.axcodes2ornt(CANONICAL)
    )
    canonical: npt.NDArray[np.generic] = orientations.apply_orientation(
        data.transpose(back), change
    )
    return np.ascontiguousarray(canonical)


def body_box(channels: Floating, affine: Affine) -> tuple[slice, slice, slice]:
    """Return the box of voxels that holds the body and a margin of air.

    Parameters
    ----------
    channels : ndarray of shape (c, x, y, z)
        Magnitude images; negative values mark missing channels.
    affine : ndarray of shape (4, 4)
        Their affine, mm.

    Raises
    ------
    DataError
        If there is no signal.
    """
    signal = np.zeros(channels.shape[1:], np.float32)
    for channel in channels:
        signal += np.maximum(channel, 0)
    bright = float(np.percentile(signal[::2, ::2], 99))
    body = ndimage.uniform_filter(signal, _SMOOTHING_VOXELS) > BODY_SHARE * bright
    if bright <= 0 or not body.any():
        raise DataError("The images hold no signal.", "Check that they are magnitude images.")
    box = []
    for axis, size in enumerate(voxel_sizes(affine)):
        others = tuple(a for a in range(3) if a != axis)
        inside = np.flatnonzero(body.any(axis=others))
        margin = int(np.ceil(BODY_MARGIN_MM / size))
        box.append(slice(max(0, inside[0] - margin), int(inside[-1]) + margin + 1))
    return (box[0], box[1], box[2])


def prepare(
    channels: Floating,
    affine: Affine,
    plan: NetworkPlan,
    orientation: str,
    *,
    body_cut: bool = True,
) -> Prepared:
    """Normalize and resample a scan as a model's plans say, and cut it to the body.

    Parameters
    ----------
    channels : ndarray of shape (c, x, y, z)
        Channels in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    plan : NetworkPlan
        The plans to follow.
    orientation : str
        Axis codes of the arrays the model was trained on.
    body_cut : bool
        Whether it is cut to the body; else it keeps all that is not zero, as nnU-Net does.

    Returns
    -------
    Prepared

    Raises
    ------
    DataError
        If there is no signal.
    """
    body_voxels = body_box(channels, affine)
    box = np.zeros(channels.shape[1:], bool)
    box[body_voxels if body_cut else ...] = True
    body = _bounds(to_network_order(box[np.newaxis], orientation, plan.transpose)[0])
    turned = to_network_order(channels, orientation, plan.transpose)
    data = np.ascontiguousarray(turned, np.float32)
    signal = (data != 0).any(axis=0)
    crop = _bounds(signal)
    inside = None
    if any(scheme.inside_only for scheme in plan.schemes):
        inside = ndimage.binary_fill_holes(signal[crop])
    spacing = _spacing(affine, orientation, plan.transpose)
    # A two-dimensional network leaves the slice distance as it is.
    target = [*spacing[: 3 - len(plan.spacing)], *plan.spacing]
    shape = new_shape([s.stop - s.start for s in crop], spacing, target)
    maps = [_axis_map(signal.shape[a], body[a], crop[a], shape[a]) for a in range(3)]
    window = tuple(needed for _, needed in maps)
    slice_axis = plan.resampling.slice_axis(spacing, target)
    resampled = [
        resample_window(
            normalize_channel(channel[crop], scheme, inside),
            shape,
            window,
            plan.resampling,
            slice_axis,
        )
        for channel, scheme in zip(data, plan.schemes, strict=True)
    ]
    return Prepared(np.stack(resampled), (maps[0][0], maps[1][0], maps[2][0]))


def _bounds(mask: Bool) -> tuple[slice, slice, slice]:
    """Return the smallest box around a mask."""
    box = []
    for axis in range(3):
        rows = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(int(rows[0]), int(rows[-1]) + 1))
    return (box[0], box[1], box[2])


def _axis_map(length: int, body: slice, crop: slice, count: int) -> tuple[AxisMap, slice]:
    """Relate an axis of the scan to the one it is resampled to.

    Parameters
    ----------
    length : int
        Number of voxels of the scan.
    body, crop : slice
        Voxels with body in them, and those that are resampled.
    count : int
        Number of voxels that `crop` is resampled to.

    Returns
    -------
    AxisMap
        Its data start at the first of the voxels below.
    slice
        The resampled voxels that are needed.
    """
    start, stop = max(body.start, crop.start), min(body.stop, crop.stop)
    scale = count / (crop.stop - crop.start)
    first = int(np.floor((start - crop.start) * scale))
    last = min(int(np.ceil((stop - crop.start) * scale)), count)
    # Voxel centres: both grids cover the same stretch of space from edge to edge.
    source = (np.arange(start, stop) - crop.start + 0.5) * scale - 0.5 - first
    source = np.clip(source, 0, last - first - 1)
    return AxisMap(length, start, stop, source), slice(first, last)


def _spacing(affine: Affine, orientation: str, transpose: Sequence[int]) -> list[float]:
    """Return voxel sizes in the network's axis order."""
    sizes = voxel_sizes(affine)
    order = orientations.axcodes2ornt(orientation)[:, 0].astype(int)
    by_axis = np.array([sizes[axis] for axis in order])
    return [float(by_axis[2 - axis]) for axis in transpose]
