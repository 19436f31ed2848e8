"""Match a scan's images to the input channels of a model."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Array, Float32, Floating, Integer
from pipelines.errors import DataError, ModelError
from pipelines.segmentation.catalogue.model_files import ModelFiles
from pipelines.segmentation.catalogue.registry import show_channels

Image = Floating | Integer

# Percentile of water + fat among body voxels that becomes 1.
SCALE_PERCENTILE = 90.0
# A voxel counts as body for the scale if water + fat exceeds this share of the slice's 99th
# percentile. Models were trained on this scale: it follows no other mask.
BODY_SHARE = 0.15
# A slice's scale never falls below this share of the volume's, so that empty slices stay empty.
LEAST_SCALE_SHARE = 0.1
# Brightest value passed on: vessels and coil hot spots carry no more information above it.
CEILING = 4.0
# Value of a channel that was not acquired. No image value is negative after normalization.
MISSING_CHANNEL = -1.0


@dataclass(frozen=True)
class ChannelStack:
    """Input of a network (c, x, y, z) on the grid of the scan, and which image each channel is.

    A channel that is missing has the kind None.
    """

    data: Float32
    kinds: tuple[str | None, ...]


def stack_channels(images: Mapping[str, Array], model: ModelFiles) -> ChannelStack:
    """Pick a scan's images for the channels of a model and normalize them as it needs.

    `images` is (x, y, z).
    """
    taken: list[str | None] = []
    for kinds in model.channels:
        free = [kind for kind in kinds if kind in images and kind not in taken]
        taken.append(free[0] if free else None)
    filled = [kind for kind in taken if kind is not None]
    if not filled or (len(filled) < len(taken) and not model.missing_channels):
        given = ", ".join(sorted(images)) or "no images"
        raise ModelError(
            f"Model {model.name} needs {len(taken)} channel{'s' * (len(taken) > 1)} "
            f"({show_channels(model.channels)}); the scan has {given}.",
            "Choose a model that fits the images (run.py --list models).",
        )
    shapes = {kind: images[kind].shape for kind in filled}
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{kind} {shape}" for kind, shape in shapes.items())
        raise DataError(f"Images differ in shape: {listed}.", "Resample them to one grid first.")
    if model.normalization == "dixon_joint":
        water, fat = (images[kind] if kind else None for kind in taken)
        data = normalize_dixon(water, fat)
    else:
        data = np.zeros((len(taken), *images[filled[0]].shape), np.float32)
        for channel, kind in enumerate(filled):
            data[channel] = np.nan_to_num(images[kind], nan=0.0, posinf=0.0, neginf=0.0)
    return ChannelStack(data, tuple(taken))


def normalize_dixon(water: Image | None, fat: Image | None) -> Float32:
    """Normalize a water and a fat image jointly, slice by slice.

    Parameters
    ----------
    water, fat : ndarray of shape (x, y, z), or None
        Magnitude images in any unit; the third axis runs along the leg. One may be None if it was
        not acquired. An image of another contrast (in-phase, opposed-phase, T1-weighted) goes in
        as `water` with `fat` None.

    Returns
    -------
    ndarray of float32, shape (2, x, y, z)
        Channel 0 water, channel 1 fat, between 0 and :data:`CEILING`; a missing channel is
        :data:`MISSING_CHANNEL` throughout.

    Raises
    ------
    DataError
        If both images are missing, their shapes differ, or they hold no signal.
    """
    given = [image for image in (water, fat) if image is not None]
    if not given:
        raise DataError("Neither a water nor a fat image was given.", "Give at least one.")
    if len({image.shape for image in given}) > 1:
        raise DataError(
            f"Water {given[0].shape} and fat {given[1].shape} have different shapes.",
            "Resample one to the other first.",
        )
    magnitudes = [None if image is None else _magnitude(image) for image in (water, fat)]
    total = functools.reduce(np.add, [values for values in magnitudes if values is not None])
    scale = _slice_scales(total)
    normalized = np.full((2, *total.shape), MISSING_CHANNEL, np.float32)
    for channel, values in enumerate(magnitudes):
        if values is not None:
            normalized[channel] = np.clip(values / scale, 0.0, CEILING)
    return normalized


def _magnitude(image: Image) -> Float32:
    """Return finite magnitudes; what a reconstruction left undefined counts as no signal."""
    return np.nan_to_num(np.abs(image.astype(np.float32)), posinf=0.0)


def _slice_scales(total: Float32) -> Float32:
    """Return the scale of each slice of a volume of water + fat."""
    scales = np.array([_body_percentile(total[:, :, z]) for z in range(total.shape[2])])
    if not (scales > 0).any():
        raise DataError("The images hold no signal.", "Check that they are magnitude images.")
    floor = LEAST_SCALE_SHARE * np.median(scales[scales > 0])
    floored: Float32 = np.maximum(scales, floor).astype(np.float32)
    return floored


def _body_percentile(section: Float32) -> float:
    bright = float(np.percentile(section, 99.0))
    body = section[section > BODY_SHARE * bright]
    return float(np.percentile(body, SCALE_PERCENTILE)) if body.size and bright > 0 else 0.0
