"""Bring water and fat images of any scanner to the intensities the thigh model was trained on.

nnU-Net's own z-score treats each channel alone and so removes the ratio of water to fat, which is
what tells muscle from fat. Here both channels of a slice share one scale: a high percentile of
water + fat inside the body. It does not move with disease (fat replacing muscle changes water and
fat, hardly their sum), and one scale per axial slice takes out the coil's fall-off along the leg.
"""

import functools

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError

Image = npt.NDArray[np.floating] | npt.NDArray[np.integer]

# Percentile of water + fat among body voxels that becomes 1.
SCALE_PERCENTILE = 90.0
# A voxel belongs to the body if water + fat exceeds this share of the slice's 99th percentile.
BODY_SHARE = 0.15
# A slice's scale never falls below this share of the volume's, so that empty slices stay empty.
LEAST_SCALE_SHARE = 0.1
# Brightest value passed on: vessels and coil hot spots carry no more information above it.
CEILING = 4.0
# Value of a channel that was not acquired. No image value is negative after normalization.
MISSING_CHANNEL = -1.0


def normalize_dixon(water: Image | None, fat: Image | None) -> npt.NDArray[np.float32]:
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


def _magnitude(image: Image) -> npt.NDArray[np.float32]:
    """Return finite magnitudes; what a reconstruction left undefined counts as no signal."""
    return np.nan_to_num(np.abs(image.astype(np.float32)), posinf=0.0)


def _slice_scales(total: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the scale of each slice of a volume of water + fat."""
    scales = np.array([_body_percentile(total[:, :, z]) for z in range(total.shape[2])])
    if not (scales > 0).any():
        raise DataError("The images hold no signal.", "Check that they are magnitude images.")
    floor = LEAST_SCALE_SHARE * np.median(scales[scales > 0])
    floored: npt.NDArray[np.float32] = np.maximum(scales, floor).astype(np.float32)
    return floored


def _body_percentile(section: npt.NDArray[np.float32]) -> float:
    bright = float(np.percentile(section, 99.0))
    body = section[section > BODY_SHARE * bright]
    return float(np.percentile(body, SCALE_PERCENTILE)) if body.size and bright > 0 else 0.0
