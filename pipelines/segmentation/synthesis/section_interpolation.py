"""Interpolate fields and label maps along the leg."""

import numpy as np
import numpy.typing as npt

from pipelines.segmentation.synthesis.canvas import SECTION_MM, Field, Mask
from pipelines.segmentation.synthesis.label_cleaning import LabelMap, signed_distance

# Distance (pixels) outside an outline that stands for "ends here": a muscle that is in one slice
# and not in the next tapers to nothing half-way.
ENDED = -8.0


def interpolate(fields: dict[float, Field], grid: npt.NDArray[np.float64]) -> Field:
    """Interpolate fields known at some heights linearly to the heights of the grid."""
    known = np.array(sorted(fields))
    stack = np.empty((*next(iter(fields.values())).shape, grid.size), np.float32)
    for k, height in enumerate(np.clip(grid, known[0], known[-1])):
        high = min(int(np.searchsorted(known, height)), known.size - 1)
        low = max(high - 1, 0)
        gap = known[high] - known[low]
        weight = (height - known[low]) / gap if gap > 0 else 0.0
        stack[:, :, k] = (1 - weight) * fields[known[low]] + weight * fields[known[high]]
    return stack


def interpolate_labels(
    leg: LabelMap, heights: npt.NDArray[np.float64], grid: npt.NDArray[np.float64]
) -> npt.NDArray[np.uint8]:
    """Interpolate a label map along the leg by the signed distances of its muscles.

    A muscle that ends between two slices tapers to nothing half-way.
    """
    tissue = np.zeros((*leg.shape[:2], grid.size), np.uint8)
    best = np.zeros(tissue.shape, np.float32)
    step = float(np.diff(heights).mean()) if heights.size > 1 else SECTION_MM
    for value in np.unique(leg[leg > 0]):
        mask = leg == value
        window = _bounding_window(mask.any(axis=2), margin=8)
        mask = mask[window]
        sections = {
            float(h): signed_distance(mask[:, :, z])
            for z, h in enumerate(heights)
            if mask[:, :, z].any()
        }
        first, last = min(sections), max(sections)
        inner = np.flatnonzero((grid > first - step / 2) & (grid < last + step / 2))
        far = np.full(mask.shape[:2], ENDED, np.float32)
        field = interpolate({first - step: far, **sections, last + step: far}, grid[inner])
        region = (*window, slice(inner[0], inner[-1] + 1))
        wins = field > best[region]
        tissue[region][wins] = value
        best[region][wins] = field[wins]
    return tissue


def _bounding_window(mask: Mask, margin: int) -> tuple[slice, slice]:
    """Return the window of a mask with a margin, clipped to its array."""
    window = []
    for axis in (0, 1):
        used = np.flatnonzero(mask.any(axis=1 - axis))
        window.append(slice(max(used[0] - margin, 0), used[-1] + margin + 1))
    return window[0], window[1]
