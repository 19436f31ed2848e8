#!/usr/bin/env python3
"""Fit a model's expected Dice on synthetic scans of people it was not trained on.

``tools/calibrate_model.py NAME --labels LABELS --hold-out PERSON ... --work WORK``

NAME is an entry of the registry that comes with the software, trained by
``tools/train_thigh_model.py`` with the same ``--labels``, ``--hold-out`` and ``--work``. Writes
``calibration.json`` into its model folder; run ``tools/register_model.py NAME`` afterwards.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.predict import load_segmenter
from pipelines.segmentation.review.confidence import fit_calibration, write_calibration
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.sampler import Sampler, SamplerRange
from pipelines.segmentation.training.calibration import calibration_error, score_synthetic_scans
from pipelines.segmentation.training.dataset import (
    SUBJECT_PATTERN,
    complete_all,
    find_label_maps,
    split_by_subject,
)
from pipelines.segmentation.training.session import PREDICTION_SHAPE

# Far from the seeds of training and evaluation.
SEED = 777
# Two whole legs, as most scans show; what is missing in a part of a leg is told by other checks.
RANGES = SamplerRange(shape=PREDICTION_SHAPE, single_leg=0.0, cut_field=0.0)


def main() -> None:
    """Score, fit, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--labels", type=Path, required=True, help="folder of NIfTI label maps")
    parser.add_argument("--hold-out", nargs="+", required=True, metavar="PERSON")
    parser.add_argument("--subject-pattern", default=SUBJECT_PATTERN)
    parser.add_argument("--work", type=Path, required=True, help="folder of completed thighs")
    parser.add_argument("--scans", type=int, default=6, help="synthetic scans of each thigh")
    options = parser.parse_args()
    split = split_by_subject(
        find_label_maps(options.labels), options.hold_out, options.subject_pattern
    )
    thighs = complete_all(split.held_out, (0,), options.work / "thighs")
    registry = read_registry().without_checksums(options.name)
    files = open_model(options.name, registry, cache_dir=options.work, trust_model=True)
    segmenter = load_segmenter(files, device="cpu", cache_dir=options.work)
    sampler = Sampler(thighs, NoiseBank(SEED), SEED, RANGES)
    scores = score_synthetic_scans(segmenter, thighs, sampler, options.scans)
    source = f"{options.scans} synthetic scans of each of {len(thighs)} thighs kept out of training"
    calibration = fit_calibration(scores["soft_dice"].to_numpy(), scores["dice"].to_numpy(), source)
    print(write_calibration(calibration, files.folder))
    print(f"{len(scores)} muscles; expected Dice off by {calibration_error(scores):.3f} on average")


if __name__ == "__main__":
    main()
