#!/usr/bin/env python3
"""Recompute ``reference_ranges.tsv`` of ``pipelines/segmentation/review`` from real label maps.

``tools/make_reference_ranges.py LABEL_DIR LABEL_MAP > reference_ranges.tsv``

LABEL_DIR holds NIfTI label maps, LABEL_MAP is a label map name (``thigh11``) or TSV file. Every
map is measured whole and in windows of its slices, because scans do not always cover a whole
limb. A range goes from the 2nd to the 98th percentile of all windows and is widened, because the
maps are few and disease moves and shrinks muscles: shares by a factor, positions by a length.
Mean and standard deviation of the positions are given too.
"""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.anatomy.label_maps import read_label_map
from pipelines.geometry import to_canonical
from pipelines.segmentation.review.continuity import remove_strays
from pipelines.segmentation.sides.limb_side import describe_limbs
from pipelines.segmentation.sides.splitting import split_sides

WINDOWS = ((0.0, 1.0), (0.0, 0.5), (0.25, 0.75), (0.5, 1.0))
PERCENTILES = (2, 98)
# Muscles shrink to a fifth in late disease while their neighbours last.
SHRINKING = 5.0
# They hardly ever grow; a neighbour that vanishes makes their share larger.
GROWTH = 2.0
# In limb radii.
POSITION_MARGIN = 0.2
# The place of a muscle that a window only touches says nothing.
LEAST_SHARE = 0.01


def main(label_dir: Path, label_map_name: str) -> None:
    """Print the table."""
    label_map = read_label_map(label_map_name)
    measured = []
    paths = sorted(label_dir.glob("*.nii.gz"))
    for path in paths:
        image = nib.load(path)
        stored = np.asanyarray(image.dataobj).astype(np.int16)
        labels, affine, _ = to_canonical(stored, image.affine)
        sided, _ = remove_strays(split_sides(labels, affine, label_map).labels, affine)
        slices = np.flatnonzero(sided.any(axis=(0, 1)))
        for low, high in WINDOWS:
            first = slices[0] + round(low * len(slices))
            last = slices[0] + round(high * len(slices))
            measured.append(describe_limbs(sided[:, :, first:last], affine))
    table = pd.concat(measured)
    rows = []
    for muscle in dict.fromkeys(label.muscle for label in label_map if label.muscle):
        part = table[table["muscle"] == muscle]
        row: dict[str, object] = {"muscle": muscle, "n_maps": len(paths)}
        part = part[part["share"] >= LEAST_SHARE]
        low, high = np.percentile(part["share"], PERCENTILES)
        row |= {"share_low": low / SHRINKING, "share_high": min(1.0, high * GROWTH)}
        for axis in ("medial", "anterior"):
            low, high = np.percentile(part[axis], PERCENTILES)
            row |= {f"{axis}_low": low - POSITION_MARGIN, f"{axis}_high": high + POSITION_MARGIN}
            row |= {f"{axis}_mean": part[axis].mean(), f"{axis}_sd": part[axis].std()}
        rows.append(row)
    pd.DataFrame(rows).to_csv(sys.stdout, sep="\t", index=False, float_format="%.3f")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
