"""How the muscles of a limb are arranged in each slice: their shares and places."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.anatomy.vocabulary import SIDES, Side, muscles
from pipelines.arrays import Affine, Float64, Index, UInt16
from pipelines.segmentation.sides.limb_side import rightwards_direction


@dataclass(frozen=True)
class Arrangements:
    """Arrangement of m muscles in n cross-sections of limbs.

    Attributes
    ----------
    muscles : tuple of str
        The m muscles.
    share : ndarray of shape (n, m)
        Of the cross-section's labelled area; rows add up to 1.
    medial, anterior : ndarray of shape (n, m)
        Mean distance from the centre of the labelled area in these directions, in units of the
        radius of a disc of that area; 0 where the muscle is absent.
    """

    muscles: tuple[str, ...]
    share: Float64
    medial: Float64
    anterior: Float64

    def restricted(self, kept: Sequence[str]) -> "Arrangements":
        """Return what would have been found had only these muscles been labelled."""
        columns = [self.muscles.index(muscle) for muscle in kept]
        share = self.share[:, columns]
        total = share.sum(axis=1)
        rows = total > 0
        share, total = share[rows] / total[rows, None], total[rows]
        places = []
        for place in (self.medial, self.anterior):
            own = place[np.ix_(rows, columns)]
            centre = (share * own).sum(axis=1)
            # The disc has shrunk with the labelled area.
            moved = (own - centre[:, None]) / np.sqrt(total)[:, None]
            places.append(np.where(share > 0, moved, 0.0))
        return Arrangements(tuple(kept), share, *places)


@dataclass(frozen=True)
class LimbSlices:
    """The cross-sections of a scan's limbs that have labels, by side and then by slice.

    Attributes
    ----------
    side : tuple of str
        ``left`` or ``right``, one for each of the n cross-sections.
    slice : ndarray of int, shape (n,)
        Index along axis 2.
    area_cm2 : ndarray of shape (n,)
        Labelled area.
    arrangements : Arrangements
        How the muscles lie in it.
    """

    side: tuple[Side, ...]
    slice: Index
    area_cm2: Float64
    arrangements: Arrangements


def describe_slices(labels: UInt16, affine: Affine, names: Sequence[str]) -> LimbSlices:
    """Measure how muscles are arranged in every slice of every limb.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, our values, in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    names : sequence of str
        Muscles to look at; labels of others count as background.

    Returns
    -------
    LimbSlices
        Medial points to the other limb, or along the scanner's left-right axis if there is one.
    """
    column = np.full(int(labels.max()) + 1, -1, np.intp)
    limb_of = np.zeros(len(column), np.intp)
    for index, name in enumerate(names):
        for number, side in enumerate(SIDES, start=1):
            value = muscles()[name].value(side)
            if value < len(column):
                column[value], limb_of[value] = index, number
    x, y, z = np.nonzero(column[labels] >= 0)
    values = labels[x, y, z]
    points = np.stack([x, y], axis=1) @ affine[:2, :2].T + z[:, None] * affine[:2, 2]
    limb = limb_of[values]
    section = (limb - 1) * labels.shape[2] + z
    n_sections = 2 * labels.shape[2]
    count = np.bincount(section, minlength=n_sections)
    filled = np.maximum(count, 1)
    centre = np.stack(
        [np.bincount(section, points[:, i], n_sections) / filled for i in (0, 1)], axis=1
    )
    pixel = abs(float(np.linalg.det(affine[:2, :2])))
    radius = np.sqrt(filled * pixel / np.pi)
    relative = (points - centre[section]) / radius[section, None]
    rightwards = rightwards_direction(points, limb)
    forwards = np.array([-rightwards[1], rightwards[0]])
    inwards = np.where(limb == 1, 1.0, -1.0) * (relative @ rightwards)
    cell = section * len(names) + column[values]
    size, medial, anterior = (
        np.bincount(cell, weights, n_sections * len(names)).reshape(n_sections, len(names))
        for weights in (None, inwards, relative @ forwards)
    )
    rows = np.flatnonzero(count)
    least = np.maximum(size, 1)
    return LimbSlices(
        tuple(SIDES[row // labels.shape[2]] for row in rows),
        rows % labels.shape[2],
        np.asarray(count[rows] * pixel / 100.0, np.float64),
        Arrangements(
            tuple(names),
            size[rows] / count[rows, None],
            (medial / least)[rows],
            (anterior / least)[rows],
        ),
    )
