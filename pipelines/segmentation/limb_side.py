"""Tell from its muscles whether a limb is the left or the right one."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from pipelines.anatomy.vocabulary import Side
from pipelines.quality import Check
from pipelines.segmentation.sections import MIN_SECTION_MM2, Section, joint_centre

# The muscles of one limb are never as wide as this, those of two limbs apart always are.
MAX_LIMB_WIDTH_MM = 250.0


def single_side(sections: Sequence[Section], shared: Mapping[int, str]) -> tuple[Side, Check]:
    """Decide from anatomy which limb is seen.

    Parameters
    ----------
    sections : sequence of Section
        Cross-sections of all labels.
    shared : mapping of int to str
        Muscle of each label value.

    Returns
    -------
    side : {'left', 'right'}
        From the way medial muscles lie; from the position in the scanner if muscles do not tell.
    check : Check
        A warning with the reason.
    """
    turn = limb_chirality(sections, shared)
    if turn is None:
        areas = [s.area for s in sections]
        centre = float(np.average([s.centre[0] for s in sections], weights=areas))
        side: Side = "left" if centre < 0 else "right"
        reason = "it lies on that side of the scanner's centre; its muscles do not tell"
    else:
        side = "left" if turn > 0 else "right"
        reason = "its medial muscles lie as in that one"
    width = _width([s for s in sections if s.area >= MIN_SECTION_MM2] or sections)
    if width > MAX_LIMB_WIDTH_MM:
        return side, Check(
            "sides",
            "fail",
            f"Left and right were not told apart: hardly a muscle was found in both limbs. All "
            f"labels were called {side}, although they are {width:.0f} mm wide.",
            width,
            "mm",
            MAX_LIMB_WIDTH_MM,
        )
    return side, Check(
        "sides",
        "warn",
        f"Only one limb was found and taken as the {side} one because {reason}. Check the side.",
        width,
        "mm",
        MAX_LIMB_WIDTH_MM,
    )


def _width(sections: Sequence[Section]) -> float:
    """Return the largest extent of a slice's labels from left to right, mm."""
    ends: dict[int, tuple[float, float]] = {}
    for section in sections:
        low, high = ends.get(section.slice, (np.inf, -np.inf))
        x = section.points[:, 0]
        ends[section.slice] = (min(low, float(x.min())), max(high, float(x.max())))
    return max(high - low for low, high in ends.values())


def limb_chirality(sections: Sequence[Section], shared: Mapping[int, str]) -> float | None:
    """Tell a left from a right limb by its muscles, however it is rotated about its long axis.

    Parameters
    ----------
    sections : sequence of Section
        Cross-sections of one limb.
    shared : mapping of int to str
        Muscle of each label value.

    Returns
    -------
    float or None
        Mean over slices of the sine from the medial to the anterior direction: positive in a left
        limb, negative in a right one. None if no slice has muscles on opposite sides.
    """
    by_slice: defaultdict[int, list[Section]] = defaultdict(list)
    for section in sections:
        by_slice[section.slice].append(section)
    sines, weights = [], []
    for group in by_slice.values():
        medial = _direction(group, shared, 0)
        anterior = _direction(group, shared, 1)
        if medial is None:
            continue
        if anterior is None:
            anterior = np.array([0.0, 1.0])
        cross = medial[0] * anterior[1] - medial[1] * anterior[0]
        norm = float(np.linalg.norm(medial) * np.linalg.norm(anterior))
        if norm > 0:
            sines.append(float(cross) / norm)
            weights.append(sum(s.area for s in group))
    return float(np.average(sines, weights=weights)) if sines else None


def _direction(
    group: Sequence[Section], shared: Mapping[int, str], axis: int
) -> npt.NDArray[np.float64] | None:
    """Return the vector between muscles at the two ends of an anatomical axis of one slice."""
    ends: tuple[list[Section], list[Section]] = ([], [])
    for section in group:
        place = limb_axes().get(shared[section.value], (0, 0))[axis]
        if place:
            ends[0 if place < 0 else 1].append(section)
    if not ends[0] or not ends[1]:
        return None
    return joint_centre(ends[1]) - joint_centre(ends[0])


@cache
def limb_axes() -> Mapping[str, tuple[int, int]]:
    """Return where each limb muscle lies: (medial, anterior), each -1, 0 or 1."""
    text = (files("pipelines.segmentation") / "limb_axes.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return {row["muscle"]: (int(row["medial"]), int(row["anterior"])) for row in rows}
