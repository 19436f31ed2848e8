"""One session from files to results, isolated from every other session.

Diagnosis and report are imported where a session needs them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_app.dataset.inputs import SessionInputs, Unusable, session_inputs
from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.files.derivatives import StackNames
from bids_app.files.markers import REFUSED_STACKS, read_marker
from bids_app.files.provenance import run_info
from bids_app.files.result_writer import SessionWriter, session_writer
from bids_app.files.verdicts import verdicts_of_run
from bids_app.participant.completion import (
    PHASE_SIGNS,
    Refusals,
    SessionTask,
    lacks_diagnosis,
    made_from_now,
    refused_before,
    signs_shown_before,
)
from bids_app.participant.shared_sign import ShownSign
from bids_app.participant.stack import process_stack
from bids_app.participant.stack_results import StackTask
from bids_app.running.logs import LOGGER
from bids_app.running.outcome import Outcome
from bids_app.running.resources import ResourceMonitor
from pipelines.files import write_text


def process_session(task: SessionTask) -> Outcome:
    """Process one session; its errors become the outcome and never end the run."""
    session, output_dir = task.session.id, task.settings.output_dir
    monitor = ResourceMonitor()
    try:
        with as_app_errors(), session_writer(output_dir, session) as writer:
            if task.session.unreadable is not None:
                raise task.session.unreadable
            inputs = session_inputs(task.session)
            made_from = made_from_now(task, inputs)
            anew = task.settings.overwrite or bool(task.prior_signs)
            marker = None if anew else read_marker(output_dir, session)
            refused = refused_before(marker)
            signs = signs_shown_before(marker)
            if marker is None:
                refused, signs = _process(task, inputs, writer, monitor)
            elif lacks_diagnosis(session, marker, made_from):
                LOGGER.info("%s: complete before, only its diagnoses are ranked", session.name)
                _add_diagnosis(task, marker, writer, monitor)
            else:
                LOGGER.info("%s: complete before, skipped", session.name)
                return Outcome(session, "skipped", refused_stacks=len(refused), signs=signs)
            with monitor.step("put files in place"):
                about = {**made_from, REFUSED_STACKS: refused, PHASE_SIGNS: list(signs)}
                writer.commit(about, add=marker is not None)
    except AppError as error:
        return Outcome.failure(session, error, monitor.steps)
    except Exception:
        LOGGER.debug("%s: unforeseen error", session.name, exc_info=True)
        defect = AppError(
            "Ended with an unforeseen error; the log file has its traceback.",
            ExitCode.FAILURE,
            "This is a defect of MyoMIDS: please report it with the log file.",
        )
        return Outcome.failure(session, defect, monitor.steps)
    seconds = sum(step.seconds for step in monitor.steps)
    LOGGER.info("%s: complete in %.1f s", session.name, seconds)
    steps = tuple(monitor.steps)
    return Outcome(session, "complete", steps=steps, refused_stacks=len(refused), signs=signs)


def _process(
    task: SessionTask, inputs: SessionInputs, writer: SessionWriter, monitor: ResourceMonitor
) -> tuple[Refusals, tuple[ShownSign, ...]]:
    """Process every usable stack of a session and write its report.

    Returns what was refused, and what raw echoes show of the sign of the phase.
    """
    if inputs.reason is not None:
        raise AppError(inputs.reason, ExitCode.NOTHING_SELECTED, inputs.hint)
    session, settings = task.session.id, task.settings
    refused: list[tuple[str, AppError]] = []
    shown: list[ShownSign | None] = []
    for stack, chosen in inputs.stacks:
        if isinstance(chosen, Unusable):
            where = f"{session.name} {stack.name}".rstrip()
            LOGGER.warning("%s: not used: %s %s", where, chosen.reason, chosen.hint)
            continue
        names = StackNames(session, stack.name)
        stack_task = StackTask(task.session, stack, chosen, names, settings, task.prior_signs)
        try:
            shown.append(process_stack(stack_task, task.labels, writer, monitor))
        except AppError as error:
            if error.exit_code is not ExitCode.BAD_DATA:
                raise
            LOGGER.error("%s: refused: %s %s", stack_task.where, error.message, error.hint)
            refused.append((stack.name, error))
    if refused and not shown:
        raise refused[0][1]
    refusals = [_refusal(name, error, settings.bids_dir) for name, error in refused]
    if settings.diagnosis_model is not None:
        from bids_app.participant.diagnosis import diagnose_staged

        with monitor.step("diagnosis"):
            diagnose_staged(settings, settings.diagnosis_model, session, writer)
    with monitor.step("report"):
        _write_report(task, writer.folder, writer.text, refusals)
    return refusals, tuple(sign for sign in shown if sign is not None)


def _refusal(stack: str, error: AppError, bids_dir: Path) -> dict[str, str]:
    """Say why a stack was refused; where the dataset lies is nobody's business."""
    message = error.message.replace(f"{bids_dir}/", "")
    return {"Stack": stack, "Message": message, "Hint": error.hint}


def _add_diagnosis(
    task: SessionTask, marker: Mapping[str, Any], writer: SessionWriter, monitor: ResourceMonitor
) -> None:
    """Apply the diagnosis model to a session that is complete without one."""
    from bids_app.participant.diagnosis import diagnose_complete

    settings = task.settings
    assert settings.diagnosis_model is not None, "asked to diagnose without a model"
    with monitor.step("diagnosis"):
        diagnose_complete(settings, settings.diagnosis_model, task.session.id, marker, writer)
    with monitor.step("report"):
        refused = refused_before(marker)
        _write_report(task, settings.output_dir, writer.text, refused, writer.folder)


def _write_report(
    task: SessionTask,
    folder: Path,
    write: Callable[[Path, str], None],
    refused: Refusals,
    answers_folder: Path | None = None,
) -> None:
    """Make the pages of a session from its derivative files in a folder."""
    from bids_app.reports.session.content import Failure
    from bids_app.reports.session.derivative_content import read_session_content
    from bids_app.reports.session.page import render_session, session_figures, stack_views

    session = task.session.id
    failures = [Failure(one["Message"], one["Hint"], stack=one["Stack"]) for one in refused]
    verdicts = [verdict.sentence for verdict in verdicts_of_run(task.settings).about(session)]
    content = replace(
        read_session_content(folder, session, run_info(task.settings), failures, answers_folder),
        verdicts=verdicts,
    )
    views = stack_views(content)
    write(session.report, render_session(content, views))
    for name, figure in session_figures(content, views).items():
        write(session.figures / name, figure)


def rewrite_report(task: SessionTask) -> Outcome:
    """Write the pages of a complete session again from its derivative files."""
    session, output_dir = task.session.id, task.settings.output_dir
    monitor = ResourceMonitor()
    try:
        with as_app_errors(), monitor.step("report"):
            refused = refused_before(read_marker(output_dir, session))
            _write_report(
                task, output_dir, lambda name, text: write_text(output_dir / name, text), refused
            )
    except AppError as error:
        return Outcome.failure(session, error, monitor.steps)
    return Outcome(session, "complete", steps=tuple(monitor.steps))
