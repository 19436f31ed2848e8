"""Axial slices as a reader of scans expects them: anterior on top, the patient's right on the left.

Arrays come in canonical order (axis 0 to the patient's right, axis 1 to anterior, axis 2 to
superior); a *screen* array has rows from the top and columns from the left of the picture.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Affine, Array
from pipelines.geometry import voxel_sizes

# Subcutaneous fat rarely lies further from the muscles; where the background is noise without a
# mask, this keeps the picture from showing the whole field of view.
_AROUND_MUSCLES_MM = 60.0

# Air left around the body.
_MARGIN_MM = 4.0


@dataclass(frozen=True)
class Window:
    """The part of the axial plane that is shown: voxels along axes 0 and 1, and their size, mm."""

    x: slice
    y: slice
    spacing: tuple[float, float]

    @property
    def width_mm(self) -> float:
        """Width of the picture."""
        return float((self.x.stop - self.x.start) * self.spacing[0])

    @property
    def height_mm(self) -> float:
        """Height of the picture."""
        return float((self.y.stop - self.y.start) * self.spacing[1])


def to_screen(volume: Array, index: int, window: Window) -> Array:
    """Cut slice `index` of axis 2 (canonical): row 0 is anterior, column 0 the patient's right."""
    plane = volume[window.x, window.y, index]
    return plane.T[::-1, ::-1]


def body_window(fat_fraction: Array, labels: Array | None, affine: Affine) -> Window:
    """Find the part of the axial plane that holds values (NaN elsewhere) or labels, else all."""
    sizes = voxel_sizes(affine)
    bounds = []
    for axis, size in ((0, sizes[0]), (1, sizes[1])):
        others = (1 - axis, 2)
        low, high = _extent(np.isfinite(fat_fraction), others)
        margin = round(_MARGIN_MM / size)
        low, high = low - margin, high + margin
        if labels is not None and labels.any():
            first, last = _extent(labels, others)
            around = round(_AROUND_MUSCLES_MM / size)
            low, high = max(low, first - around), min(high, last + around)
        bounds.append(slice(max(low, 0), min(high, fat_fraction.shape[axis])))
    return Window(bounds[0], bounds[1], (float(sizes[0]), float(sizes[1])))


def shown_slices(fat_fraction: Array, labels: Array | None, maximum: int) -> list[int]:
    """Choose slices spread evenly over the labels, else over the values, head end first."""
    inside = (np.isfinite(fat_fraction) if labels is None else labels > 0).any(axis=(0, 1))
    if not inside.any():
        inside = np.isfinite(fat_fraction).any(axis=(0, 1))
    candidates = np.flatnonzero(inside)
    if len(candidates) == 0:
        return []
    picks = np.linspace(0, len(candidates) - 1, min(maximum, len(candidates)))
    return [int(candidates[i]) for i in np.rint(picks).astype(int)][::-1]


def fullest_slice(labels: Array) -> int:
    """Return the slice with the most labels; among equals, the one with the largest area."""
    counts = [len(np.unique(labels[..., k])) for k in range(labels.shape[2])]
    areas = np.count_nonzero(labels, axis=(0, 1))
    return int(np.lexsort((areas, counts))[-1])


def _extent(volume: Array, others: tuple[int, int]) -> tuple[int, int]:
    """Return the half-open range along the remaining axis that holds all that is not zero."""
    inside = volume.any(axis=others)
    hits = np.flatnonzero(inside)
    return (int(hits[0]), int(hits[-1]) + 1) if len(hits) else (0, np.size(inside))
