"""Where the body is in a magnitude image, and how deep under the skin a voxel lies.

The mask must hold for a leg that is all fat as well as for one that is all muscle, so it never
looks at what the tissue is, only at signal against background.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.morphology import isotropic_opening

from pipelines.errors import DataError
from pipelines.geometry import Affine, voxel_sizes
from pipelines.water_fat.arrays import Image, Mask, Spacing
from pipelines.water_fat.threshold import (
    SMOOTHING_MM,
    magnitude,
    smoothed,
    tissue_thresholds,
)

# The outline is drawn where the signal falls to this share of the tissue around it.
EDGE_LEVEL = 0.25
EDGE_NEIGHBOURHOOD_MM = 5.0
# Ghosts, ringing and straps are thinner than twice this radius.
OPENING_MM = 3.0
MIN_AREA_CM2 = 2.0


def body_mask(signal: npt.NDArray[Any], affine: Affine) -> Mask:
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
        smooth[:, :, k] = smoothed(magnitude(signal[:, :, k]), SMOOTHING_MM, spacing)
    thresholds = tissue_thresholds(signal, smooth, spacing)
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


def _outline(signal: Image, coarse: Mask, threshold: float, spacing: Spacing) -> Mask:
    """Move the outline, which smoothing has blown up, to where the local tissue ends."""
    inside = smoothed(coarse, EDGE_NEIGHBOURHOOD_MM, spacing)
    tissue = smoothed(np.where(coarse, signal, 0), EDGE_NEIGHBOURHOOD_MM, spacing)
    local = tissue / np.maximum(inside, np.float32(1e-3))
    sharp = smoothed(signal, 0.5 * SMOOTHING_MM, spacing)
    outlined: Mask = coarse & (sharp > np.maximum(EDGE_LEVEL * local, threshold))
    return outlined


def clean_mask(mask: Mask, spacing: Spacing) -> Mask:
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
