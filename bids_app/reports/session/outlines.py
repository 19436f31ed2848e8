"""Outlines of labels as SVG paths, in millimetres on the screen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from pipelines.arrays import Array, Float64

# How far a simplified outline may leave the traced one, in voxels: well under what can be seen,
# and a third of the points.
_TOLERANCE_VOXELS = 0.4


@dataclass(frozen=True)
class Outline:
    """Outline of one label in one slice, mm from the upper left corner of the picture."""

    value: int
    path: str  # of SVG, to be filled with the even-odd rule
    center: tuple[float, float]  # (x, y) deepest inside, where a text is best put
    radius: float  # distance from `center` to the outline


def outlines(screen: Array, spacing: tuple[float, float]) -> list[Outline]:
    """Trace every label of a slice as shown, by value; 0 is background, pixels are `spacing` mm."""
    found = []
    boxes: Sequence[tuple[slice, ...] | None] = ndimage.find_objects(screen.astype(np.int32))
    for value, box in enumerate(boxes, start=1):
        if box is None:
            continue
        # One background pixel all around closes every contour.
        mask = np.pad(screen[box] == value, 1)
        corner = np.array([box[0].start, box[1].start]) - 1
        found.append(_outline(value, mask, corner, spacing))
    return found


def _outline(value: int, mask: Array, corner: Array, spacing: tuple[float, float]) -> Outline:
    row_column_size = np.array([spacing[1], spacing[0]])
    parts = []
    for contour in find_contours(mask.astype(np.uint8), 0.5):
        polygon = simplify(contour, _TOLERANCE_VOXELS)
        # Pixel centres have whole-number coordinates; the picture's corner is half a pixel before.
        points = (polygon + corner + 0.5) * row_column_size
        parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for y, x in points[:-1]) + "Z")
    depth = ndimage.distance_transform_edt(mask, sampling=row_column_size)
    deepest = np.unravel_index(int(np.argmax(depth)), depth.shape)
    y, x = (np.array(deepest) + corner + 0.5) * row_column_size
    return Outline(value, "".join(parts), (float(x), float(y)), float(depth.max()))


def simplify(line: Float64, tolerance: float) -> Float64:
    """Leave out points (n, 2) so that none lies further than `tolerance` from what is left.

    There are at least two; the first and the last are kept, and may be the same.
    """
    kept = np.zeros(len(line), np.bool_)
    kept[[0, -1]] = True
    while True:
        corners = np.flatnonzero(kept)
        piece = np.repeat(np.arange(len(corners) - 1), np.diff(corners))
        away = _distance(line[:-1], line[corners[piece]], line[corners[piece + 1]])
        farthest = np.maximum.reduceat(away, corners[:-1])
        new = np.flatnonzero((away == farthest[piece]) & (away > tolerance))
        if new.size == 0:
            return line[kept]
        _, first = np.unique(piece[new], return_index=True)
        kept[new[first]] = True


def _distance(points: Float64, start: Float64, end: Float64) -> Float64:
    """Return how far each point is from the straight piece between `start` and `end`."""
    along, from_start, from_end = end - start, points - start, points - end
    angle = -np.arctan2(along[:, 0], along[:, 1])
    normal = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    across: Float64 = np.abs((points * normal).sum(axis=1) - (start * normal).sum(axis=1))
    beside = ((from_start * along).sum(axis=1) > 0) & ((from_end * along).sum(axis=1) < 0)
    ends = np.minimum(*(np.sqrt((d**2).sum(axis=1)) for d in (from_start, from_end)))
    return np.where(beside, across, ends)
