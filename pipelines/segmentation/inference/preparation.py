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

# The box that a network sees is not that of the body mask of the fat fraction
# (pipelines.water_fat.body), although both show the body. Where it begins decides how the image
# falls on the network's strides, and models were calibrated and measured with this box. That of
# the mask begins up to two voxels elsewhere, and labels of thigh11 move with it: on the thighs of
# two patients the Dice of a muscle fell to 0.82 and a fat fraction changed by 1.7 points.
# A voxel counts if its smoothed signal exceeds this share of the 99th percentile.
SIGNAL_SHARE = 0.10
# Air kept around the body, so that the network sees where it ends.
BODY_MARGIN_MM = 15.0
_SMOOTHING_VOXELS = (5, 5, 1)

CANONICAL = "RAS"


@dataclass(frozen=True)
class AxisMap:
    """How one axis of the scan, `length` voxels long, relates to that of the prepared data.

    Voxels from `start` to `stop` are predicted, the others are background; `source` is the position
    of each of them in the prepared data, in voxels of the network.
    """

    length: int
    start: int
    stop: int
    source: Float64


@dataclass(frozen=True)
class Prepared:
    """Normalized channels (c, a, b, d) at the network's voxel size, axes as in the plans."""

    data: Float32
    axes: tuple[AxisMap, AxisMap, AxisMap]


def _to_network_order(data: Floating, orientation: str, transpose: Sequence[int]) -> Floating:
    """Reorder canonical axes (c, x, y, z) to those of the network.

    The orientation is that of the model's training arrays, e.g. ``LPS``; `transpose` is
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
    """Undo ``_to_network_order`` for an array without channels."""
    back = np.empty(3, int)
    back[[2 - axis for axis in transpose]] = np.arange(3)
    change = orientations.ornt_transform(
        orientations.axcodes2ornt(orientation), orientations.axcodes2ornt(CANONICAL)
    )
    canonical: npt.NDArray[np.generic] = orientations.apply_orientation(
        data.transpose(back), change
    )
    return np.ascontiguousarray(canonical)


def _network_box(channels: Floating, affine: Affine) -> tuple[slice, slice, slice]:
    """Return the box of voxels of channels (c, x, y, z) that holds the body and a margin of air.

    Negative values mark missing channels.
    """
    signal = np.zeros(channels.shape[1:], np.float32)
    for channel in channels:
        signal += np.maximum(channel, 0)
    bright = float(np.percentile(signal[::2, ::2], 99))
    body = ndimage.uniform_filter(signal, _SMOOTHING_VOXELS) > SIGNAL_SHARE * bright
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
    """Normalize and resample channels (c, x, y, z) as plans say, and cut them to the body.

    Without `body_cut` they keep all that is not zero, as in nnU-Net. The orientation is that of the
    arrays the model was trained on. Images without signal are a ``DataError``.
    """
    body_voxels = _network_box(channels, affine)
    box = np.zeros(channels.shape[1:], bool)
    box[body_voxels if body_cut else ...] = True
    body = _bounds(_to_network_order(box[np.newaxis], orientation, plan.transpose)[0])
    turned = _to_network_order(channels, orientation, plan.transpose)
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

    `crop` is resampled to `count` voxels; also returned are those of them that `body` needs, at the
    first of which the data start.
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
