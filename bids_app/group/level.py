"""Group level: gather tables, harmonize and audit them; train a diagnosis model, or apply one."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.errors import ExitCode, as_app_errors
from bids_app.files.group_files import MODELS, REPORT, SUMMARY, write_tables
from bids_app.files.markers import GroupId
from bids_app.files.provenance import GROUP_PACKAGES, generated_by, run_info, software_versions
from bids_app.files.result_writer import SessionWriter, session_writer
from bids_app.files.tables import table_text
from bids_app.files.verdicts import TEMPLATE
from bids_app.group.application import Applied, apply_to_cohort
from bids_app.group.cohort import HarmonizedCohort, audit
from bids_app.group.findings import said_findings
from bids_app.group.gathering import (
    Gathered,
    NothingLeftError,
    Sources,
    cautions,
    find_sources,
    gather,
)
from bids_app.group.preparation import check_choices, group_dry_run, prepare_cohort, size_of
from bids_app.group.quality_tables import template
from bids_app.group.study_maps import read_study_maps
from bids_app.group.training import end_training, model_folder, put_in_place, train
from bids_app.options.settings import Settings
from bids_app.running.logged_run import run_logged
from bids_app.running.logs import LOGGER, log_exit_code
from bids_app.running.work_folder import work_folder
from bids_app.version import __version__
from pipelines.errors import DataError
from pipelines.files import write_text

if TYPE_CHECKING:
    import pandas as pd


def run_group_level(settings: Settings) -> ExitCode:
    """Gather the cohort and do with it what was asked for.

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
        If there is nothing to gather, or the output folder cannot be written.
    """
    sources = find_sources(settings)
    if settings.dry_run:
        return group_dry_run(settings, sources)
    return run_logged(settings, functools.partial(_work, settings, sources))


def _work(settings: Settings, sources: Sources, log_file: Path) -> ExitCode:
    LOGGER.info("MyoMIDS %s: group level; log: %s", __version__, log_file)
    output_dir = settings.output_dir
    with as_app_errors(), session_writer(output_dir, GroupId()) as writer:
        if settings.reports_only:
            _write_report(
                settings, output_dir, lambda name, text: write_text(output_dir / name, text)
            )
        else:
            with work_folder(settings) as work_dir:
                _run(settings, sources, writer, work_dir, log_file)
    return log_exit_code(ExitCode.OK)


def _run(
    settings: Settings, sources: Sources, writer: SessionWriter, work_dir: Path, log_file: Path
) -> None:
    """Make every table, then put all in place together."""
    from pipelines.diagnosis.model.store import save_model

    found = _warned(cautions(sources))
    # What can fail at once comes before what takes hours.
    folder, trained_on = settings.diagnosis_model, None
    model = check_choices(settings)
    gathered = _gathered(settings, sources)
    found += _warned(gathered.doubts)
    LOGGER.info("%s", size_of(gathered))
    cohort, plan = prepare_cohort(settings, gathered, model)
    tables = _audit(cohort, settings.seed, found)
    if plan is not None:
        folder = model_folder(settings)
        model, trained_on = train(settings, plan, tables, work_dir, log_file)
        save_model(model, writer.folder / MODELS / str(settings.train))
        cohort = replace(cohort, harmonization=model.ensemble.harmonization)
    tables = {f"group_{name}": table for name, table in tables.items()} | cohort.tables()
    if gathered.quality:
        writer.table(Path(TEMPLATE), template(gathered.quality))
    applied: Applied | None = None
    if model is not None and folder is not None:
        applied = apply_to_cohort(settings, model, folder, cohort, trained_on)
        tables |= applied.tables
        found += _warned(applied.cautions)
    write_tables(writer, tables)
    writer.json(SUMMARY, _summary(cohort, found, applied))
    _write_report(settings, writer.folder, writer.text)
    if settings.train is not None:
        put_in_place(settings, writer.folder)
    writer.commit({"Version": __version__, "Inputs": gathered.inputs})
    if settings.train is not None:
        end_training(settings)


def _gathered(settings: Settings, sources: Sources) -> Gathered:
    """Read all sources; leave the template for verdicts also where nothing is left to gather."""
    try:
        return gather(sources, read_study_maps(settings))
    except NothingLeftError as error:
        write_text(settings.output_dir / TEMPLATE, table_text(template(error.quality)))
        raise


def _warned(sentences: list[str]) -> list[str]:
    """Return sentences for the page after they went to the log."""
    for sentence in sentences:
        LOGGER.warning("%s", sentence)
    return sentences


def _audit(cohort: HarmonizedCohort, seed: int, found: list[str]) -> "dict[str, pd.DataFrame]":
    """Audit a cohort that is large enough; else say so."""
    try:
        table = audit(cohort, seed)
    except DataError as error:
        found.append(f"No leakage audit: {error.message}")
        LOGGER.warning("%s", found[-1])
        return {}
    for sentence in said_findings(table):
        LOGGER.warning("audit: %s", sentence)
    return {"audit": table}


def _summary(
    cohort: HarmonizedCohort, found: list[str], applied: Applied | None
) -> Mapping[str, Any]:
    """Say how the tables were made, for the page and for later readers."""
    return {
        "Cautions": found,
        "Origins": cohort.gathered.origins,
        "Harmonization": cohort.harmonization.as_dict(),
        "Model": None if applied is None else applied.about,
        "Inputs": cohort.gathered.inputs,
        "Software": software_versions(GROUP_PACKAGES),
        "GeneratedBy": [generated_by()],
    }


def _write_report(settings: Settings, folder: Path, write: Callable[[Path, str], None]) -> None:
    """Make the page from the files in a folder."""
    from bids_app.reports.group.content import read_group_content
    from bids_app.reports.group.page import render_group

    root = folder if settings.train is not None else settings.output_dir
    content = read_group_content(folder, root, run_info(settings))
    write(REPORT, render_group(content))
