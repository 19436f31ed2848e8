"""One session from files to results, isolated from every other session.

Diagnosis and report are imported where a session needs them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_app.dataset.inputs import SessionInputs, Unusable, session_inputs
from bids_app.dataset.scans import Session
from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.files.derivatives import StackNames
from bids_app.files.provenance import run_info
from bids_app.files.reading import checksum
from bids_app.files.result_writer import SessionWriter, read_marker, session_writer
from bids_app.options.settings import Settings
from bids_app.participant.labelling import LabelSource
from bids_app.participant.stack import process_stack
from bids_app.participant.stack_results import StackTask
from bids_app.running.logs import LOGGER
from bids_app.running.outcome import Outcome
from bids_app.running.resources import ResourceMonitor
from bids_app.session_id import SessionId
from bids_app.version import __version__
from pipelines.files import write_text

# Key of a marker, and what a message calls it.
_DIAGNOSIS = "Diagnosis"
_CALLED = {_DIAGNOSIS: "diagnosis model"}


@dataclass(frozen=True)
class SessionTask:
    """Everything a worker needs to process one session."""

    session: Session
    settings: Settings
    labels: LabelSource


def process_session(task: SessionTask) -> Outcome:
    """Process one session; its errors become the outcome and never end the run."""
    session, output_dir = task.session.id, task.settings.output_dir
    monitor = ResourceMonitor()
    try:
        with as_app_errors(), session_writer(output_dir, session) as writer:
            inputs = session_inputs(task.session)
            made_from = _made_from(task, inputs)
            marker = None if task.settings.overwrite else read_marker(output_dir, session)
            if marker is None:
                _process(task, inputs, writer, monitor)
            elif _lacks_diagnosis(session, marker, made_from):
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


def _made_from(task: SessionTask, inputs: SessionInputs) -> dict[str, Any]:
    """Return what the results of a session depend on, for its marker."""
    files: dict[str, str] = {}
    for _, chosen in inputs.stacks:
        if isinstance(chosen, Unusable):
            continue
        for scan in chosen.scans:
            for path in scan.paths:
                files[path.relative_to(task.settings.bids_dir).as_posix()] = checksum(path)
    return {
        "Version": __version__,
        "Settings": task.settings.scientific(),
        "Labels": task.labels.identity(task.session),
        _DIAGNOSIS: _model_identity(task.settings),
        "Inputs": files,
    }


def _model_identity(settings: Settings) -> dict[str, Any] | None:
    if settings.diagnosis_model is None:
        return None
    from bids_app.participant.diagnosis import model_identity

    return model_identity(settings.diagnosis_model)


def _lacks_diagnosis(
    session: SessionId, marker: Mapping[str, Any], made_from: Mapping[str, Any]
) -> bool:
    """Tell whether a complete session only lacks a model's answers; refuse any other change."""
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


def _process(
    task: SessionTask, inputs: SessionInputs, writer: SessionWriter, monitor: ResourceMonitor
) -> None:
    """Process every usable stack of a session and write its report."""
    if inputs.reason is not None:
        raise AppError(
            inputs.reason,
            ExitCode.NOTHING_SELECTED,
            "docs/input.md lists the scans that can be used.",
        )
    session, settings = task.session.id, task.settings
    for stack, chosen in inputs.stacks:
        if isinstance(chosen, Unusable):
            where = f"{session.name} {stack.name}".rstrip()
            LOGGER.warning("%s: not used: %s %s", where, chosen.reason, chosen.hint)
            continue
        names = StackNames(session, stack.name)
        stack_task = StackTask(task.session, stack, chosen, names, settings)
        process_stack(stack_task, task.labels, writer, monitor)
    if settings.diagnosis_model is not None:
        from bids_app.participant.diagnosis import diagnose_staged

        with monitor.step("diagnosis"):
            diagnose_staged(settings, settings.diagnosis_model, session, writer)
    with monitor.step("report"):
        _write_report(task, writer.folder, writer.text)


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
        _write_report(task, settings.output_dir, writer.text, writer.folder)


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
    inputs = session_inputs(session)
    ready = inputs.reason is None
    lines = [f"{session.id.name}: {state if ready else 'cannot be processed'}"]
    for stack, chosen in inputs.stacks:
        name = f"  {stack.name}: " if stack.name else "  "
        if isinstance(chosen, Unusable):
            lines.append(f"{name}not used: {chosen.reason}")
        else:
            paths = [path for scan in chosen.scans for path in scan.paths]
            listed = ", ".join(str(path.relative_to(settings.bids_dir)) for path in paths)
            lines.append(f"{name}{listed}")
    if inputs.reason is not None and not inputs.stacks:
        lines.append(f"  {inputs.reason}")
    return lines
