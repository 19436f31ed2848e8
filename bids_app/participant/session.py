"""One session from files to results, isolated from every other session."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app.dataset.inputs import Unusable, select_inputs, unusable_reason
from bids_app.dataset.scans import Session
from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.files.derivatives import StackNames
from bids_app.files.provenance import run_info
from bids_app.files.reading import checksum
from bids_app.files.result_writer import SessionWriter, read_marker, session_writer
from bids_app.group.own_results import check_unchanged, result_of
from bids_app.options.settings import INPUT_NAME, Settings
from bids_app.participant.diagnosis import model_identity, staged_result, write_diagnosis
from bids_app.participant.labelling import LabelSource
from bids_app.participant.stack import process_stack
from bids_app.participant.stack_results import StackTask
from bids_app.running.outcome import Outcome
from bids_app.running.resources import ResourceMonitor
from bids_app.session_id import SessionId
from bids_app.version import __version__
from pipelines.files import write_text

LOGGER = logging.getLogger("myomids")

# Key of a marker, and what a message calls it.
_DIAGNOSIS = "Diagnosis"
_CALLED = {_DIAGNOSIS: "diagnosis model"}


@dataclass(frozen=True)
class SessionTask:
    """Everything a worker needs to process one session.

    Attributes
    ----------
    session : Session
        What the dataset holds.
    settings : Settings
        Choices of the run.
    labels : LabelSource
        Where the muscle labels come from.
    """

    session: Session
    settings: Settings
    labels: LabelSource


def process_session(task: SessionTask) -> Outcome:
    """Process one session; its errors become the outcome and never end the run.

    Parameters
    ----------
    task : SessionTask
        The session and the choices of the run.

    Returns
    -------
    Outcome
        ``complete``, ``skipped`` (it was complete already) or ``failed`` with the reason.
    """
    session, output_dir = task.session.id, task.settings.output_dir
    monitor = ResourceMonitor()
    try:
        with as_app_errors(), session_writer(output_dir, session) as writer:
            made_from = describe_inputs(task)
            marker = None if task.settings.overwrite else read_marker(output_dir, session)
            if marker is None:
                _process(task, writer, monitor)
            elif lacks_diagnosis(session, marker, made_from):
                LOGGER.info("%s: complete before, only its diagnoses are ranked", session.name)
                _add_diagnosis(task, marker, writer, monitor)
            else:
                LOGGER.info("%s: complete before, skipped", session.name)
                return Outcome(session, "skipped")
            with monitor.step("put files in place"):
                writer.commit(made_from, add=marker is not None)
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
    return Outcome(session, "complete", steps=tuple(monitor.steps))


def describe_inputs(task: SessionTask) -> dict[str, Any]:
    """Return what the results of a session depend on, for its marker.

    Returns
    -------
    dict
        Version, settings that change numbers, model, and the SHA-256 of every input file by its
        path in the dataset.
    """
    files: dict[str, str] = {}
    for stack in task.session.stacks:
        inputs = select_inputs(stack)
        if isinstance(inputs, Unusable):
            continue
        for scan in inputs.scans:
            for path in scan.paths:
                files[path.relative_to(task.settings.bids_dir).as_posix()] = checksum(path)
    return {
        "Version": __version__,
        "Settings": task.settings.scientific(),
        "Labels": task.labels.identity(task.session),
        _DIAGNOSIS: model_identity(task.settings),
        "Inputs": files,
    }


def lacks_diagnosis(
    session: SessionId, marker: Mapping[str, Any], made_from: Mapping[str, Any]
) -> bool:
    """Compare a complete session with what it would now be made from.

    Returns
    -------
    bool
        False if that is the same, True if it only lacks the answers of a diagnosis model.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` if it was made from something else.
    """
    changed = [key for key, value in made_from.items() if marker.get(key) != value]
    if changed == [_DIAGNOSIS] and marker.get(_DIAGNOSIS) is None:
        return True
    if changed:
        names = (_CALLED.get(key, key.lower()) for key in changed)
        raise AppError(
            f"Results of {session.name} exist that were made from other {' and '.join(names)}.",
            ExitCode.CANNOT_CREATE,
            "Recompute them with --overwrite, or choose another output folder.",
        )
    return False


def _process(task: SessionTask, writer: SessionWriter, monitor: ResourceMonitor) -> None:
    """Process every usable stack of a session and write its report."""
    reason = unusable_reason(task.session)
    if reason is not None:
        raise AppError(
            reason, ExitCode.NOTHING_SELECTED, "docs/input.md lists the scans that can be used."
        )
    session = task.session.id
    for stack in task.session.stacks:
        inputs = select_inputs(stack)
        if isinstance(inputs, Unusable):
            where = f"{session.name} {stack.name}".rstrip()
            LOGGER.warning("%s: not used: %s %s", where, inputs.reason, inputs.hint)
            continue
        names = StackNames(session, stack.name)
        stack_task = StackTask(task.session, stack, inputs, names, task.settings)
        process_stack(stack_task, task.labels, writer, monitor)
    if task.settings.diagnosis_model is not None:
        with monitor.step("diagnosis"):
            write_diagnosis(task.settings, staged_result(session, writer), writer)
    with monitor.step("report"):
        _write_report(task, writer.folder, writer.text)


def _add_diagnosis(
    task: SessionTask, marker: Mapping[str, Any], writer: SessionWriter, monitor: ResourceMonitor
) -> None:
    """Apply the diagnosis model to a session that is complete without one."""
    output_dir = task.settings.output_dir
    with monitor.step("diagnosis"):
        result = result_of(INPUT_NAME, output_dir, task.session.id, marker)
        check_unchanged(result)
        write_diagnosis(task.settings, result, writer)
    with monitor.step("report"):
        _write_report(task, output_dir, writer.text, writer.folder)


def _write_report(
    task: SessionTask,
    folder: Path,
    write: Callable[[Path, str], None],
    answers_folder: Path | None = None,
) -> None:
    """Make the pages of a session from its derivative files in a folder."""
    from bids_app.reports.session.derivative_content import read_session_content
    from bids_app.reports.session.page import render_session, session_figures, stack_views

    session = task.session.id
    content = read_session_content(
        folder, session, run_info(task.settings), answers_folder=answers_folder
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
            _write_report(task, output_dir, lambda name, text: write_text(output_dir / name, text))
    except AppError as error:
        return Outcome.failure(session, error, monitor.steps)
    return Outcome(session, "complete", steps=tuple(monitor.steps))


def describe_session(session: Session, settings: Settings) -> list[str]:
    """Say what would be done with a session, one line for it and one for each stack."""
    marker = None if settings.overwrite else read_marker(settings.output_dir, session.id)
    state = "would be processed"
    if marker is not None:
        only_diagnosis = settings.diagnosis_model is not None and marker.get(_DIAGNOSIS) is None
        state = "complete before" + (
            ", only its diagnoses would be ranked" if only_diagnosis else ""
        )
    reason = unusable_reason(session)
    lines = [f"{session.id.name}: {state if reason is None else 'cannot be processed'}"]
    for stack in session.stacks:
        inputs = select_inputs(stack)
        name = f"  {stack.name}: " if stack.name else "  "
        if isinstance(inputs, Unusable):
            lines.append(f"{name}not used: {inputs.reason}")
        else:
            paths = [path for scan in inputs.scans for path in scan.paths]
            listed = ", ".join(str(path.relative_to(settings.bids_dir)) for path in paths)
            lines.append(f"{name}{listed}")
    if reason is not None and not session.stacks:
        lines.append(f"  {reason}")
    return lines
