"""One training from a folder of label maps to a model folder, resumable."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pipelines.errors import DataError
from pipelines.segmentation.synthesis.anatomy import Thigh
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.real_sampler import RealSlice
from pipelines.segmentation.synthesis.sampler import TRAINING_RANGES, Sampler, SamplerRange
from pipelines.segmentation.training.dataset import (
    SUBJECT_PATTERN,
    complete_all,
    find_label_maps,
    split_by_subject,
)
from pipelines.segmentation.training.evaluation import (
    evaluate_on_synthetic_scans,
    slice_by_slice,
    summarize,
)
from pipelines.segmentation.training.export import (
    export_model,
    load_network,
    network_from_checkpoint,
)
from pipelines.segmentation.training.plans import dataset_description, make_plans
from pipelines.segmentation.training.real_cases import read_real_cases
from pipelines.segmentation.training.stream import SampleSources, SampleStream, draw_batch
from pipelines.segmentation.training.trainer import make_trainer, set_nnunet_folders

logger = logging.getLogger(__name__)

DATASET_NAME = "Dataset011_Thigh11"
# Batches scored after every epoch, and synthetic scans of each held-out thigh in the end.
VALIDATION_BATCHES = 5
SCANS_PER_THIGH = 6
# Seeds far from those of the training stream.
VALIDATION_SEED = 12345
# Two thighs with their fat fit into this many pixels of a slice (400 x 240 mm). The network is
# trained on smaller fields of view, which hold less air, and sees whole slices when it predicts.
PREDICTION_SHAPE = (320, 192)


@dataclass(frozen=True)
class TrainingOptions:
    """What a training needs to know; see ``tools/train_thigh_model.py --help``."""

    labels: Path
    work: Path
    model: Path
    hold_out: tuple[str, ...] | list[str] = ()
    subject_pattern: str = SUBJECT_PATTERN
    start_from: Path | None = None
    real_cases: Path | None = None
    real_share: float = 0.35
    variants: int = 1
    epochs: int = 90
    steps: int = 80
    batch_size: int = 8
    learning_rate: float = 1.5e-3
    base_features: int = 16
    max_features: int = 256
    seed: int = 1
    threads: int = 2
    generators: int = 1
    device: str = "cpu"


def run_session(options: TrainingOptions, ranges: SamplerRange | None = None) -> pd.DataFrame:
    """Train a model, export it and measure it on synthetic scans of the held-out thighs.

    Parameters
    ----------
    options : TrainingOptions
        What to train, on what, where.
    ranges : SamplerRange, optional
        What the samples look like.

    Returns
    -------
    pandas.DataFrame
        Summary of the held-out scores; empty if nobody is held out.
    """
    ranges = ranges or TRAINING_RANGES
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    set_nnunet_folders(options.work)
    split = split_by_subject(
        find_label_maps(options.labels), options.hold_out, options.subject_pattern
    )
    cache = options.work / "thighs"
    thighs = complete_all(split.training, range(options.variants), cache)
    held_out = complete_all(split.held_out, (0,), cache)
    logger.info("%d thighs for training, %d held out", len(thighs), len(held_out))
    dataset_json = dataset_description(DATASET_NAME, len(split.training))
    plans = make_plans(
        dataset_json,
        ranges.shape,
        base_features=options.base_features,
        max_features=options.max_features,
        batch_size=options.batch_size,
    )
    sampler = Sampler(held_out or thighs, NoiseBank(VALIDATION_SEED), VALIDATION_SEED, ranges)
    validation = [draw_batch(sampler, options.batch_size) for _ in range(VALIDATION_BATCHES)]
    sources = SampleSources(
        thighs, _real_cases(options, plans, dataset_json), options.real_share, ranges
    )
    stream = SampleStream(sources, options.batch_size, options.seed, options.generators)
    try:
        trainer = make_trainer(
            plans,
            dataset_json,
            stream,
            validation,
            epochs=options.epochs,
            steps=options.steps,
            learning_rate=options.learning_rate,
            device=torch.device(options.device),
        )
        latest = Path(trainer.output_folder) / "checkpoint_latest.pth"
        if latest.exists():
            trainer.start_from(latest, resume=True)
        elif options.start_from is not None:
            trainer.start_from(options.start_from, resume=False)
        final = latest.with_name("checkpoint_final.pth")
        if not final.exists():
            trainer.run_training()
    finally:
        stream.close()
    export_model(final, plans, dataset_json, options.model, PREDICTION_SHAPE)
    if not held_out:
        return pd.DataFrame()
    sampler = held_out_sampler(held_out)
    predict = slice_by_slice(load_network(options.model))
    scores = evaluate_on_synthetic_scans(predict, held_out, sampler, SCANS_PER_THIGH)
    scores.to_csv(options.work / "held_out_scores.tsv", sep="\t", index=False)
    return summarize(scores)


def held_out_sampler(thighs: Sequence[Thigh]) -> Sampler:
    """Return the sampler of the scans on which models are measured: the same for every model."""
    whole = SamplerRange(shape=PREDICTION_SHAPE, missing_channel=0.0)
    return Sampler(thighs, NoiseBank(VALIDATION_SEED), VALIDATION_SEED, whole)


def _real_cases(
    options: TrainingOptions, plans: dict[str, Any], dataset_json: dict[str, Any]
) -> list[list[RealSlice]]:
    """Read the real scans, their surroundings filled in by the network the training starts from."""
    if options.real_cases is None:
        return []
    if options.start_from is None:
        raise DataError(
            "Real scans need a trained network to tell what surrounds their muscles.",
            "Give its checkpoint with --start-from.",
        )
    network = network_from_checkpoint(plans, dataset_json, options.start_from)
    cases = read_real_cases(options.real_cases, network)
    kept_out = sorted(set(cases) & set(options.hold_out))
    if kept_out:
        raise DataError(
            f"{options.real_cases} names people who are held out: {', '.join(kept_out)}.",
            "Take them out of the table, or do not hold them out.",
        )
    logger.info("real scans of %s", ", ".join(sorted(cases)))
    return list(cases.values())
