"""Say what a participant run would do, and refuse what it would refuse; write nothing."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from bids_app.dataset.inputs import Inputs, SessionInputs, Unusable, session_inputs
from bids_app.dataset.scans import Session
from bids_app.errors import AppError, ExitCode
from bids_app.files.derivatives import refuse_unwritable
from bids_app.files.markers import read_marker
from bids_app.options.settings import Settings
from bids_app.participant.completion import SessionTask, choices_of, lacks_diagnosis
from bids_app.participant.labelling import LabelSource, prepare_labels
from bids_app.running.outcome import Outcome, exit_code_of


def dry_run(settings: Settings, sessions: Iterable[Session]) -> ExitCode:
    """Print what would be done with each session."""
    refuse_unwritable(settings.output_dir)
    with tempfile.TemporaryDirectory(prefix="myomids-") as scratch:
        source = _label_source(settings, Path(scratch))
        outcomes = [_describe(SessionTask(one, settings, source)) for one in sessions]
    print("dry run: nothing was written")
    return exit_code_of(outcomes)


def _label_source(settings: Settings, scratch: Path) -> LabelSource:
    if settings.reports_only:
        return LabelSource(settings, None, scratch, threads=1)
    if settings.diagnosis_model is not None:
        from bids_app.participant.diagnosis import session_model

        session_model(settings.diagnosis_model)
    return prepare_labels(settings, scratch, threads=1)


def _describe(task: SessionTask) -> Outcome:
    """Print one line for a session and one for each of its stacks."""
    session = task.session
    inputs = session_inputs(session)
    try:
        state = _state(task, inputs)
        outcome = Outcome(session.id, "complete")
    except AppError as error:
        state = f"cannot be processed: {error.message} {error.hint}".rstrip()
        outcome = Outcome.failure(session.id, error)
    print(f"{session.id.name}: {state}")
    for stack, chosen in inputs.stacks:
        name = f"  {stack.name}: " if stack.name else "  "
        if isinstance(chosen, Unusable):
            print(f"{name}not used: {chosen.reason} {chosen.hint}")
        elif problem := _sidecar_error(chosen):
            print(f"{name}refused: {problem.message} {problem.hint}")
        else:
            paths = [path for scan in chosen.scans for path in scan.paths]
            print(name + ", ".join(str(path.relative_to(task.settings.bids_dir)) for path in paths))
    return outcome


def _state(task: SessionTask, inputs: SessionInputs) -> str:
    """Say what would become of a session; raises what would end it."""
    settings = task.settings
    if task.session.unreadable is not None:
        raise task.session.unreadable
    if inputs.reason is not None:
        raise AppError(inputs.reason, ExitCode.NOTHING_SELECTED, inputs.hint)
    marker = None if settings.overwrite else read_marker(settings.output_dir, task.session.id)
    if settings.reports_only:
        return "its page would be written again"
    if marker is not None:
        if lacks_diagnosis(task.session.id, marker, choices_of(task)):
            return "complete before, only its diagnoses would be ranked"
        return "complete before"
    usable = [(s, chosen) for s, chosen in inputs.stacks if not isinstance(chosen, Unusable)]
    refused = [error for _, chosen in usable if (error := _sidecar_error(chosen))]
    if refused and len(refused) == len(usable):
        raise refused[0]
    if settings.derivatives:
        for stack, _ in usable:
            task.labels.given_map(task.session, stack)
    return "would be processed"


def _sidecar_error(inputs: Inputs) -> AppError | None:
    """Return why a sidecar of the scans of a stack cannot be used."""
    try:
        for scan in inputs.scans:
            scan.metadata  # noqa: B018 - reads it
    except AppError as error:
        return error
    return None
