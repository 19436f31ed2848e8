"""Where the body is in a fat fraction map, when there is no magnitude image of the same scan.

Tissue is where the map is smooth; the background is noise, NaN, or one repeated value.
"""

import numpy as np
from scipy import ndimage
from skimage.morphology import isotropic_closing, isotropic_dilation, isotropic_opening

from pipelines.arrays import Affine, Array, Bool, Float32
from pipelines.errors import DataError
from pipelines.geometry import voxel_sizes
from pipelines.water_fat.body import check_volume, clean_mask

# Local statistics are taken over squares of this many voxels.
WINDOW = 5
# Where the background is noise, at least this share of the border of the image holds values; where
# it has been removed, only limbs reach the border.
NOISE_COVERAGE = 0.1
# Spread at the border of the image from which it is taken for noise, and the largest spread that
# tissue may then have, both as shares of the level of pure fat. Two IDEAL thighs: noise 0.10-0.11,
# subcutaneous fat 0.02-0.05. Where there is noise, half its spread is the limit, within this range.
NOISE_SPREAD = 0.06
TISSUE_SPREAD_RANGE = (0.04, 0.15)
BORDER_SHARE = 0.1
# Largest spread relative to the local mean where the level of pure fat is sought.
RELATIVE_SPREAD = 0.25
# No unit of fat fraction reaches this (1000 permille is pure fat); some software writes +-10000.
IMPOSSIBLE = 3000.0
# Speckles of noise that happen to be smooth are narrower than twice this radius.
SPECKLE_MM = 1.5
# Where subcutaneous fat is thin its ring has gaps; those up to twice this are closed.
CLOSING_MM = 10.0


def body_mask_from_ff(ff: Array, affine: Affine) -> Bool:
    """Find the body in a fat fraction map of unknown units, when no magnitude image is at hand.

    Tissue is where the map is smooth and holds a value; background is noise, NaN, or one value
    repeated along the border of the image. Muscle that touches no fat is found only if it is
    enclosed by it, so a magnitude image is the better source.
    """
    check_volume(ff)
    spacing = voxel_sizes(affine)[:2]
    background = background_value(ff)
    fat_level, largest_spread = _levels(ff, background)
    body = np.zeros(ff.shape, np.bool_)
    for k in range(ff.shape[2]):
        valid, mean, spread = _texture(ff[:, :, k], background)
        tissue = valid & (np.abs(mean) < 2 * fat_level)
        if largest_spread is not None:
            tissue &= spread < largest_spread
            tissue = isotropic_opening(tissue, SPECKLE_MM, spacing=spacing)
            tissue = isotropic_closing(tissue, CLOSING_MM, spacing=spacing)
            # Windows that reach into the noise have cut off the outermost voxels.
            tissue = isotropic_dilation(tissue, WINDOW // 2 * spacing.max(), spacing=spacing)
        body[:, :, k] = clean_mask(tissue, spacing)
    if not body.any():
        raise _no_body_in_ff()
    return body


def background_value(ff: Array) -> float:
    """Return the value of more than half of a map's in-plane border, or NaN if there is none."""
    border = np.concatenate([ff[0], ff[-1], ff[:, 0], ff[:, -1]]).ravel()
    values, counts = np.unique(border[np.isfinite(border)], return_counts=True)
    if values.size and counts.max() > 0.5 * counts.sum():
        return float(values[counts.argmax()])
    return float("nan")


def _texture(ff: Array, background: float) -> tuple[Bool, Float32, Float32]:
    """Return which voxels of a slice hold a value, and the local mean and spread of those."""
    valid = np.isfinite(ff) & (np.abs(np.nan_to_num(ff)) < IMPOSSIBLE) & (ff != background)
    values = np.where(valid, ff, 0).astype(np.float32)
    share = ndimage.uniform_filter(valid.astype(np.float32), WINDOW)
    weight = np.maximum(share, np.float32(1e-3))
    mean = np.asarray(ndimage.uniform_filter(values, WINDOW) / weight, np.float32)
    variance = ndimage.uniform_filter(values**2, WINDOW) / weight - mean**2
    valid &= share > 0.5
    return valid, mean, np.sqrt(np.maximum(variance, 0)).astype(np.float32)


def _levels(ff: Array, background: float) -> tuple[float, float | None]:
    """Return the value of pure fat and the largest spread of tissue; None if nothing is noisy."""
    width = [max(1, int(BORDER_SHARE * n)) for n in ff.shape[:2]]
    frame = np.ones(ff.shape[:2], np.bool_)
    frame[width[0] : -width[0], width[1] : -width[1]] = False
    means, spreads = [], []
    for k in range(ff.shape[2]):
        valid, mean, spread = _texture(ff[:, :, k], background)
        means.append(mean[valid & (mean > 0) & (spread < RELATIVE_SPREAD * mean)])
        spreads.append(spread[valid & frame])
    smooth, border = np.concatenate(means), np.concatenate(spreads)
    if smooth.size == 0:
        raise _no_body_in_ff()
    fat_level = float(np.percentile(smooth, 95))
    covered = border.size / (frame.sum() * ff.shape[2])
    if covered < NOISE_COVERAGE or np.median(border) < NOISE_SPREAD * fat_level:
        return fat_level, None
    low, high = (share * fat_level for share in TISSUE_SPREAD_RANGE)
    return fat_level, float(np.clip(np.median(border) / 2, low, high))


def _no_body_in_ff() -> DataError:
    return DataError(
        "No body was found in the fat fraction map: it holds no smooth region with fat.",
        "Give the water and fat images, or an in-phase image of the same scan.",
    )
