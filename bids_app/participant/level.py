"""Participant level: select sessions, process each by itself, summarize."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

from bids_app.dataset.filters import read_filter_file
from bids_app.dataset.scans import Session
from bids_app.dataset.sessions import Dataset
from bids_app.dataset.structure import check_structure
from bids_app.errors import ExitCode
from bids_app.files.markers import write_failure
from bids_app.files.result_writer import clear_unfinished
from bids_app.files.verdicts import verdicts_of_run
from bids_app.options.settings import Settings
from bids_app.participant.completion import SessionTask
from bids_app.participant.dry_run import dry_run
from bids_app.participant.labelling import LabelSource, prepare_labels
from bids_app.participant.shared_sign import is_open, settled_signs
from bids_app.running.executors import open_executor
from bids_app.running.logged_run import run_logged
from bids_app.running.logs import LOGGER
from bids_app.running.machine import Workers, plan_workers
from bids_app.running.outcome import Outcome, log_summary
from bids_app.running.tasks import Executor, lost_worker
from bids_app.running.work_folder import work_folder, worker_start
from bids_app.session_id import SessionId
from bids_app.version import __version__


def run_participant_level(settings: Settings) -> ExitCode:
    """Process the selected sessions of a dataset.

    Parameters
    ----------
    settings : Settings
        Choices of the run.

    Returns
    -------
    ExitCode
        See ``docs/exit-codes.md``; the last line of the log names it.

    Raises
    ------
    AppError
        If the run cannot start because of the dataset, the selection or the output folder.
    """
    dataset = Dataset(settings.bids_dir)
    filters = read_filter_file(settings.bids_filter_file) if settings.bids_filter_file else None
    # A mistake in it shows before the first session.
    verdicts_of_run(settings)
    selected = dataset.select(settings.participant_label, settings.session_label)
    warnings = [] if settings.skip_bids_validation else check_structure(dataset, selected)
    sessions = dataset.sessions(settings.participant_label, settings.session_label, filters)
    if settings.dry_run:
        return dry_run(settings, sessions)

    def work(log_file: Path) -> ExitCode:
        LOGGER.info("MyoMIDS %s: %d session(s); log: %s", __version__, len(selected), log_file)
        for warning in warnings:
            LOGGER.warning("%s", warning)
        with work_folder(settings) as work_dir:
            again = partial(dataset.session, filters=filters)
            try:
                outcomes = _run_sessions(
                    settings, sessions, len(selected), again, work_dir=work_dir, log_file=log_file
                )
            finally:
                # Workers that had to be killed left what they had staged.
                for session in selected:
                    clear_unfinished(settings.output_dir, session)
        return log_summary(outcomes)

    return run_logged(settings, work)


def _run_sessions(
    settings: Settings,
    sessions: Iterator[Session],
    count: int,
    again: Callable[[SessionId], Session],
    *,
    work_dir: Path,
    log_file: Path,
) -> list[Outcome]:
    """Process all sessions; `again` reads one of them for a second round."""
    workers = plan_workers(settings.nprocs, settings.omp_nthreads, settings.mem)
    if settings.nprocs is not None and workers.processes < settings.nprocs:
        LOGGER.warning(
            "Memory holds %d session(s) side by side, not %d; see --mem.",
            workers.processes,
            settings.nprocs,
        )
    function, source = _work(settings, workers, work_dir)
    tasks = (SessionTask(session, settings, source) for session in sessions)
    outcomes: list[Outcome] = []
    start = worker_start(settings, log_file, work_dir)
    # The death of one session's process shall not end the others.
    contained = count > 1
    with open_executor(
        settings, workers.processes, start, work_dir, contained=contained
    ) as execute:
        results = execute(function, tasks, lost=_lost)
        with tqdm(results, total=count, desc="sessions", unit="session", disable=None) as progress:
            for outcome in progress:
                outcomes.append(outcome)
                _record(settings, outcome)
                if outcome.status == "failed" and settings.stop_on_first_crash:
                    LOGGER.error("Stopped at the first failed session (--stop-on-first-crash).")
                    return outcomes
        if not settings.reports_only:
            outcomes = _settle_signs(settings, outcomes, source, again, execute)
    return outcomes


def _settle_signs(
    settings: Settings,
    outcomes: list[Outcome],
    source: LabelSource,
    again: Callable[[SessionId], Session],
    execute: Executor,
) -> list[Outcome]:
    """Process sessions again whose sign of the phase is open and that of others is not."""
    shown = [sign for outcome in outcomes for sign in outcome.signs]
    if not shown:
        return outcomes
    settled = settled_signs(shown)
    chosen = [
        outcome.session
        for outcome in outcomes
        if any(is_open(sign, settled) for sign in outcome.signs)
    ]
    if not chosen:
        return outcomes
    LOGGER.info("%d session(s) again, with the sign of the phase that others show", len(chosen))
    tasks = (SessionTask(again(session), settings, source, settled) for session in chosen)
    second = {}
    for outcome in execute(_process, tasks, lost=_lost):
        _record(settings, outcome)
        second[outcome.session] = outcome
    return [second.get(outcome.session, outcome) for outcome in outcomes]


def _lost(task: SessionTask) -> Outcome:
    """Return the outcome of a session whose worker process died, twice."""
    return Outcome.failure(task.session.id, lost_worker())


def _work(
    settings: Settings, workers: Workers, work_dir: Path
) -> tuple[Callable[[SessionTask], Outcome], LabelSource]:
    """Return what is done with a session, and where its labels come from."""
    if settings.reports_only:
        return _rewrite, LabelSource(settings, None, work_dir, workers.threads)
    if settings.diagnosis_model is not None:
        from bids_app.participant.diagnosis import session_model

        # A model that cannot be used ends the run, not each session.
        session_model(settings.diagnosis_model)
    return _process, prepare_labels(settings, work_dir, workers.threads)


def _process(task: SessionTask) -> Outcome:
    """Process one session; what it needs is imported where it is processed."""
    from bids_app.participant.session import process_session

    return process_session(task)


def _rewrite(task: SessionTask) -> Outcome:
    """Write the pages of one session again."""
    from bids_app.participant.session import rewrite_report

    return rewrite_report(task)


def _record(settings: Settings, outcome: Outcome) -> None:
    """Log what a session cost and leave the reason of a failed one."""
    if settings.resource_monitor or settings.verbosity:
        for step in outcome.steps:
            LOGGER.info(
                "%s: %-22s %7.2f s %8.0f MB",
                outcome.session.name,
                step.name,
                step.seconds,
                step.peak_memory_mb,
            )
    if outcome.status == "failed":
        LOGGER.warning("%s failed", outcome.session.name)
    if outcome.status == "failed" and not outcome.held_elsewhere:
        try:
            write_failure(settings.output_dir, outcome.session, outcome.reason())
        except OSError as error:
            LOGGER.error("Its reason could not be written to logs/failed: %s.", error.strerror)
