"""Where the body is: a mask from any magnitude image or from a fat fraction map alone.

The mask must hold for a leg that is all fat as well as for one that is all muscle, so it never
looks at what the tissue is, only at signal against background.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import isotropic_opening

from pipelines.errors import DataError
from pipelines.geometry import Affine, voxel_sizes

Mask = npt.NDArray[np.bool_]
Image = npt.NDArray[np.float32]

# In-plane Gaussian that averages noise away before the threshold is sought.
SMOOTHING_MM = 1.5
# Bright reference of the volume: high enough for one arm in a large field of view, below the few
# voxels next to a coil element.
REFERENCE_PERCENTILE = 99.5
# The threshold is the emptiest part of the logarithmic histogram between these shares of the
# reference. On six thigh, calf and leg scans of two vendors tissue began at 10-20 % and the
# background ended at 3-6 %.
VALLEY_RANGE = (0.015, 0.6)
HISTOGRAM_FLOOR = 1e-3
HISTOGRAM_BINS = 140
# A bin counts as empty up to this multiple of the emptiest one.
VALLEY_TOLERANCE = 1.5
# mean^2 / mean of squares in a neighbourhood: pi/4 = 0.79 for Rayleigh noise, 0.88 for the sum of
# two of them (water + fat), above 0.95 in tissue.
NOISE_COHERENCE = (0.65, 0.92)
MAX_NOISE_SHARE = 0.3
# Slices looked at for the threshold; more do not change it.
SAMPLED_SLICES = 16
# The outline is drawn where the signal falls to this share of the tissue around it.
EDGE_LEVEL = 0.35
EDGE_NEIGHBOURHOOD_MM = 5.0
# Ghosts, ringing and straps are thinner than twice this radius.
OPENING_MM = 3.0
MIN_AREA_CM2 = 2.0


def body_mask(signal: npt.NDArray[Any], affine: Affine) -> Mask:
    """Find the body in a magnitude image.

    The threshold is the valley of the logarithmic histogram of the smoothed image, one for the
    volume; the outline then follows the local tissue level, holes are filled in every slice, and
    ghosts and other thin or small pieces are dropped. Arms in the field of view are body.

    Parameters
    ----------
    signal : ndarray of shape (x, y, z)
        Water + fat, or any magnitude image. Non-finite voxels count as no signal.
    affine : ndarray of shape (4, 4)
        Its affine, mm.

    Returns
    -------
    ndarray of bool, shape (x, y, z)

    Raises
    ------
    DataError
        If there is no signal, or nothing in the image rises above the noise.
    """
    check_volume(signal)
    spacing = voxel_sizes(affine)[:2]
    smooth = np.empty(signal.shape, np.float32)
    for k in range(signal.shape[2]):
        smooth[:, :, k] = _smooth(_magnitude(signal[:, :, k]), SMOOTHING_MM, spacing)
    threshold = _threshold(signal, smooth, spacing)
    body = np.zeros(signal.shape, np.bool_)
    for k in range(signal.shape[2]):
        coarse = smooth[:, :, k] > threshold
        if coarse.any():
            outlined = _outline(_magnitude(signal[:, :, k]), coarse, threshold, spacing)
            body[:, :, k] = clean_mask(outlined, spacing)
    if not body.any():
        raise DataError(
            "No body was found in the image: nothing of the size of a limb stands out.",
            "Look at the image; is it the right file, and is its voxel size right?",
        )
    return body


def skin_depth(body: Mask, affine: Affine) -> Image:
    """Return how deep every voxel of one slice lies under the skin, in mm.

    The distance is measured in the plane to the nearest point outside the body. The border of the
    image is not skin: a limb that is cut by it has no depth from there.

    Parameters
    ----------
    body : ndarray of bool, shape (x, y)
        Body mask of a slice.
    affine : ndarray of shape (4, 4)
        Affine of the volume, mm.
    """
    if body.all():
        return np.full(body.shape, np.inf, np.float32)
    depth = ndimage.distance_transform_edt(body, sampling=voxel_sizes(affine)[:2])
    return np.asarray(depth, np.float32)


def check_volume(data: npt.NDArray[Any]) -> None:
    """Refuse an array that is not one volume.

    Raises
    ------
    DataError
        If it does not have three axes.
    """
    if data.ndim != 3:
        raise DataError(
            f"A volume with three axes was expected, this one has shape {data.shape}.",
            "Give one image per contrast; split a 4D file first.",
        )


def _magnitude(data: npt.NDArray[Any]) -> Image:
    finite = np.where(np.isfinite(data), data, 0)
    return np.abs(finite, dtype=np.float32, casting="unsafe")


def _smooth(data: npt.NDArray[Any], sigma_mm: float, spacing: npt.NDArray[np.float64]) -> Image:
    sigma = np.maximum(sigma_mm / spacing, 0.5)
    smooth: Image = ndimage.gaussian_filter(data.astype(np.float32), sigma, truncate=3.0)
    return smooth


def _threshold(
    signal: npt.NDArray[Any], smooth: Image, spacing: npt.NDArray[np.float64]
) -> np.float32:
    """Return the level between background and tissue, in units of the image."""
    picked = np.unique(
        np.linspace(0, signal.shape[2] - 1, min(SAMPLED_SLICES, signal.shape[2])).astype(int)
    )
    level = smooth[::2, ::2, picked]
    square = np.stack(
        [
            _smooth(_magnitude(signal[:, :, k]) ** 2, SMOOTHING_MM, spacing)[::2, ::2]
            for k in picked
        ],
        axis=2,
    )
    reference = np.percentile(level, REFERENCE_PERCENTILE)
    if not reference > 0:
        raise DataError(
            "The image holds no signal: its voxels are zero or not finite.",
            "Check that the file is complete and that its intensity scaling is right.",
        )
    share = np.maximum(level / reference, HISTOGRAM_FLOOR).ravel()
    coherence = (level**2 / np.maximum(square, np.finfo(np.float32).tiny)).ravel()
    noise_like = (coherence > NOISE_COHERENCE[0]) & (coherence < NOISE_COHERENCE[1])
    lowest = VALLEY_RANGE[0]
    # Where the scanner zeroed part of the background, the emptiest valley may lie between zero and
    # the noise: then what stands above it is mostly noise, and the search goes on above that.
    for _ in range(2):
        valley = _valley(share, lowest)
        above = share > valley
        if noise_like[above].mean() <= MAX_NOISE_SHARE:
            return np.float32(valley * reference)
        lowest = float(np.median(share[above & noise_like]))
        if lowest >= VALLEY_RANGE[1]:
            break
    raise DataError(
        "The body cannot be told from the background: the image looks like noise.",
        "Look at the image; late echoes and difference images cannot be used here.",
    )


def _valley(share: Image, lowest: float) -> float:
    """Return the middle of the emptiest part of the logarithmic histogram above `lowest`."""
    counts, edges = np.histogram(
        np.log(share), HISTOGRAM_BINS, range=(np.log(HISTOGRAM_FLOOR), 0.0)
    )
    density = ndimage.gaussian_filter1d(counts / counts.sum(), 2.0)
    centres = np.array([(a + b) / 2 for a, b in pairwise(edges)])
    inside = (centres > np.log(lowest)) & (centres < np.log(VALLEY_RANGE[1]))
    empty = inside & (density <= VALLEY_TOLERANCE * density[inside].min() + 1e-5)
    runs, count = ndimage.label(empty)
    longest = 1 + int(np.argmax(ndimage.sum_labels(empty, runs, range(1, count + 1))))
    return float(np.exp(centres[runs == longest].mean()))


def _outline(
    signal: Image, coarse: Mask, threshold: np.float32, spacing: npt.NDArray[np.float64]
) -> Mask:
    """Move the outline, which smoothing has blown up, to where the local tissue ends."""
    inside = _smooth(coarse, EDGE_NEIGHBOURHOOD_MM, spacing)
    tissue = _smooth(np.where(coarse, signal, 0), EDGE_NEIGHBOURHOOD_MM, spacing)
    local = tissue / np.maximum(inside, np.float32(1e-3))
    sharp = _smooth(signal, 0.5 * SMOOTHING_MM, spacing)
    outlined: Mask = coarse & (sharp > np.maximum(EDGE_LEVEL * local, threshold))
    return outlined


def clean_mask(mask: Mask, spacing: npt.NDArray[np.float64]) -> Mask:
    """Fill holes, cut off what is thin and drop what is small, in one slice."""
    filled = ndimage.binary_fill_holes(mask)
    opened = isotropic_opening(filled, OPENING_MM, spacing=spacing)
    pieces, count = ndimage.label(opened)
    if count == 0:
        return np.zeros(mask.shape, np.bool_)
    area_cm2 = np.bincount(pieces.ravel()) * spacing.prod() / 100.0
    keep = area_cm2 >= MIN_AREA_CM2
    keep[0] = False
    kept: Mask = keep[pieces]
    return kept
