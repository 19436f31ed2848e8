"""Ranked diagnoses of one session, straight from its per-muscle tables."""

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.errors import as_app_errors
from bids_app.files.derivatives import DATATYPE, diagnosis_files, sidecar
from bids_app.files.group_files import describe_columns
from bids_app.files.provenance import generated_by
from bids_app.files.reading import checksum
from bids_app.files.result_writer import SessionWriter
from bids_app.group.application import answer_tables, open_diagnosis_model
from bids_app.group.own_results import MUSCLE_TABLE_ENDING, OwnResult, session_rows
from bids_app.group.studies import read_people_of
from bids_app.options.settings import INPUT_NAME, Settings
from bids_app.session_id import SessionId
from pipelines.diagnosis.model.folder import DESCRIPTION

if TYPE_CHECKING:
    from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
    from pipelines.harmonization.scores.native import NativeScores

LOGGER = logging.getLogger("myomids")


@cache
def session_model(folder: Path) -> "DiagnosisModel":
    """Load a model; a process keeps it for all its sessions.

    Raises
    ------
    AppError
        ``UNAVAILABLE`` if it is missing, damaged or not one of ours.
    """
    return open_diagnosis_model(folder)


def model_identity(settings: Settings) -> dict[str, Any] | None:
    """Return what the answers depend on, for the marker of a session; None without a model."""
    if settings.diagnosis_model is None:
        return None
    # It holds the checksums of all other files of the model.
    description = settings.diagnosis_model / DESCRIPTION
    return {"Model": session_model(settings.diagnosis_model).name, "SHA256": checksum(description)}


def staged_result(session: SessionId, writer: SessionWriter) -> OwnResult:
    """Return the per-muscle tables that were just written."""
    folder = writer.folder / session.folder / DATATYPE
    found = sorted(folder.glob(f"*{MUSCLE_TABLE_ENDING}"))
    tables = tuple(path.relative_to(writer.folder) for path in found)
    return OwnResult(INPUT_NAME, writer.folder, session, tables, {})


def write_diagnosis(settings: Settings, result: OwnResult, writer: SessionWriter) -> None:
    """Apply the diagnosis model of the settings, if there is one, to a session.

    Parameters
    ----------
    settings : Settings
        Choices of the run.
    result : OwnResult
        Per-muscle tables of the session.
    writer : SessionWriter
        Takes the answers.

    Raises
    ------
    AppError
        If the model cannot be used, or ``participants.tsv`` is damaged.
    """
    if settings.diagnosis_model is None:
        return
    session = result.session
    with as_app_errors():
        native = _scores(settings, result)
        if native is None:
            LOGGER.warning("%s: no muscle was measured, so no diagnosis is ranked", session.name)
            return
        model = session_model(settings.diagnosis_model)
        answers = answer_tables(settings, model, native)
    about = {
        "DiagnosisModel": {
            **(model_identity(settings) or {}),
            "Origin": model.origin,
            "Calibrated": model.calibrated,
        },
        "GeneratedBy": [generated_by()],
    }
    for table, path in diagnosis_files(session).items():
        writer.table(path, answers[table])
        columns = [str(column) for column in answers[table]]
        writer.json(sidecar(path), {**describe_columns(table, columns), **about})


def _scores(settings: Settings, result: OwnResult) -> "NativeScores | None":
    """Read the fat fractions of a session, and what is known of the participant."""
    from pipelines.harmonization.scores.native import to_native
    from pipelines.harmonization.scores.score_table import scores_of_muscle_table

    rows = session_rows(result)
    if rows.empty:
        return None
    table = scores_of_muscle_table(rows, study=INPUT_NAME, source=INPUT_NAME)
    people = read_people_of(INPUT_NAME, settings.bids_dir)
    if people is not None:
        # A study named in participants.tsv plays no part for one session.
        table = table.with_people(people.assign(study=""))
    return to_native(table)
