"""One Dixon stack from images to tables: read, fat fraction, labels, measurements, write."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from bids_app.errors import from_pipeline
from bids_app.files.derivatives import sidecar
from bids_app.files.result_writer import SessionWriter
from bids_app.participant.labelling import LabelSource
from bids_app.participant.stack_images import read_images
from bids_app.participant.stack_results import StackResults, StackTask
from bids_app.participant.stack_sidecars import (
    fat_fraction_sidecar,
    labels_sidecar,
    lookup_table,
    map_sidecar,
    table_sidecar,
)
from bids_app.running.resources import ResourceMonitor
from pipelines.arrays import Array
from pipelines.errors import PipelineError
from pipelines.geometry import restore
from pipelines.quantification.columns import MuscleTables
from pipelines.quantification.options import QuantificationOptions
from pipelines.quantification.table import add_confidence, measure_muscles
from pipelines.water_fat.dixon import DixonResult

LOGGER = logging.getLogger("myomids")


def process_stack(
    task: StackTask, source: LabelSource, writer: SessionWriter, monitor: ResourceMonitor
) -> None:
    """Process one stack and stage its files.

    Parameters
    ----------
    task : StackTask
        The stack.
    source : LabelSource
        Where its labels come from.
    writer : SessionWriter
        Stages the files.
    monitor : ResourceMonitor
        Measures each step.

    Raises
    ------
    AppError
        If a file cannot be read or holds unusable data; the message names it.
    """
    try:
        with monitor.step("read images"):
            images = read_images(task.inputs)
        with monitor.step("fat fraction"):
            fat_fraction = images.fat_fraction(task.settings)
            dixon = fat_fraction.dixon
        with monitor.step("muscle labels"):
            labelling = source.label(
                task.session,
                task.stack,
                segmentation_images(dixon),
                dixon.affine,
                dixon.limbs,
            )
        with monitor.step("measurements"):
            options = QuantificationOptions(erode=task.settings.erode)
            floor = dixon.noise.ff_floor if dixon.noise else None
            measured = measure_muscles(labelling.labels, dixon.ff, dixon.affine, options, floor)
            stats = measured.muscles
            if labelling.confidence is not None:
                stats = add_confidence(stats, labelling.confidence)
        with monitor.step("write files"):
            results = StackResults(
                images, fat_fraction, labelling, stats, measured.profile, options
            )
            write_results(task, results, writer)
    except PipelineError as error:
        paths = ", ".join(str(path) for scan in task.inputs.scans for path in scan.paths)
        raise from_pipeline(error, f"{task.where} ({paths})") from error
    for check in (*dixon.checks, *labelling.checks):
        if check.level != "pass":
            LOGGER.warning("%s: %s: %s", task.where, check.level, check.text)


def segmentation_images(dixon: DixonResult) -> dict[str, Array]:
    """Return the images a model may segment.

    A fat fraction map alone becomes a pair of images with constant sum inside the body, which is
    what water and fat look like once their common intensity is divided out.
    """
    if dixon.water is not None and dixon.fat is not None:
        return {"water": dixon.water, "fat": dixon.fat}
    fraction = np.where(dixon.body, np.nan_to_num(dixon.ff) / 100.0, 0.0).astype(np.float32)
    return {"water": np.where(dixon.body, 1.0 - fraction, 0.0).astype(np.float32), "fat": fraction}


def write_results(task: StackTask, results: StackResults, writer: SessionWriter) -> None:
    """Stage the images, tables and sidecars of a stack."""
    names, orientation = task.names, results.images.orientation
    dixon, labelling = results.fat_fraction.dixon, results.labelling
    images: list[tuple[Path, Array, dict[str, Any]]] = [
        (names.fat_fraction, dixon.ff, fat_fraction_sidecar(task, results)),
        (names.labels, labelling.labels, labels_sidecar(task, results)),
    ]
    for ending, made in results.fat_fraction.maps.items():
        images.append((names.map(ending), made.data, map_sidecar(task, made)))
    for name, data, content in images:
        stored, affine = restore(data, dixon.affine, orientation)
        writer.image(name, stored, affine)
        writer.json(sidecar(name), content)
    writer.table(names.lookup, lookup_table(labelling.labels))
    for name, table, frame in (
        (names.stats, MuscleTables.MUSCLES, results.stats),
        (names.profile, MuscleTables.PROFILE, results.profile),
    ):
        writer.table(name, frame)
        writer.json(sidecar(name), table_sidecar(task, results, table))
