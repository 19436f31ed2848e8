"""Tell from its muscles whether a limb is the left or the right one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd

from pipelines.anatomy.vocabulary import SIDES, Side, label_values
from pipelines.arrays import Affine, Float64, Index, UInt16
from pipelines.geometry import voxel_volume_ml
from pipelines.package_data import package_rows
from pipelines.quality import Check
from pipelines.segmentation.sides.sections import MIN_SECTION_MM2, Section, joint_centre

# The muscles of one limb are never as wide as this, those of two limbs apart always are.
MAX_LIMB_WIDTH_MM = 250.0


def single_side(sections: Sequence[Section], shared: Mapping[int, str]) -> tuple[Side, Check]:
    """Decide from anatomy which limb is seen, and warn with the reason.

    From the way medial muscles lie; from the position in the scanner if muscles do not tell.
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

    Mean over slices of the sine from the medial to the anterior direction: positive in a left limb,
    negative in a right one; None if no slice has muscles on opposite sides.
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


def _direction(group: Sequence[Section], shared: Mapping[int, str], axis: int) -> Float64 | None:
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
    rows = package_rows(__package__, "limb_axes.tsv")
    return {row["muscle"]: (int(row["medial"]), int(row["anterior"])) for row in rows}


def describe_limbs(labels: UInt16, affine: Affine) -> pd.DataFrame:
    """Measure volume, share and position of each muscle relative to its limb.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, our values, in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.

    Returns
    -------
    DataFrame
        One row per muscle and side found: ``muscle``, ``side``, ``volume_ml``; ``share`` of the
        limb's labelled volume; ``medial`` and ``anterior``: mean distance from the limb's centre
        in these directions, in units of the limb's radius. Centre and radius (that of a disc of
        the same area) are those of the labelled muscle in each slice. Medial points to the other
        limb, or along the scanner's left-right axis if there is one limb.
    """
    x, y, z = np.nonzero(labels)
    values = labels[x, y, z].astype(np.intp)
    points = np.stack([x, y], axis=1) @ affine[:2, :2].T + z[:, None] * affine[:2, 2]
    side_of = np.zeros(int(values.max()) + 1 if values.size else 1, np.intp)
    for value, (_, side) in label_values().items():
        if value < len(side_of):
            side_of[value] = 1 + SIDES.index(side)
    limb = side_of[values]
    rightwards = rightwards_direction(points, limb)
    rows = []
    for number, side in enumerate(SIDES, start=1):
        own = limb == number
        if own.any():
            medial = rightwards if side == "left" else -rightwards
            anterior = np.array([-rightwards[1], rightwards[0]])
            rows += _limb_rows(values[own], points[own], z[own], (medial, anterior), affine)
    columns = ["muscle", "side", "volume_ml", "share", "medial", "anterior"]
    return pd.DataFrame(rows, columns=columns)


def rightwards_direction(points: Float64, limb: Index) -> Float64:
    """Return the unit vector from the points of limb 1 to those of limb 2; +x for one limb."""
    if not ((limb == 1).any() and (limb == 2).any()):
        return np.array([1.0, 0.0])
    vector = points[limb == 2].mean(axis=0) - points[limb == 1].mean(axis=0)
    unit: Float64 = vector / np.linalg.norm(vector)
    return unit


def _limb_rows(
    values: Index,
    points: Float64,
    z: Index,
    directions: tuple[Float64, Float64],
    affine: Affine,
) -> list[tuple[str, str, float, float, float, float]]:
    pixel = abs(float(np.linalg.det(affine[:2, :2])))
    count = np.bincount(z)
    filled = np.maximum(count, 1)
    centre = np.stack([np.bincount(z, points[:, i]) / filled for i in (0, 1)], axis=1)
    radius = np.sqrt(filled * pixel / np.pi)
    relative = (points - centre[z]) / radius[z, None]
    size = np.bincount(values)
    place = [np.bincount(values, relative @ d) for d in directions]
    rows: list[tuple[str, str, float, float, float, float]] = []
    for value in np.flatnonzero(size):
        muscle, side = label_values()[int(value)]
        n = int(size[value])
        rows.append(
            (
                muscle.name,
                side,
                n * voxel_volume_ml(affine),
                n / len(values),
                float(place[0][value] / n),
                float(place[1][value] / n),
            )
        )
    return rows
