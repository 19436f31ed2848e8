#!/usr/bin/env python3
"""Recompute ``slice_references.tsv`` of ``pipelines/segmentation/review`` from real label maps.

``tools/make_slice_references.py LABEL_DIR LABEL_MAP PART > slice_references.tsv``

LABEL_DIR holds NIfTI label maps of one part of the body, LABEL_MAP is a label map name
(``thigh11``) or TSV file. Of all slices of all limbs those are kept that together resemble all of
them best.
``--leave-one-out`` prints instead how often slices of real limbs would be cut off, each person
judged by references from the others.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.anatomy.label_maps import read_label_map
from pipelines.anatomy.vocabulary import Label
from pipelines.arrays import Affine, Float64, Index, UInt16
from pipelines.geometry import to_canonical, voxel_sizes
from pipelines.segmentation.review import body_parts
from pipelines.segmentation.review.continuity import remove_strays
from pipelines.segmentation.sides.limb_slices import Arrangements, LimbSlices, describe_slices
from pipelines.segmentation.sides.splitting import split_sides

N_REFERENCES = 100
# Ends of muscles, where little of the arrangement is left, are no references.
LEAST_WEIGHT = 0.15
# Slices of a thick stack say more than each of many thin ones.
FULL_THICKNESS_MM = 20.0


@dataclass(frozen=True)
class _Map:
    name: str
    labels: UInt16
    affine: Affine
    slices: LimbSlices

    @property
    def person(self) -> str:
        """Number in the file's name; two contrasts of one person share it."""
        match = re.search(r"(?:THIGH_|HV)\d+", self.name)
        return match[0] if match else self.name

    @property
    def weight(self) -> Float64:
        """How much each slice counts, 0 to 1."""
        area = self.slices.area_cm2
        side = np.array(self.slices.side)
        largest = np.array([area[side == one].max() for one in side])
        thickness = float(voxel_sizes(self.affine)[2])
        full = np.minimum(1.0, area / (body_parts.FULL_AREA_SHARE * largest))
        return full * min(1.0, thickness / FULL_THICKNESS_MM)


def _read(path: Path, label_map: list[Label], names: list[str]) -> _Map:
    image = nib.load(path)
    stored = np.asanyarray(image.dataobj).astype(np.int16)
    labels, affine, _ = to_canonical(stored, image.affine)
    sided, _ = remove_strays(split_sides(labels, affine, label_map).labels, affine)
    return _Map(path.name, sided, affine, describe_slices(sided, affine, names))


def _joined(maps: list[_Map]) -> tuple[Arrangements, Float64]:
    found = [one.slices.arrangements for one in maps]
    share, medial, anterior = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("share", "medial", "anterior")
    )
    weight = np.concatenate([one.weight for one in maps])
    return Arrangements(found[0].muscles, share, medial, anterior), weight


def _choose(alike: Float64, weight: Float64) -> Index:
    """Return the rows that, one after the other, raise the others' best likeness most."""
    candidates = np.flatnonzero(weight >= LEAST_WEIGHT)
    alike, weight = alike[np.ix_(candidates, candidates)], weight[candidates]
    best = np.zeros(len(candidates))
    chosen: list[int] = []
    for _ in range(min(N_REFERENCES, len(candidates))):
        gain = (weight[:, None] * np.maximum(alike - best[:, None], 0.0)).sum(axis=0)
        chosen.append(int(gain.argmax()))
        best = np.maximum(best, alike[:, chosen[-1]])
    return candidates[chosen]


def _rows(arrangements: Arrangements, chosen: Index) -> Arrangements:
    return Arrangements(
        arrangements.muscles,
        arrangements.share[chosen],
        arrangements.medial[chosen],
        arrangements.anterior[chosen],
    )


def _print_table(reference: Arrangements, part: str) -> None:
    rows = [
        (part, number, muscle, share, medial, anterior)
        for number, row in enumerate(
            zip(reference.share, reference.medial, reference.anterior, strict=True), start=1
        )
        for muscle, share, medial, anterior in zip(reference.muscles, *row, strict=True)
        if share >= 0.0005
    ]
    columns = ["part", "slice", "muscle", "share", "medial", "anterior"]
    table = pd.DataFrame(rows, columns=columns)
    table["share"] = table["share"].map("{:.3f}".format)
    table.to_csv(sys.stdout, sep="\t", index=False, float_format="%.2f")


def _leave_one_out(maps: list[_Map], label_map: list[Label], part: str) -> None:
    for person in dict.fromkeys(one.person for one in maps):
        others, weight = _joined([one for one in maps if one.person != person])
        reference = _rows(others, _choose(body_parts.likeness(others, others), weight))
        for one in maps:
            if one.person == person:
                judged = body_parts.judge_slices(
                    one.labels, one.affine, label_map, part, references={part: reference}
                )
                assert judged is not None, "the map has the muscles of its reference"
                area = judged["area_cm2"]
                cut = judged["part"] != part
                mean = float(np.average(judged["likeness"], weights=area))
                print(one.name, f"{mean:.3f}", f"{area[cut].sum() / area.sum():.3f}", sep="\t")


def main(label_dir: Path, label_map_name: str, part: str, *, leave_one_out: bool) -> None:
    """Print the table, or the rates."""
    label_map = list(read_label_map(label_map_name))
    names = list(dict.fromkeys(label.muscle for label in label_map if label.muscle))
    maps = [_read(path, label_map, names) for path in sorted(label_dir.glob("*.nii.gz"))]
    if leave_one_out:
        _leave_one_out(maps, label_map, part)
    else:
        everything, weight = _joined(maps)
        chosen = _choose(body_parts.likeness(everything, everything), weight)
        _print_table(_rows(everything, chosen), part)


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--leave-one-out"]
    main(Path(arguments[0]), *arguments[1:], leave_one_out="--leave-one-out" in sys.argv)
