"""Cut a label image into its cross-sections: the connected pieces of each label in each slice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.arrays import Affine, Float64, Int32, Integer
from pipelines.geometry import voxel_sizes

# Smaller pieces are islands of a prediction, not muscles.
MIN_SECTION_MM2 = 20.0


@dataclass(frozen=True)
class Section:
    """One connected piece of one label in one slice (an index along axis 2).

    `x` and `y` are indices of its voxels, `points` (n, 2) their world coordinates (left-right and
    posterior-anterior, mm), `area` is in mm2.
    """

    value: int
    slice: int
    x: Int32
    y: Int32
    points: Float64
    area: float

    @property
    def centre(self) -> Float64:
        """Centroid in world coordinates, mm."""
        mean: Float64 = self.points.mean(axis=0)
        return mean


def find_sections(labels: Integer, affine: Affine, values: Iterable[int]) -> list[Section]:
    """Return every cross-section of the given labels, slice by slice."""
    wanted = set(values)
    pixel = float(np.prod(voxel_sizes(affine)[:2]))
    touching = np.ones((3, 3), int)
    found = []
    for k in range(labels.shape[2]):
        plane = labels[:, :, k]
        for value, box in enumerate(ndimage.find_objects(plane), start=1):
            if box is None or value not in wanted:
                continue
            pieces, _ = ndimage.label(plane[box] == value, touching)
            x, y = np.nonzero(pieces)
            number = pieces[x, y]
            order = np.argsort(number, kind="stable")
            breaks = np.flatnonzero(np.diff(number[order])) + 1
            for members in np.split(order, breaks):
                i = (x[members] + box[0].start).astype(np.int32)
                j = (y[members] + box[1].start).astype(np.int32)
                points = np.stack([i, j], axis=1) @ affine[:2, :2].T
                points += affine[:2, 2] * k + affine[:2, 3]
                found.append(Section(value, k, i, j, points, len(i) * pixel))
    return found


def joint_centre(sections: Sequence[Section]) -> Float64:
    """Return the centroid of several sections in world coordinates, mm."""
    centre: Float64 = np.average(
        [s.centre for s in sections], axis=0, weights=[s.area for s in sections]
    )
    return centre
