"""Outlines of labels as SVG paths, in millimetres on the screen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from bids_app.reports.polygons import simplify
from pipelines.geometry import Array

# How far a simplified outline may leave the traced one, in voxels: well under what can be seen,
# and a third of the points.
_TOLERANCE_VOXELS = 0.4


@dataclass(frozen=True)
class Outline:
    """Outline of one label in one slice.

    Attributes
    ----------
    value : int
        Value of the label.
    path : str
        Data of an SVG path, mm from the picture's upper left corner; to be filled with the
        even-odd rule.
    center : tuple of float
        Point (x, y) deepest inside the label, where a text is best put, mm.
    radius : float
        Distance from `center` to the outline, mm.
    """

    value: int
    path: str
    center: tuple[float, float]
    radius: float


def outlines(screen: Array, spacing: tuple[float, float]) -> list[Outline]:
    """Trace every label of a slice.

    Parameters
    ----------
    screen : ndarray of shape (rows, columns)
        Labels as shown (see :func:`bids_app.reports.axial.to_screen`); 0 is background.
    spacing : tuple of float
        Width and height of a pixel, mm.

    Returns
    -------
    list of Outline
        In the order of the values.
    """
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
