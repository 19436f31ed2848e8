"""Which part of the body each slice of each limb shows, judged by its labels.

A network labels what it is shown: given a trunk, a knee or a calf, it finds thigh muscles there.
The arrangement of the labels in a slice (share and place of each muscle) is compared with slices of
real limbs (``slice_references.tsv``, made by ``tools/make_slice_references.py``). One slice can
mislead; but a part of the body is one contiguous run of slices, so the run is sought that holds
most of what speaks for the part and least of what speaks against it.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd

from pipelines.anatomy.vocabulary import SIDES, Label
from pipelines.arrays import Affine, Bool, Float64, UInt16
from pipelines.geometry import voxel_sizes
from pipelines.package_data import package_rows
from pipelines.segmentation.sides.limb_slices import Arrangements, describe_slices

# Likeness above which a slice speaks for a part of the body, and below which against it. Measured
# with the bundled model: real thighs 0.65 to 0.89 but for their ends, calves 0.42 to 0.72 (mean
# 0.6), knees 0.1 to 0.5, trunk 0.1 to 0.3. Label maps of other people's thighs: 90 % of the slices
# above 0.66.
LEAST_LIKENESS = 0.62
# How fast confidence changes about that.
LIKENESS_SPREAD = 0.05
# Slices are cut off an end only if what speaks against them exceeds this: likeness missing times
# length, mm. A slice of 24 mm that resembles nothing has 15. It is the smallest limit with which
# nothing is cut off 28 label maps of thighs, each judged by references from the other people (with
# 12 mm, a sixth of one of them is); knees of 90 mm and longer, and calves below them, are.
LEAST_EVIDENCE_MM = 14.0
# What speaks for a run that is left of more must reach this; 30 mm of a real thigh have 5.
LEAST_RUN_EVIDENCE_MM = 4.0
# A cross-section smaller than this share of the limb's largest counts less: where muscles end,
# little of the arrangement is left.
FULL_AREA_SHARE = 0.2
# A muscle as far from where a reference has it as the limb's radius does not resemble it at all.
REACH = 1.0
# Fewer muscles hardly have an arrangement.
LEAST_MUSCLES = 6
# What a slice is called that is not of the part asked for.
ELSEWHERE = "elsewhere"


def judge_slices(
    labels: UInt16,
    affine: Affine,
    label_map: Sequence[Label],
    part: str,
    *,
    references: Mapping[str, Arrangements] | None = None,
) -> pd.DataFrame | None:
    """Judge for every limb and slice with labels whether it shows a part of the body.

    `labels` is (x, y, z); `affine` is (4, 4), in mm.
    Returns ``side``, ``slice``, ``area_cm2`` labelled, ``likeness`` to the most similar reference
    (0 to 1), ``part`` (the given one or :data:`ELSEWHERE`) and ``confidence`` in that (0 to 1).
    None if there is no reference, or the label map has too few of its muscles.
    """
    reference = (references or slice_references()).get(part)
    if reference is None:
        return None
    findable = {label.muscle for label in label_map}
    kept = [muscle for muscle in reference.muscles if muscle in findable]
    if len(kept) < LEAST_MUSCLES:
        return None
    reference = reference.restricted(kept)
    found = describe_slices(labels, affine, kept)
    table = pd.DataFrame(
        {
            "side": list(found.side),
            "slice": found.slice,
            "area_cm2": found.area_cm2,
            "likeness": likeness(found.arrangements, reference).max(axis=1),
        }
    )
    thickness = float(voxel_sizes(affine)[2])
    evidence = _evidence_of_both_limbs(table, thickness)
    inside = np.zeros(len(table), np.bool_)
    for side in SIDES:
        rows = np.flatnonzero(table["side"] == side)
        inside[rows[best_run(evidence[rows])]] = True
    table["part"] = np.where(inside, part, ELSEWHERE)
    table["confidence"] = _confidence(table, inside)
    return table


def likeness(found: Arrangements, reference: Arrangements) -> Float64:
    """Compare arrangements of the same muscles: 1 if they are equal, 0 if nothing is in place.

    The result is (n, r).
    """
    result = np.zeros((len(found.share), len(reference.share)))
    for index in range(len(found.muscles)):
        common = np.minimum.outer(found.share[:, index], reference.share[:, index])
        distance = np.hypot(
            np.subtract.outer(found.medial[:, index], reference.medial[:, index]),
            np.subtract.outer(found.anterior[:, index], reference.anterior[:, index]),
        )
        result += common * np.maximum(0.0, 1.0 - distance / REACH)
    return result


def best_run(evidence: Float64) -> slice:
    """Find the contiguous run of slices that shows a part of the body.

    `evidence` is (n,), in mm.
    """
    n = len(evidence)
    total = np.concatenate([[0.0], np.cumsum(evidence)])
    starts = -total - LEAST_EVIDENCE_MM * (np.arange(n + 1) > 0)
    ends = total - LEAST_EVIDENCE_MM * (np.arange(n + 1) < n)
    value = starts[:, None] + ends[None, :]
    value[np.tril_indices(n + 1)] = -np.inf
    first, last = np.unravel_index(int(value.argmax()), value.shape)
    if total[last] - total[first] >= LEAST_RUN_EVIDENCE_MM:
        return slice(int(first), int(last))
    return slice(0, n) if total[-1] >= -LEAST_EVIDENCE_MM else slice(0, 0)


def outside_part(labels: UInt16, judged: pd.DataFrame, part: str) -> Bool:
    """Mark the labels in slices that do not show a part of the body.

    `labels` and the result are (x, y, z).
    """
    outside = np.zeros(labels.shape, np.bool_)
    for row in judged[judged["part"] != part].to_dict("records"):
        section = labels[:, :, row["slice"]]
        digit = 1 + SIDES.index(row["side"])
        outside[:, :, row["slice"]] |= (section > 0) & (section % 10 == digit)
    return outside


@cache
def slice_references() -> Mapping[str, Arrangements]:
    """Return the reference slices of each part of the body that has some."""
    rows = pd.DataFrame(package_rows(__package__, "slice_references.tsv"))
    numbers = rows[["share", "medial", "anterior"]].astype(float)
    rows[numbers.columns] = numbers
    references = {}
    for part, group in rows.groupby("part", sort=False):
        tables = [
            group.pivot(index="slice", columns="muscle", values=name).fillna(0.0)
            for name in ("share", "medial", "anterior")
        ]
        share = tables[0].to_numpy()
        share = share / share.sum(axis=1, keepdims=True)
        references[str(part)] = Arrangements(
            tuple(tables[0].columns), share, tables[1].to_numpy(), tables[2].to_numpy()
        )
    return references


def _evidence_of_both_limbs(table: pd.DataFrame, thickness: float) -> Float64:
    """Return what each slice says for the part; two limbs show it at nearly the same height."""
    largest = table.groupby("side")["area_cm2"].transform("max")
    weight = np.minimum(1.0, table["area_cm2"] / (FULL_AREA_SHARE * largest))
    own = (table["likeness"] - LEAST_LIKENESS) * weight * thickness
    evidence: Float64 = own.groupby(table["slice"]).transform("mean").to_numpy()
    return evidence


def _confidence(table: pd.DataFrame, inside: Bool) -> Float64:
    """Return how sure each judgement is, from the likeness of the slice and its neighbours."""
    smooth = table.groupby("side")["likeness"].transform(
        lambda values: values.rolling(3, center=True, min_periods=1).median()
    )
    favour = 1.0 / (1.0 + np.exp(-(smooth.to_numpy() - LEAST_LIKENESS) / LIKENESS_SPREAD))
    return np.where(inside, favour, 1.0 - favour)
