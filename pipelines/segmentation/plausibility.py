"""Does a segmentation look like the limb it claims to be? Absent, misplaced, lopsided muscles.

The reference ranges (``reference_ranges.tsv``, made by ``tools/make_reference_ranges.py``) come
from 28 label maps of thighs of patients and controls. They are wide: a value outside is worth a
look, and many of them together mean that something else was scanned.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.anatomy.vocabulary import Label, Side
from pipelines.geometry import Affine
from pipelines.quality import Check
from pipelines.segmentation.limb_shape import describe_limbs

# Largest left-right volume ratio that goes unremarked. In the reference maps the median muscle
# differs by a factor of 1.1 and the most lopsided one by 2.2.
MAX_VOLUME_RATIO = 2.0
# Muscles smaller than this on both sides are not compared: a slice more or less decides.
MIN_COMPARED_ML = 5.0
# Share of the muscles found that may be out of range before the scan is taken for another body
# region, and their least number. With the bundled model thighs have none to one of 22, lower legs
# seven and more.
MAX_STRANGE_SHARE = 0.25
MIN_STRANGE = 4
# Part of a limb may be outside the image, so that muscles are absent, but hardly half of them.
MAX_ABSENT_SHARE = 0.5


@dataclass(frozen=True)
class Range:
    """What is usual for one muscle; see :func:`pipelines.segmentation.limb_shape.describe_limbs`.

    Attributes
    ----------
    share, medial, anterior : tuple of float
        Lowest and highest value.
    """

    share: tuple[float, float]
    medial: tuple[float, float]
    anterior: tuple[float, float]


def check_plausibility(
    labels: npt.NDArray[np.uint16],
    affine: Affine,
    label_map: Sequence[Label],
    limbs: Sequence[Side],
    region: str,
) -> list[Check]:
    """Compare a segmentation with what limbs look like.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, our values, in canonical orientation.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    label_map : sequence of Label
        What the model can find.
    limbs : sequence of str
        Sides that are in the image; empty for those that the model's labels name.
    region : str
        Body region the model is made for.

    Returns
    -------
    list of Check
        ``absent_muscles``, ``muscle_position``, ``muscle_volume``, ``muscle_symmetry`` and
        ``body_region``, each with its number of muscles as value.
    """
    found = describe_limbs(labels, affine)
    expected = _expected(label_map, limbs)
    present = set(zip(found["muscle"], found["side"], strict=True))
    absent = [pair for pair in expected if pair not in present]
    misplaced = _outside(found, ("medial", "anterior"))
    missized = _outside(found, ("share",))
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
    region_check = _region_check(expected, absent, {*misplaced, *missized}, region)
    return [*checks, region_check] if region_check else checks


@cache
def reference_ranges() -> Mapping[str, Range]:
    """Return the reference range of every muscle that has one."""
    text = (files("pipelines.segmentation") / "reference_ranges.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return {
        row["muscle"]: Range(
            *((float(row[f"{name}_low"]), float(row[f"{name}_high"])) for name in _FEATURES)
        )
        for row in rows
    }


_FEATURES = ("share", "medial", "anterior")


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
    strange: set[tuple[str, str]],
    region: str,
) -> Check | None:
    """Tell a scan of another body region; None where there is nothing to compare with."""
    known = [pair for pair in expected if pair[0] in reference_ranges()]
    found = [pair for pair in known if pair not in absent]
    if not known:
        return None
    count = sum(pair in strange for pair in found)
    share = count / max(1, len(found))
    advice = "Was another body region scanned, or the wrong model chosen? Do not use the values."
    if len(known) - len(found) > MAX_ABSENT_SHARE * len(known):
        text = (
            f"The labels do not look like a {region}: {len(known) - len(found)} of {len(known)} "
            f"muscles are absent. {advice}"
        )
        return Check("body_region", "fail", text, share, "1", MAX_STRANGE_SHARE)
    if share > MAX_STRANGE_SHARE and count >= MIN_STRANGE:
        text = (
            f"The labels do not look like a {region}: {count} of {len(found)} muscles are out of "
            f"place or size. {advice}"
        )
        return Check("body_region", "fail", text, share, "1", MAX_STRANGE_SHARE)
    text = f"The labels look like a {region}."
    return Check("body_region", "pass", text, share, "1", MAX_STRANGE_SHARE)
