"""Where the body is in a magnitude image, and how deep under the skin a voxel lies.

The mask must hold for a leg that is all fat as well as for one that is all muscle, so it never
looks at what the tissue is, only at signal against background.
"""

from itertools import pairwise

import numpy as np
from scipy import ndimage
from skimage.morphology import isotropic_opening

from pipelines.arrays import Affine, Array, Bool, Float32, Float64
from pipelines.errors import DataError
from pipelines.geometry import voxel_sizes

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


# The outline is drawn where the signal falls to this share of the tissue around it.
EDGE_LEVEL = 0.25
EDGE_NEIGHBOURHOOD_MM = 5.0
# Ghosts, ringing and straps are thinner than twice this radius.
OPENING_MM = 3.0
MIN_AREA_CM2 = 2.0


def body_mask(signal: Array, affine: Affine) -> Bool:
    """Find the body in a magnitude image.

    The threshold is the valley of the logarithmic histogram of the smoothed image; the outline
    then follows the local tissue level, holes are filled in every slice, and ghosts and other thin
    or small pieces are dropped. Arms in the field of view are body.

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
        smooth[:, :, k] = _smoothed(magnitude(signal[:, :, k]), SMOOTHING_MM, spacing)
    thresholds = _tissue_thresholds(signal, smooth, spacing)
    body = np.zeros(signal.shape, np.bool_)
    for k in range(signal.shape[2]):
        coarse = smooth[:, :, k] > thresholds[k]
        if coarse.any():
            outlined = _outline(magnitude(signal[:, :, k]), coarse, thresholds[k], spacing)
            body[:, :, k] = clean_mask(outlined, spacing)
    if not body.any():
        raise DataError(
            "No body was found in the image: nothing of the size of a limb stands out.",
            "Look at the image; is it the right file, and is its voxel size right?",
        )
    return body


def skin_depth(body: Bool, affine: Affine) -> Float32:
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


def check_volume(data: Array) -> None:
    """Refuse an array that is not one volume."""
    if data.ndim != 3:
        raise DataError(
            f"A volume with three axes was expected, this one has shape {data.shape}.",
            "Give one image per contrast; split a 4D file first.",
        )


def _outline(signal: Float32, coarse: Bool, threshold: float, spacing: Float64) -> Bool:
    """Move the outline, which smoothing has blown up, to where the local tissue ends."""
    inside = _smoothed(coarse, EDGE_NEIGHBOURHOOD_MM, spacing)
    tissue = _smoothed(np.where(coarse, signal, 0), EDGE_NEIGHBOURHOOD_MM, spacing)
    local = tissue / np.maximum(inside, np.float32(1e-3))
    sharp = _smoothed(signal, 0.5 * SMOOTHING_MM, spacing)
    outlined: Bool = coarse & (sharp > np.maximum(EDGE_LEVEL * local, threshold))
    return outlined


def clean_mask(mask: Bool, spacing: Float64) -> Bool:
    """Fill holes, cut off what is thin and drop what is small, in one slice."""
    filled = ndimage.binary_fill_holes(mask)
    opened = isotropic_opening(filled, OPENING_MM, spacing=spacing)
    pieces, count = ndimage.label(opened)
    if count == 0:
        return np.zeros(mask.shape, np.bool_)
    area_cm2 = np.bincount(pieces.ravel()) * spacing.prod() / 100.0
    keep = area_cm2 >= MIN_AREA_CM2
    keep[0] = False
    kept: Bool = keep[pieces]
    return kept


def magnitude(data: Array) -> Float32:
    """Return absolute values as float32, with zero where the data are not finite."""
    finite = np.where(np.isfinite(data), data, 0)
    return np.abs(finite, dtype=np.float32, casting="unsafe")


def _smoothed(data: Array, sigma_mm: float, spacing: Float64) -> Float32:
    """Return one slice after a Gaussian of at least half a voxel."""
    sigma = np.maximum(sigma_mm / spacing, 0.5)
    result: Float32 = ndimage.gaussian_filter(data.astype(np.float32), sigma, truncate=3.0)
    return result


def _tissue_thresholds(signal: Array, smooth: Float32, spacing: Float64) -> Float64:
    """Return for every slice the intensity of the smoothed image above which there is tissue.

    `smooth` holds the slices of the image after a Gaussian of ``SMOOTHING_MM``.
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


def _sample(signal: Array, smooth: Float32, spacing: Float64) -> tuple[Float32, Bool, float]:
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
    square = np.stack([_smoothed(s**2, SMOOTHING_MM, spacing)[::2, ::2] for s in squares], axis=2)
    share = (level / np.float32(reference)).ravel()
    coherence = share**2 / np.maximum(square.ravel(), np.float32(1e-12))
    noise_like = (coherence > NOISE_COHERENCE[0]) & (coherence < NOISE_COHERENCE[1])
    return np.maximum(share, np.float32(HISTOGRAM_FLOOR)), noise_like, reference


def _valley(share: Float32, lowest: float) -> tuple[float, float]:
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
