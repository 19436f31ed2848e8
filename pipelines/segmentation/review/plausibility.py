"""Does a segmentation look like the limb it claims to be? Absent, misplaced, lopsided muscles.

The reference ranges (``reference_ranges.tsv``, made by ``tools/make_reference_ranges.py``) come
from 28 label maps of thighs of patients and controls. They are wide: a value outside is worth a
look, and many of them together mean that something else was scanned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from pipelines.anatomy.vocabulary import SIDES, Label, Side, muscles
from pipelines.arrays import Affine, UInt16
from pipelines.package_data import package_rows
from pipelines.quality import Check
from pipelines.segmentation.sides.limb_side import describe_limbs

# Largest left-right volume ratio that goes unremarked. In the reference maps the median muscle
# differs by a factor of 1.1 and the most lopsided one by 2.2.
MAX_VOLUME_RATIO = 2.0
# Muscles smaller than this on both sides are not compared: a slice more or less decides.
MIN_COMPARED_ML = 5.0
# Mean distance of all muscles from their usual places, in standard deviations, above which another
# body region was scanned. Measured: thighs segmented by the bundled model 0.6 to 1.0, lower legs
# 1.6 to 3.6; parts of the reference maps, each against the others, 0.4 to 1.7.
MAX_DEVIATION = 1.7
# The same where the network itself is unsure: its median expected Dice is 0.79 and more in thighs,
# 0.75 and less in lower legs.
MAX_DEVIATION_UNSURE = 1.4
UNSURE_DICE = 0.77
# The place of a muscle smaller than this share of its limb says little.
LEAST_SHARE = 0.003
# Part of a limb may be outside the image, so that muscles are absent, but hardly half of them.
MAX_ABSENT_SHARE = 0.5


_DIRECTIONS = ("medial", "anterior")


@dataclass(frozen=True)
class Range:
    """What is usual for one muscle; see :func:`.limb_side.describe_limbs`.

    Attributes
    ----------
    share, medial, anterior : tuple of float
        Lowest and highest value.
    place, spread : tuple of float
        Mean and standard deviation of the medial and the anterior position.
    """

    share: tuple[float, float]
    medial: tuple[float, float]
    anterior: tuple[float, float]
    place: tuple[float, float]
    spread: tuple[float, float]


def check_plausibility(
    labels: UInt16,
    affine: Affine,
    label_map: Sequence[Label],
    limbs: Sequence[Side],
    region: str,
    *,
    median_dice: float | None = None,
) -> list[Check]:
    """Compare a segmentation with what limbs look like.

    `labels` is (x, y, z); `affine` is (4, 4), in mm.
    Returns ``absent_muscles``, ``muscle_position``, ``muscle_volume``, ``muscle_symmetry`` and
    ``body_region``; the first three have their number of muscles as value.
    """
    found = describe_limbs(labels, affine)
    expected = _expected(label_map, limbs)
    present = set(zip(found["muscle"], found["side"], strict=True))
    absent = [pair for pair in expected if pair not in present]
    # Shares and places are those among the muscles that the reference maps have.
    comparable = describe_limbs(with_reference(labels), affine)
    misplaced = _outside(comparable, _DIRECTIONS)
    missized = _outside(comparable, ("share",))
    checks = [
        _count_check(
            "absent_muscles",
            absent,
            "Every expected muscle was found.",
            "Not found (their values are missing, not zero)",
        ),
        _count_check(
            "muscle_position",
            misplaced,
            "Every muscle lies where it is expected.",
            "In an unusual place in the limb, look at the outlines",
        ),
        _count_check(
            "muscle_volume",
            missized,
            "Every muscle has a usual share of its limb.",
            "Of an unusual share of the limb's volume, look at the outlines",
        ),
        _symmetry_check(found),
    ]
    region_check = _region_check(expected, absent, comparable, region, median_dice)
    return [*checks, region_check] if region_check else checks


@cache
def reference_ranges() -> Mapping[str, Range]:
    """Return the reference range of every muscle that has one."""
    return {
        row["muscle"]: _range({k: float(v) for k, v in row.items() if k != "muscle"})
        for row in package_rows(__package__, "reference_ranges.tsv")
    }


def with_reference(labels: UInt16) -> UInt16:
    """Return labels, our values, without the muscles that have no reference range."""
    known = [muscles()[name].value(side) for name in reference_ranges() for side in SIDES]
    return np.where(np.isin(labels, known), labels, 0).astype(np.uint16)


def _range(row: Mapping[str, float]) -> Range:
    return Range(
        (row["share_low"], row["share_high"]),
        (row["medial_low"], row["medial_high"]),
        (row["anterior_low"], row["anterior_high"]),
        (row["medial_mean"], row["anterior_mean"]),
        (row["medial_sd"], row["anterior_sd"]),
    )


def _expected(label_map: Sequence[Label], limbs: Sequence[Side]) -> list[tuple[str, str]]:
    """Return the muscles and sides a model can find in these limbs."""
    pairs: dict[tuple[str, str], None] = {}
    for label in label_map:
        if label.muscle is not None:
            sides = limbs if label.side == "both" else (label.side,)
            pairs.update({(label.muscle, side): None for side in sides})
    return list(pairs)


def _outside(found: pd.DataFrame, features: Sequence[str]) -> list[tuple[str, str]]:
    ranges = reference_ranges()
    pairs = []
    for row in found.to_dict("records"):
        usual = ranges.get(row["muscle"])
        if usual is None:
            continue
        for feature in features:
            low, high = getattr(usual, feature)
            if not low <= row[feature] <= high:
                pairs.append((row["muscle"], row["side"]))
                break
    return pairs


def _count_check(name: str, pairs: Sequence[tuple[str, str]], good: str, bad: str) -> Check:
    if not pairs:
        return Check(name, "pass", good, 0.0, "muscles", 0.0)
    listed = ", ".join(f"{muscle} ({side})" for muscle, side in pairs)
    return Check(name, "warn", f"{bad}: {listed}.", float(len(pairs)), "muscles", 0.0)


def _symmetry_check(found: pd.DataFrame) -> Check:
    volumes = found.pivot(index="muscle", columns="side", values="volume_ml")
    if not {"left", "right"} <= set(volumes.columns):
        return Check("muscle_symmetry", "pass", "One limb: left and right cannot be compared.")
    both = volumes.dropna()
    both = both[both.max(axis=1) >= MIN_COMPARED_ML]
    if both.empty:
        return Check("muscle_symmetry", "pass", "No muscle is large enough on both sides.")
    ratio = both.max(axis=1) / both.min(axis=1)
    largest = float(ratio.max())
    lopsided = ratio[ratio > MAX_VOLUME_RATIO]
    if lopsided.empty:
        text = f"Left and right volumes differ by at most a factor of {largest:.1f}."
        return Check("muscle_symmetry", "pass", text, largest, "1", MAX_VOLUME_RATIO)
    listed = ", ".join(f"{muscle} ({value:.1f})" for muscle, value in lopsided.items())
    text = (
        f"Left and right volumes differ by more than a factor of {MAX_VOLUME_RATIO:g} in "
        f"{listed}; look whether disease or the outlines are lopsided."
    )
    return Check("muscle_symmetry", "warn", text, largest, "1", MAX_VOLUME_RATIO)


def _region_check(
    expected: Sequence[tuple[str, str]],
    absent: Sequence[tuple[str, str]],
    found: pd.DataFrame,
    region: str,
    median_dice: float | None,
) -> Check | None:
    """Tell a scan of another body region; None where there is nothing to compare with."""
    known = [pair for pair in expected if pair[0] in reference_ranges()]
    if not known:
        return None
    missing = sum(pair in absent for pair in known)
    deviation = mean_deviation(found)
    unsure = median_dice is not None and median_dice < UNSURE_DICE
    limit = MAX_DEVIATION_UNSURE if unsure else MAX_DEVIATION
    reason = ""
    if missing > MAX_ABSENT_SHARE * len(known):
        reason = f"{missing} of {len(known)} muscles are absent"
    elif deviation > limit:
        reason = (
            f"on average the muscles lie {deviation:.1f} standard deviations from their usual "
            "places"
        )
    if not reason:
        text = f"The labels look like a {region}."
        return Check("body_region", "pass", text, deviation, "standard deviations", limit)
    text = (
        f"The labels do not look like a {region}: {reason}. Was another body region scanned, or "
        "the wrong model chosen? Do not use the values."
    )
    return Check("body_region", "fail", text, deviation, "standard deviations", limit)


def mean_deviation(found: pd.DataFrame) -> float:
    """Return how far muscles lie from their usual places, in standard deviations."""
    deviations = []
    for row in found.to_dict("records"):
        usual = reference_ranges().get(row["muscle"])
        if usual is not None and row["share"] >= LEAST_SHARE:
            for axis, mean, spread in zip(_DIRECTIONS, usual.place, usual.spread, strict=True):
                deviations.append(abs(row[axis] - mean) / spread)
    return float(np.mean(deviations)) if deviations else 0.0
