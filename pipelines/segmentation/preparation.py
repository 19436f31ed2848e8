"""Bring a scan to the grid of a network, and remember the way back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from nibabel import orientations
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.geometry import Affine, voxel_sizes
from pipelines.segmentation.network import Network

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
    source: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prepared:
    """Input of a network.

    Attributes
    ----------
    data : ndarray of float32, shape (c, a, b, d)
        Normalized channels at the network's voxel size, cut to the body, axes as in the plans.
    axes : tuple of AxisMap
        The three axes.
    """

    data: npt.NDArray[np.float32]
    axes: tuple[AxisMap, AxisMap, AxisMap]


def to_network_order(
    data: npt.NDArray[np.floating], orientation: str, transpose: Sequence[int]
) -> npt.NDArray[np.floating]:
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
    ordered: npt.NDArray[np.floating] = turned.transpose(3, *(2 - axis for axis in transpose))
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


def body_box(channels: npt.NDArray[np.floating], affine: Affine) -> tuple[slice, slice, slice]:
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
    channels: npt.NDArray[np.floating],
    affine: Affine,
    network: Network,
    dataset: dict[str, Any],
    orientation: str,
) -> Prepared:
    """Normalize and resample a scan with nnU-Net's own preprocessor, and cut it to the body.

    Parameters
    ----------
    channels : ndarray of shape (c, x, y, z)
        Channels in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    network : Network
        The plans to follow.
    dataset : dict
        Content of ``dataset.json``.
    orientation : str
        Axis codes of the arrays the model was trained on.

    Returns
    -------
    Prepared
    """
    transpose = network.plans_manager.transpose_forward
    box = np.zeros(channels.shape[1:], bool)
    box[body_box(channels, affine)] = True
    inside = to_network_order(box[np.newaxis], orientation, transpose)[0]
    # nnU-Net transposes itself; it is given (z, y, x), and spacing in the same order.
    turned = to_network_order(channels, orientation, (0, 1, 2))
    spacing = _spacing(affine, orientation)
    properties: dict[str, Any] = {"spacing": spacing}
    preprocessor = network.configuration_manager.preprocessor_class(verbose=False)
    data, _, properties = preprocessor.run_case_npy(
        turned,
        None,
        properties,
        network.plans_manager,
        network.configuration_manager,
        dataset,
    )
    axes = []
    cut = []
    for axis in range(3):
        crop = properties["bbox_used_for_cropping"][axis]
        others = tuple(a for a in range(3) if a != axis)
        rows = np.flatnonzero(inside.any(axis=others))
        start, stop = max(int(rows[0]), int(crop[0])), min(int(rows[-1]) + 1, int(crop[1]))
        scale = data.shape[1 + axis] / (crop[1] - crop[0])
        first = int(np.floor((start - crop[0]) * scale))
        last = min(int(np.ceil((stop - crop[0]) * scale)), data.shape[1 + axis])
        # Voxel centres: both grids cover the same stretch of space from edge to edge.
        source = (np.arange(start, stop) - crop[0] + 0.5) * scale - 0.5 - first
        axes.append(AxisMap(inside.shape[axis], start, stop, np.clip(source, 0, last - first - 1)))
        cut.append(slice(first, last))
    return Prepared(
        np.ascontiguousarray(data[:, cut[0], cut[1], cut[2]], np.float32),
        (axes[0], axes[1], axes[2]),
    )


def _spacing(affine: Affine, orientation: str) -> list[float]:
    """Return voxel sizes in (z, y, x) order of the model's orientation."""
    sizes = voxel_sizes(affine)
    order = orientations.axcodes2ornt(orientation)[:, 0].astype(int)
    by_axis = np.array([sizes[axis] for axis in order])
    return [float(s) for s in by_axis[::-1]]
