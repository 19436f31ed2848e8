"""Tell left from right where a model has one label for both.

The same muscle of the two limbs lies mirrored on either side of the body's midline. Every muscle
that shows in both limbs of a slice therefore gives a direction (from its left to its right
section) and a point of the mirror plane (halfway). Robust averages over muscles and slices give
the plane, whose position may drift along the limbs; sections are then assigned whole. Neither
equal volumes nor a gap between the legs nor a patient lying straight is assumed.

With one limb in the image, anatomy decides: which way medial muscles lie as seen from the front.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.anatomy.vocabulary import Label, Side, muscles
from pipelines.arrays import Affine, Integer, UInt16
from pipelines.quality import Check
from pipelines.segmentation.sides.limb_side import limb_chirality, single_side
from pipelines.segmentation.sides.mid_plane import (
    MIN_PAIR_MM,
    MidPlane,
    by_label_and_slice,
    find_mid_plane,
    minority,
    sort_out_islands,
)
from pipelines.segmentation.sides.sections import Section, find_sections

# What putting two sections of a muscle into one limb counts, against their depth behind the plane.
SAME_LIMB_COST_MM = 12.0
# A section with more than this share on the other side of the plane is two muscles grown together.
MAX_STRADDLE_SHARE = 0.2

_ORDER: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True)
class SideSplit:
    """A label image with sides.

    Attributes
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Values of :meth:`pipelines.anatomy.vocabulary.Muscle.value`.
    limbs : tuple of str
        ``('left', 'right')``, ``('left',)`` or ``('right',)``; empty if the model had sides of
        its own or nothing was found.
    checks : list of Check
        How sides were found, and what speaks against it.
    """

    labels: UInt16
    limbs: tuple[Side, ...]
    checks: list[Check]


def split_sides(labels: Integer, affine: Affine, label_map: Sequence[Label]) -> SideSplit:
    """Translate a model's labels to ours, with left and right apart.

    Parameters
    ----------
    labels : ndarray of shape (x, y, z)
        Labels in the model's numbering, in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    label_map : sequence of Label
        What the model's values mean. Values without a muscle are dropped; values that state a
        side keep it.

    Returns
    -------
    SideSplit
    """
    result = np.zeros(labels.shape, np.uint16)
    shared: dict[int, str] = {}
    for label in label_map:
        if label.muscle is None:
            continue
        if label.side == "both":
            shared[label.value] = label.muscle
        else:
            result[labels == label.value] = muscles()[label.muscle].value(label.side)
    sections = find_sections(labels, affine, shared)
    if not sections:
        return SideSplit(result, (), [])
    plane = find_mid_plane(sections, labels.shape[2])
    if plane is None:
        side, check = single_side(sections, shared)
        for section in sections:
            value = muscles()[shared[section.value]].value(side)
            result[section.x, section.y, section.slice] = value
        return SideSplit(result, (side,), [check])
    _assign(result, sections, shared, plane)
    return SideSplit(result, _ORDER, [_plane_check(plane, sections, shared)])


def _assign(
    result: UInt16,
    sections: Sequence[Section],
    shared: Mapping[int, str],
    plane: MidPlane,
) -> None:
    """Give every section its side."""
    for (value, k), group in by_label_and_slice(sections).items():
        left, right = (muscles()[shared[value]].value(side) for side in _ORDER)
        main, islands = sort_out_islands(group)
        if len(main) == 1 and minority(plane.depth(main[0])) > MAX_STRADDLE_SHARE:
            grown = main[0]
            result[grown.x, grown.y, k] = np.where(plane.depth(grown) > 0, right, left)
        else:
            ordered = sorted(main, key=lambda s: float(s.centre @ plane.normal))
            n_left = _best_split(ordered, plane)
            for index, section in enumerate(ordered):
                result[section.x, section.y, k] = left if index < n_left else right
        for section in islands:
            on_right = float(np.median(plane.depth(section))) > 0
            result[section.x, section.y, k] = right if on_right else left


def _best_split(ordered: Sequence[Section], plane: MidPlane) -> int:
    """Return how many of a muscle's sections, from left to right, belong to the left limb.

    A muscle occurs once in each limb. Two far sections therefore go to different limbs even if
    the plane, which is an average over muscles, passes a little beside the gap between them.
    """
    depths = [float(s.centre @ plane.normal) - plane.offset[s.slice] for s in ordered]
    areas = [s.area for s in ordered]
    apart = len(depths) > 1 and depths[-1] - depths[0] >= MIN_PAIR_MM

    def cost(n_left: int) -> float:
        wrong = [max(0.0, d if i < n_left else -d) for i, d in enumerate(depths)]
        behind = float(np.average(wrong, weights=areas)) if wrong else 0.0
        return behind + (SAME_LIMB_COST_MM if apart and n_left in (0, len(depths)) else 0.0)

    return min(range(len(depths) + 1), key=cost)


def _plane_check(plane: MidPlane, sections: Sequence[Section], shared: Mapping[int, str]) -> Check:
    """Look whether the limbs on both sides of the plane are what they should be."""
    turned = []
    for side, sign in zip(_ORDER, (1, -1), strict=True):
        limb = [s for s in sections if sign * float(np.median(plane.depth(s))) < 0]
        turn = limb_chirality(limb, shared)
        if turn is not None and sign * turn < 0:
            turned.append(side)
    angle = float(np.degrees(np.arctan2(plane.normal[1], plane.normal[0])))
    if turned:
        return Check(
            "sides",
            "warn",
            f"Medial muscles of the {' and '.join(turned)} limb do not face the other limb. Check "
            "left and right, and the labels.",
            angle,
            "degrees",
        )
    return Check(
        "sides",
        "pass",
        f"Left and right were divided by a plane turned {angle:.0f} degrees from the scanner's.",
        angle,
        "degrees",
    )
