"""Fat fraction from a water and a fat image, and what its voxels are worth."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Array, Bool, Float32
from pipelines.errors import DataError

# An intensity that so many voxels share, and that is so many times as frequent as the intensities
# just below it, is where the receiver or the file format clipped the signal.
SATURATED_MIN_VOXELS = 20
SATURATED_PEAK = 10.0
SATURATED_NEIGHBOURHOOD = 0.02


@dataclass(frozen=True)
class VoxelCounts:
    """Voxels of the body, and those whose fat fraction is doubtful or missing.

    Water or fat is not finite, below zero, or clipped; empty voxels have no signal (water + fat =
    0).
    """

    body: int
    non_finite: int
    negative: int
    saturated: int
    empty: int


def fat_fraction(water: Array, fat: Array) -> Float32:
    """Compute fat / (water + fat) in percent.

    Negative intensities, which magnitude images cannot have but rounded or real-valued ones do,
    count as zero, so that the result stays within 0-100. NaN where there is no signal (0/0 is
    background, not 0 % fat) and where water or fat is not finite.
    """
    if water.shape != fat.shape:
        raise DataError(
            f"Water has shape {water.shape}, fat has shape {fat.shape}.",
            "Bring both to one grid first (match_grids).",
        )
    result = np.empty(water.shape, np.float32)
    flat = [np.atleast_1d(image) for image in (water, fat, result)]
    # Slab by slab: the temporaries of a large volume would take more memory than the volume.
    for w, f, out in zip(*(image.reshape(len(image), -1) for image in flat), strict=True):
        finite = np.isfinite(w) & np.isfinite(f)
        w_positive = np.where(finite, w, 0).clip(0).astype(np.float64)
        f_positive = np.where(finite, f, 0).clip(0).astype(np.float64)
        total = w_positive + f_positive
        known = finite & (total > 0)
        out[:] = np.where(known, 100.0 * f_positive / np.where(known, total, 1.0), np.nan)
    return result


def saturated_voxels(image: Array) -> Bool:
    """Find voxels clipped at the largest value the scanner or the file could hold.

    Clipping shows as a spike of the histogram at its upper end: many voxels with exactly the
    largest value, and far fewer at each of the values just below.
    """
    largest = np.max(image, initial=0, where=np.isfinite(image))
    at_top: Bool = image == largest
    near = image[(image >= (1 - SATURATED_NEIGHBOURHOOD) * largest) & (image < largest)]
    count = int(at_top.sum())
    if largest <= 0 or count < SATURATED_MIN_VOXELS or near.size == 0:
        return np.zeros(image.shape, np.bool_)
    per_value = near.size / np.unique(near).size
    if count < SATURATED_PEAK * per_value:
        return np.zeros(image.shape, np.bool_)
    return at_top


def count_voxels(water: Array, fat: Array, body: Bool) -> VoxelCounts:
    """Count the doubtful voxels of water and fat images inside the body."""
    w, f = water[body], fat[body]
    finite = np.isfinite(w) & np.isfinite(f)
    saturated = saturated_voxels(water)[body] | saturated_voxels(fat)[body]
    return VoxelCounts(
        body=int(body.sum()),
        non_finite=int((~finite).sum()),
        negative=int(((w < 0) | (f < 0)).sum()),
        saturated=int(saturated.sum()),
        empty=int((finite & (w <= 0) & (f <= 0)).sum()),
    )
