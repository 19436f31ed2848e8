"""Ranked diagnoses of one session, straight from its per-muscle tables."""

from collections.abc import Mapping
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
from bids_app.group.own_results import (
    MUSCLE_TABLE_ENDING,
    OwnResult,
    check_unchanged,
    result_of,
    session_rows,
)
from bids_app.group.studies import read_people_of
from bids_app.options.settings import INPUT_NAME, Settings
from bids_app.running.logs import LOGGER
from bids_app.session_id import SessionId
from pipelines.diagnosis.model.folder import DESCRIPTION

if TYPE_CHECKING:
    from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
    from pipelines.harmonization.scores.native import NativeScores


@cache
def session_model(folder: Path) -> "DiagnosisModel":
    """Load a model, which a process keeps for all its sessions; ``UNAVAILABLE`` if unusable."""
    return open_diagnosis_model(folder)


def model_identity(folder: Path) -> dict[str, Any]:
    """Return what the answers of a model depend on, for the marker of a session."""
    # It holds the checksums of all other files of the model.
    return {"Model": session_model(folder).name, "SHA256": checksum(folder / DESCRIPTION)}


def diagnose_staged(
    settings: Settings, folder: Path, session: SessionId, writer: SessionWriter
) -> None:
    """Apply the model in a folder to the per-muscle tables that were just staged."""
    tables_folder = writer.folder / session.folder / DATATYPE
    found = sorted(tables_folder.glob(f"*{MUSCLE_TABLE_ENDING}"))
    tables = tuple(path.relative_to(writer.folder) for path in found)
    result = OwnResult(INPUT_NAME, writer.folder, session, tables, {})
    _write_diagnosis(settings, folder, result, writer)


def diagnose_complete(
    settings: Settings,
    folder: Path,
    session: SessionId,
    marker: Mapping[str, Any],
    writer: SessionWriter,
) -> None:
    """Apply the model in a folder to a session whose tables are in place and unchanged."""
    result = result_of(INPUT_NAME, settings.output_dir, session, marker)
    check_unchanged(result)
    _write_diagnosis(settings, folder, result, writer)


def _write_diagnosis(
    settings: Settings, folder: Path, result: OwnResult, writer: SessionWriter
) -> None:
    session = result.session
    with as_app_errors():
        native = _scores(settings, result)
        if native is None:
            LOGGER.warning("%s: no muscle was measured, so no diagnosis is ranked", session.name)
            return
        model = session_model(folder)
        answers = answer_tables(settings, model, native)
    about = {
        "DiagnosisModel": {
            **model_identity(folder),
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
    people, _ = read_people_of(INPUT_NAME, settings.bids_dir)
    if people is not None:
        # A study named in participants.tsv plays no part for one session.
        table = table.with_people(people.assign(study=""))
    return to_native(table)
