"""Bring a channel to the voxel size of a network, as nnU-Net's default resampling does.

Both grids cover the same stretch of space from edge to edge. Where voxels are much longer along one
axis, the slices across it are resampled one by one with splines, and then along that axis with
another order. Only the part that is asked for is computed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from pipelines.arrays import Float32
from pipelines.errors import ModelError

Window = tuple[slice, ...]
Order = Literal[0, 1, 2, 3, 4, 5]

_FUNCTION = "resample_data_or_seg_to_shape"
# Voxels longer than this times their width are resampled slice by slice (nnU-Net's default).
_ANISOTROPY = 3.0


@dataclass(frozen=True)
class Resampling:
    """How images are resampled; what plans leave out is as nnU-Net has it.

    Attributes
    ----------
    order : int
        Order of the splines, within slices if these are treated separately.
    order_slices : int
        Order between slices.
    separate_slices : bool or None
        Whether slices are treated separately; None: if voxels are longer than `anisotropy` times
        their width.
    anisotropy : float
        That ratio.
    """

    order: Order = 3
    order_slices: Order = 0
    separate_slices: bool | None = False
    anisotropy: float = _ANISOTROPY

    def slice_axis(self, spacing: Sequence[float], new_spacing: Sequence[float]) -> int | None:
        """Return the axis across which slices are resampled separately, if they are.

        Parameters
        ----------
        spacing, new_spacing : sequence of float
            Voxel sizes along the three axes before and after, mm.
        """
        if self.separate_slices is not None:
            candidates = [spacing] if self.separate_slices else []
        else:
            candidates = [
                sizes
                for sizes in (spacing, new_spacing)
                if max(sizes) / min(sizes) > self.anisotropy
            ]
        if not candidates:
            return None
        sizes = candidates[0]
        longest = [axis for axis, size in enumerate(sizes) if size == max(sizes)]
        return longest[0] if len(longest) == 1 else None


# What the plans call the attributes above.
_OPTIONS = {
    "order": "order",
    "order_z": "order_slices",
    "force_separate_z": "separate_slices",
    "separate_z_anisotropy_threshold": "anisotropy",
}


def read_resampling(configuration: Mapping[str, Any], source: str) -> Resampling:
    """Read how a configuration resamples images."""
    name = configuration["resampling_fn_data"]
    options = dict(configuration["resampling_fn_data_kwargs"])
    if not options.get("is_seg"):
        options.pop("is_seg", None)
    unknown = sorted(set(options) - set(_OPTIONS))
    if name != _FUNCTION or unknown:
        raise ModelError(
            f"The plans of {source} resample images with {name!r}"
            f"{f' and {unknown[0]!r}' if unknown else ''}, which is not known here.",
            f"Only models that use nnU-Net's {_FUNCTION} can be run.",
        )
    return Resampling(**{_OPTIONS[key]: value for key, value in options.items()})


def new_shape(
    shape: Sequence[int], spacing: Sequence[float], new_spacing: Sequence[float]
) -> tuple[int, ...]:
    """Return the number of voxels of another size (mm) that cover the same space."""
    pairs = zip(shape, spacing, new_spacing, strict=True)
    return tuple(round(old / new * count) for count, old, new in pairs)


def resample_window(
    image: Float32,
    shape: Sequence[int],
    window: Window,
    resampling: Resampling,
    slice_axis: int | None,
) -> Float32:
    """Resample a channel, and return a part of the result.

    Parameters
    ----------
    image : ndarray of float32, shape (a, b, d)
        The channel.
    shape : sequence of int
        Number of voxels of the whole result.
    window : tuple of slice
        Voxels of the result that are returned.
    resampling : Resampling
        Orders of the splines.
    slice_axis : int or None
        From :meth:`Resampling.slice_axis`.

    Returns
    -------
    ndarray of float32
        No value lies outside the range of the image, or of its slice if these are separate.
    """
    if image.shape == tuple(shape):
        return image[window]
    if slice_axis is None:
        return _clipped_splines(image, shape, window, resampling.order)
    slices = np.moveaxis(image, slice_axis, 0)
    in_plane = [n for axis, n in enumerate(shape) if axis != slice_axis]
    part = tuple(wanted for axis, wanted in enumerate(window) if axis != slice_axis)
    count, wanted = shape[slice_axis], window[slice_axis]
    stays = len(slices) == count
    resampled = np.stack(
        [
            _clipped_splines(section, in_plane, part, resampling.order)
            for section in (slices[wanted] if stays else slices)
        ]
    )
    if not stays:
        resampled = _between_slices(resampled, count, wanted, resampling.order_slices)
    return np.moveaxis(resampled, 0, slice_axis)


def _clipped_splines(image: Float32, shape: Sequence[int], window: Window, order: Order) -> Float32:
    """Interpolate, but leave out what splines swing beyond the values they run through."""
    interpolated = _splines(image, shape, window, order)
    return np.clip(interpolated, image.min(), image.max(), out=interpolated)


def _splines(image: Float32, shape: Sequence[int], window: Window, order: Order) -> Float32:
    """Interpolate a section or a volume at the voxels `window` of a grid of `shape`."""
    stays = [axis for axis in range(image.ndim) if image.shape[axis] == shape[axis]]
    if image.ndim == 3 and stays:
        # Splines run through their samples, so across this axis there is nothing to interpolate.
        axis = stays[0]
        in_plane, part = list(shape), list(window)
        del in_plane[axis], part[axis]
        planes = np.moveaxis(image, axis, 0)[window[axis]]
        return np.stack([_splines(p, in_plane, tuple(part), order) for p in planes], axis)
    scale = np.divide(image.shape, shape)
    start = np.array([wanted.start for wanted in window])
    interpolated: Float32 = ndimage.affine_transform(
        image,
        scale,
        scale * (start + 0.5) - 0.5,
        output_shape=tuple(wanted.stop - wanted.start for wanted in window),
        output=np.float32,
        order=order,
        mode="nearest",
    )
    return interpolated


def _between_slices(slices: Float32, count: int, wanted: slice, order: Order) -> Float32:
    """Interpolate `count` slices (first axis) from others, and return those that are wanted."""
    if order > 0:
        _, rows, columns = slices.shape
        window = (wanted, slice(0, rows), slice(0, columns))
        return _splines(slices, (count, rows, columns), window, order)
    source = len(slices) / count * (np.arange(wanted.start, wanted.stop) + 0.5) - 0.5
    nearest = np.floor(np.clip(source, 0, len(slices) - 1) + 0.5).astype(int)
    return slices.take(nearest, axis=0)
