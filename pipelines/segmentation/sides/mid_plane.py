"""Find the plane between two limbs from the muscles that show in both of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from pipelines.arrays import Float64, Integer
from pipelines.segmentation.sides.sections import MIN_SECTION_MM2, Section, joint_centre

# Sections below this share of the largest of their muscle and slice are islands, as are those below
# MIN_SECTION_MM2: they follow the plane and do not help to find it.
MIN_SECTION_SHARE = 0.1
# Two sections of a muscle closer than this may be parts of one.
MIN_PAIR_MM = 15.0
# A muscle whose sections lie this far apart across the plane shows that there are two limbs. The
# thighs of a newborn are about 50 mm thick.
TWO_LIMBS_MM = 40.0
# A plane between two limbs cuts next to nothing; one through a limb cuts its middle muscles.
MAX_CUT_SHARE = 0.05
# How far the plane may leave the straight line through all slices (a bent or shifted leg).
MAX_DRIFT_MM = 20.0


@dataclass(frozen=True)
class MidPlane:
    """Mirror plane between two limbs; left of it ``points @ normal < offset[slice]``.

    `normal` is the unit vector from left to right in world x, y; `offset` is in mm.
    """

    normal: Float64
    offset: Float64

    def depth(self, section: Section) -> Float64:
        """Return how far each voxel lies on the right of the plane, mm."""
        depth: Float64 = section.points @ self.normal - self.offset[section.slice]
        return depth


@dataclass(frozen=True)
class _Pair:
    """The sections of one muscle in one slice, as two groups."""

    value: int
    slice: int
    left: Float64
    right: Float64
    weight: float

    @property
    def vector(self) -> Float64:
        """From the left to the right sections."""
        return self.right - self.left

    @property
    def middle(self) -> Float64:
        """Halfway between them."""
        middle: Float64 = (self.left + self.right) / 2
        return middle


def find_mid_plane(sections: Sequence[Section], n_slices: int) -> MidPlane | None:
    """Find the plane between two limbs from labels they share; None if there is one limb only."""
    pairs = [p for group in by_label_and_slice(sections).values() if (p := _pair(group))]
    if not pairs:
        return None
    vectors = np.array([p.vector for p in pairs])
    lengths = np.linalg.norm(vectors, axis=1)
    weights = np.array([p.weight for p in pairs])
    # Far sections give the direction with little error, near ones with much.
    angle = _weighted_median(np.arctan2(vectors[:, 1], vectors[:, 0]), weights * lengths**2)
    normal = np.array([np.cos(angle), np.sin(angle)])
    plane = MidPlane(normal, _offsets(pairs, normal, n_slices))
    apart: defaultdict[int, int] = defaultdict(int)
    for pair in pairs:
        apart[pair.value] += bool(pair.vector @ normal >= TWO_LIMBS_MM)
    n_values = len({section.value for section in sections})
    needed_slices = min(2, len({section.slice for section in sections}))
    witnesses = sum(count >= needed_slices for count in apart.values())
    if witnesses < min(2, n_values) or _cut_share(sections, plane) > MAX_CUT_SHARE:
        return None
    return plane


def by_label_and_slice(sections: Sequence[Section]) -> dict[tuple[int, int], list[Section]]:
    """Group sections by label value and slice."""
    groups: defaultdict[tuple[int, int], list[Section]] = defaultdict(list)
    for section in sections:
        groups[section.value, section.slice].append(section)
    return groups


def sort_out_islands(group: Sequence[Section]) -> tuple[list[Section], list[Section]]:
    """Divide the sections of a muscle in a slice into its main ones and islands."""
    largest = max(section.area for section in group)
    least = max(MIN_SECTION_MM2, MIN_SECTION_SHARE * largest)
    main = [section for section in group if section.area >= least]
    return main, [section for section in group if section.area < least]


def _pair(group: Sequence[Section]) -> _Pair | None:
    """Divide the sections of a muscle in a slice at their widest gap from left to right."""
    main = sorted(sort_out_islands(group)[0], key=lambda s: float(s.centre[0]))
    if len(main) < 2:
        return None
    gaps = [float(b.centre[0] - a.centre[0]) for a, b in pairwise(main)]
    split = int(np.argmax(gaps)) + 1
    left, right = (joint_centre(part) for part in (main[:split], main[split:]))
    if np.linalg.norm(right - left) < MIN_PAIR_MM:
        return None
    areas = [sum(s.area for s in part) for part in (main[:split], main[split:])]
    first = group[0]
    return _Pair(first.value, first.slice, left, right, float(np.sqrt(min(areas))))


def _offsets(pairs: Sequence[_Pair], normal: Float64, n_slices: int) -> Float64:
    """Follow the plane along the limbs: a straight line and a small drift."""
    by_slice: defaultdict[int, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        by_slice[pair.slice].append(pair)
    slices = np.array(sorted(by_slice))
    found = np.array(
        [
            _weighted_median(
                np.array([p.middle @ normal for p in by_slice[k]]),
                np.array([p.weight for p in by_slice[k]]),
            )
            for k in slices
        ]
    )
    slope = median_slope(slices, found) if len(slices) > 2 else 0.0
    intercept = np.median(found) - slope * np.median(slices)
    line = intercept + slope * np.arange(n_slices)
    drift = ndimage.median_filter(found - line[slices], size=3, mode="nearest")
    drift = np.clip(drift, -MAX_DRIFT_MM, MAX_DRIFT_MM)
    offsets: Float64 = line + np.interp(np.arange(n_slices), slices, drift)
    return offsets


def median_slope(x: Integer, y: Float64) -> float:
    """Return the slope of the Theil-Sen line (median over all pairs of points); `x` rises.

    ``scipy.stats`` has it too, but takes half a second to import, a good part of a session.
    """
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))


def _cut_share(sections: Sequence[Section], plane: MidPlane) -> float:
    """Return which share of the labelled area a plane cuts off its sections."""
    cut = sum(s.area * minority(plane.depth(s)) for s in sections)
    return float(cut / sum(s.area for s in sections))


def minority(depth: Float64) -> float:
    """Return the smaller share of voxels on one side of the plane."""
    right = float((depth > 0).mean())
    return min(right, 1 - right)


def _weighted_median(values: Float64, weights: Float64) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
