#!/usr/bin/env python3
"""List every muscle of a MyoMIDS output for PyRadiomics, found with pybids.

``pyradiomics_batch.py DERIVATIVES BATCH.csv``, then ``pyradiomics BATCH.csv -o features.csv``.

The same few lines find maps, labels and tables for any other tool: what they are is said by
entities and suffixes, what a label value means by the look-up table beside the label image.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from bids import BIDSLayout
from bids.layout import BIDSFile


def main() -> None:
    """Write one row per muscle and side: image, mask, label value, and whose it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("derivatives", type=Path)
    parser.add_argument("batch", type=Path)
    options = parser.parse_args()
    # MIDS datatypes are not in the BIDS standard, so nothing is validated.
    layout = BIDSLayout(options.derivatives, validate=False, is_derivative=True)
    with options.batch.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(
            stream, ["Image", "Mask", "Label", "participant", "session", "muscle", "side"]
        )
        writer.writeheader()
        for labels in layout.get(suffix="dseg", desc="muscles", extension=".nii.gz"):
            writer.writerows(rows(layout, labels))


def rows(layout: BIDSLayout, labels: BIDSFile) -> Iterator[dict[str, object]]:
    """Yield the muscles of one session that its label image really holds."""
    of_session = {name: labels.entities.get(name) for name in ("subject", "session")}
    (fat_fraction,) = layout.get(suffix="FF", extension=".nii.gz", **of_session)
    (names,) = layout.get(suffix="dseg", desc="muscles", extension=".tsv", **of_session)
    (measured,) = layout.get(suffix="stats", desc="muscles", extension=".tsv", **of_session)
    found = pd.read_table(measured.path).query("level == 'muscle'")[["muscle", "side"]]
    for row in pd.read_table(names.path).merge(found, on=["muscle", "side"]).itertuples():
        yield {
            "Image": fat_fraction.path,
            "Mask": labels.path,
            "Label": row.index,
            "participant": of_session["subject"],
            "session": of_session["session"] or "n/a",
            "muscle": row.muscle,
            "side": row.side,
        }


if __name__ == "__main__":
    main()
