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
from bids_app.files.verdicts import verdicts_of_run
from bids_app.group.application import answer_tables, open_diagnosis_model
from bids_app.group.own_doubts import own_doubts
from bids_app.group.own_results import (
    MUSCLE_TABLE_ENDING,
    OwnResult,
    result_of,
)
from bids_app.group.own_scores import OwnScores, StackRules, read_own_scores
from bids_app.group.quality_tables import quality_table, sample_marks, sample_name, with_marks
from bids_app.group.studies import read_people_of
from bids_app.options.settings import INPUT_NAME, Settings
from bids_app.running.logs import LOGGER
from bids_app.session_id import SessionId
from pipelines.diagnosis.model.folder import DESCRIPTION

if TYPE_CHECKING:
    import pandas as pd

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


def diagnosis_identity(settings: Settings, session: SessionId) -> dict[str, Any] | None:
    """Return what the ranked diagnoses of a session depend on beside its tables."""
    if settings.diagnosis_model is None:
        return None
    return {
        **model_identity(settings.diagnosis_model),
        "IncludeFailed": settings.include_failed,
        "Combine": settings.combine,
        "Verdicts": [verdict.sentence for verdict in verdicts_of_run(settings).about(session)],
    }


def diagnose_staged(
    settings: Settings, folder: Path, session: SessionId, writer: SessionWriter
) -> None:
    """Apply the model in a folder to the per-muscle tables that were just staged."""
    tables_folder = writer.folder / session.folder / DATATYPE
    found = sorted(tables_folder.glob(f"*{MUSCLE_TABLE_ENDING}"))
    tables = tuple(path.relative_to(writer.folder) for path in found)
    result = OwnResult(INPUT_NAME, writer.folder, session, tables, {})
    _write_diagnosis(settings, folder, result, writer, staged=True)


def diagnose_complete(
    settings: Settings,
    folder: Path,
    session: SessionId,
    marker: Mapping[str, Any],
    writer: SessionWriter,
) -> None:
    """Apply the model in a folder to a session whose tables are in place and unchanged."""
    result = result_of(INPUT_NAME, settings.output_dir, session, marker)
    _write_diagnosis(settings, folder, result, writer)


def _write_diagnosis(
    settings: Settings,
    folder: Path,
    result: OwnResult,
    writer: SessionWriter,
    *,
    staged: bool = False,
) -> None:
    session = result.session
    with as_app_errors():
        rules = StackRules.of(settings, verdicts_of_run(settings))
        scores = read_own_scores([result], rules, staged=staged)
        if scores.parts.empty:
            LOGGER.warning("%s: no muscle was measured, so no diagnosis is ranked", session.name)
            return
        for sentence in own_doubts(scores):
            LOGGER.warning("%s: diagnosis: %s", session.name, sentence)
        model = session_model(folder)
        marks = sample_marks([quality_table(scores, {session.participant: INPUT_NAME})])
        if scores.parts["weight"].any():
            answers = answer_tables(settings, model, _native(settings, scores), marks)
        else:
            answers = _left_out(scores, marks)
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


def _left_out(scores: OwnScores, marks: "pd.DataFrame") -> "dict[str, pd.DataFrame]":
    """Say in the tables of the answers that nothing of a session counts, so that there are none."""
    import pandas as pd

    from pipelines.diagnosis.application.tables import (
        EXPLANATION_COLUMNS,
        RESULT_COLUMNS,
        SAMPLE_COLUMNS,
    )

    session = scores.stacks[0].result.session
    reason = "all of its stacks are left out because a check failed or a person says so"
    about = {
        "sample": sample_name(INPUT_NAME, session),
        "study": INPUT_NAME,
        "participant": session.participant,
        "session": session.session or "",
        "status": "refused",
        "reason": reason,
        "muscles_scored": 0,
        "coverage": 0.0,
        "message": f"Not answered: {reason}. {' '.join(own_doubts(scores))}",
    }
    flags = pd.DataFrame([about], dtype=object).reindex(columns=list(SAMPLE_COLUMNS))
    return {
        "group_diagnosis": with_marks(pd.DataFrame(columns=list(RESULT_COLUMNS)), marks),
        "group_flags": with_marks(flags, marks),
        "group_explanation": pd.DataFrame(columns=list(EXPLANATION_COLUMNS)),
    }


def _native(settings: Settings, scores: OwnScores) -> "NativeScores":
    """Return the fat fractions of a session, with what is known of the participant."""
    from pipelines.harmonization.scores.native import to_native
    from pipelines.harmonization.scores.score_table import scores_of_muscle_table

    table = scores_of_muscle_table(scores.rows(), study=INPUT_NAME, source=INPUT_NAME)
    people, _ = read_people_of(INPUT_NAME, settings.bids_dir)
    if people is not None:
        # A study named in participants.tsv plays no part for one session.
        table = table.with_people(people.assign(study=""))
    return to_native(table)
