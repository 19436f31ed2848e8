"""The intensity between background and tissue of a magnitude image.

The logarithmic histogram of a smoothed image has a mode of background (noise, zero, or both) and
one or more of tissue, with a wide empty valley between. The threshold is the middle of that valley,
lowered towards its edge in slices where the coil receives less.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.errors import DataError
from pipelines.water_fat.arrays import Image, Mask, Spacing

# In-plane Gaussian that averages noise away before the threshold is sought.
SMOOTHING_MM = 1.5
# Bright reference of the volume: high enough for one thin limb in a large field of view, below the
# few voxels next to a coil element.
REFERENCE_PERCENTILE = 99.5
# The valley lies between these shares of the reference. On six thigh, calf and leg scans of two
# vendors tissue began at 10-20 % and the background ended at 3-6 %.
VALLEY_RANGE = (0.015, 0.6)
HISTOGRAM_FLOOR = 1e-3
HISTOGRAM_BINS = 140
# A bin counts as empty up to this multiple of the emptiest one.
VALLEY_TOLERANCE = 1.5
# Below a valley lies at least this share of the voxels; otherwise there is no background.
MIN_BACKGROUND_SHARE = 0.005
# mean^2 / mean of squares in a neighbourhood: pi/4 = 0.79 for Rayleigh noise, 0.88 for the sum of
# two of them (water + fat), mostly above 0.95 in tissue, below 0.65 where tissue borders on zero.
NOISE_COHERENCE = (0.65, 0.92)
# The valley was taken below the noise if the darkest part of what lies above it is mostly noise.
DARKEST_SHARE = 0.2
NOISE_MAJORITY = 0.6
# Nothing but noise was found if this share of what lies above the final threshold looks like it.
MAX_NOISE_SHARE = 0.75
# Slices looked at; more do not change the threshold.
SAMPLED_SLICES = 16


def magnitude(data: npt.NDArray[Any]) -> Image:
    """Return absolute values as float32, with zero where the data are not finite."""
    finite = np.where(np.isfinite(data), data, 0)
    return np.abs(finite, dtype=np.float32, casting="unsafe")


def smoothed(data: npt.NDArray[Any], sigma_mm: float, spacing: Spacing) -> Image:
    """Return one slice after a Gaussian of at least half a voxel."""
    sigma = np.maximum(sigma_mm / spacing, 0.5)
    result: Image = ndimage.gaussian_filter(data.astype(np.float32), sigma, truncate=3.0)
    return result


def tissue_thresholds(
    signal: npt.NDArray[Any], smooth: Image, spacing: Spacing
) -> npt.NDArray[np.float64]:
    """Return for every slice the intensity of the smoothed image above which there is tissue.

    Parameters
    ----------
    signal : ndarray of shape (x, y, z)
        Magnitude image.
    smooth : ndarray of float32, same shape
        Its slices smoothed with a Gaussian of ``SMOOTHING_MM``.
    spacing : ndarray of shape (2,)
        In-plane voxel size, mm.

    Returns
    -------
    ndarray of shape (z,)

    Raises
    ------
    DataError
        If there is no signal or only noise.
    """
    share, noise_like, reference = _sample(signal, smooth, spacing)
    edge, middle = _valley(share, VALLEY_RANGE[0])
    # Where the scanner has zeroed a part of the background, the emptiest valley lies between zero
    # and the noise. The right one is then above the noise.
    darkest = share <= np.quantile(share[share > middle], DARKEST_SHARE)
    darkest &= share > middle
    if noise_like[darkest].mean() > NOISE_MAJORITY:
        edge, middle = _valley(share, float(np.median(share[darkest])))
    if noise_like[share > middle].mean() > MAX_NOISE_SHARE:
        raise DataError(
            "The body cannot be told from the background: the image looks like noise.",
            "Look at the image; late echoes and difference images cannot be used here.",
        )
    brightness = [
        np.percentile(smooth[::2, ::2, k], REFERENCE_PERCENTILE) for k in range(smooth.shape[2])
    ]
    return np.clip(middle * np.array(brightness), edge * reference, middle * reference)


def _sample(signal: npt.NDArray[Any], smooth: Image, spacing: Spacing) -> tuple[Image, Mask, float]:
    """Return levels relative to the reference, which of them look like noise, and the reference."""
    count = min(SAMPLED_SLICES, signal.shape[2])
    picked = np.unique(np.linspace(0, signal.shape[2] - 1, count).astype(int))
    level = smooth[::2, ::2, picked]
    reference = float(np.percentile(level, REFERENCE_PERCENTILE))
    if not reference > 0:
        raise DataError(
            "The image holds no signal: its voxels are zero or not finite.",
            "Check that the file is complete and that its intensity scaling is right.",
        )
    squares = [magnitude(signal[:, :, k]) / np.float32(reference) for k in picked]
    square = np.stack([smoothed(s**2, SMOOTHING_MM, spacing)[::2, ::2] for s in squares], axis=2)
    share = (level / np.float32(reference)).ravel()
    coherence = share**2 / np.maximum(square.ravel(), np.float32(1e-12))
    noise_like = (coherence > NOISE_COHERENCE[0]) & (coherence < NOISE_COHERENCE[1])
    return np.maximum(share, np.float32(HISTOGRAM_FLOOR)), noise_like, reference


def _valley(share: Image, lowest: float) -> tuple[float, float]:
    """Return the lower edge and the middle of the emptiest part of the histogram."""
    span = (np.log(HISTOGRAM_FLOOR), 0.0)
    counts, edges = np.histogram(np.log(share), HISTOGRAM_BINS, range=span)
    density = ndimage.gaussian_filter1d(counts / share.size, 2.0)
    centres = np.array([(a + b) / 2 for a, b in pairwise(edges)])
    inside = (centres > np.log(lowest)) & (centres < np.log(VALLEY_RANGE[1]))
    inside &= np.cumsum(counts) >= MIN_BACKGROUND_SHARE * share.size
    if not inside.any():
        return lowest, lowest
    empty = inside & (density <= VALLEY_TOLERANCE * density[inside].min() + 1e-5)
    runs, count = ndimage.label(empty)
    longest = 1 + int(np.argmax(ndimage.sum_labels(empty, runs, range(1, count + 1))))
    valley = centres[runs == longest]
    return float(np.exp(valley[0])), float(np.exp(valley.mean()))
