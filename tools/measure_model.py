#!/usr/bin/env python3
"""Measure a model on synthetic scans of people it was not trained on, as its entry has it run.

``tools/measure_model.py NAME --labels LABELS --hold-out PERSON ... --work WORK``

NAME is an entry of the registry that comes with the software, trained by
``tools/train_thigh_model.py`` with the same ``--labels``, ``--hold-out`` and ``--work``. Prints the
table of the model's card: Dice and share of absent muscles, mild and severe.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from pipelines.arrays import UInt8
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.predict import load_segmenter, predict_labels
from pipelines.segmentation.synthesis.canvas import PIXEL_MM
from pipelines.segmentation.training.dataset import (
    SUBJECT_PATTERN,
    complete_all,
    find_label_maps,
    split_by_subject,
)
from pipelines.segmentation.training.evaluation import (
    SyntheticScan,
    evaluate_on_synthetic_scans,
    summarize,
)
from pipelines.segmentation.training.session import SCANS_PER_THIGH, held_out_sampler


def main() -> None:
    """Segment, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="entry, or NAME=FOLDER for other files of it")
    parser.add_argument("--labels", type=Path, required=True, help="folder of NIfTI label maps")
    parser.add_argument("--hold-out", nargs="+", required=True, metavar="PERSON")
    parser.add_argument("--subject-pattern", default=SUBJECT_PATTERN)
    parser.add_argument("--work", type=Path, required=True, help="folder of completed thighs")
    options = parser.parse_args()
    split = split_by_subject(
        find_label_maps(options.labels), options.hold_out, options.subject_pattern
    )
    thighs = complete_all(split.held_out, (0,), options.work / "thighs")
    registry = read_registry().without_checksums(options.name.partition("=")[0])
    files = open_model(options.name, registry, cache_dir=options.work, trust_model=True)
    segmenter = load_segmenter(files, device="cpu", cache_dir=options.work)

    def predict(scan: SyntheticScan) -> UInt8:
        affine = np.diag([PIXEL_MM, PIXEL_MM, scan.slice_mm, 1.0])
        return predict_labels(scan.images, affine, segmenter).labels.astype(np.uint8)

    scores = evaluate_on_synthetic_scans(predict, thighs, held_out_sampler(thighs), SCANS_PER_THIGH)
    print(summarize(scores).to_string(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
