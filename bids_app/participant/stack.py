"""One Dixon stack from images to tables: read, fat fraction, labels, measurements, write."""

from bids_app.errors import from_pipeline
from bids_app.files.result_writer import SessionWriter
from bids_app.participant.labelling import LabelSource
from bids_app.participant.shared_sign import ShownSign
from bids_app.participant.stack_images import read_images
from bids_app.participant.stack_results import StackResults, StackTask, write_results
from bids_app.running.logs import LOGGER
from bids_app.running.resources import ResourceMonitor
from pipelines.errors import PipelineError
from pipelines.quantification.options import QuantificationOptions
from pipelines.quantification.table import add_confidence, measure_muscles


def process_stack(
    task: StackTask, source: LabelSource, writer: SessionWriter, monitor: ResourceMonitor
) -> ShownSign | None:
    """Process one stack and stage its files; an error names the files it comes from.

    Returns what raw echoes show of the sign of the phase.
    """
    try:
        with monitor.step("read images"):
            images = read_images(task.inputs, task.prior_signs)
        with monitor.step("fat fraction"):
            fat_fraction = images.fat_fraction(task.settings)
            dixon = fat_fraction.dixon
        with monitor.step("muscle labels"):
            labelling = source.label(task.session, task.stack, dixon)
        with monitor.step("measurements"):
            options = QuantificationOptions(erode=task.settings.erode)
            floor = dixon.noise.ff_floor if dixon.noise else None
            measured = measure_muscles(
                labelling.labels, dixon.measurable_ff, dixon.affine, options, floor
            )
            stats = measured.muscles
            if labelling.confidence is not None:
                stats = add_confidence(stats, labelling.confidence)
        with monitor.step("write files"):
            results = StackResults(
                images.orientation, fat_fraction, labelling, stats, measured.profile, options
            )
            write_results(task, results, writer)
    except PipelineError as error:
        paths = ", ".join(str(path) for scan in task.inputs.scans for path in scan.paths)
        raise from_pipeline(error, f"{task.where} ({paths})") from error
    for check in (*dixon.checks, *labelling.checks):
        if check.level != "pass":
            LOGGER.warning("%s: %s: %s", task.where, check.level, check.text)
    return fat_fraction.shown_sign
