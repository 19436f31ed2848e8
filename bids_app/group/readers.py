"""The table of readers' answers, as ``--readers`` names it."""

from pathlib import Path
from typing import TYPE_CHECKING

from bids_app.errors import AppError, ExitCode
from bids_app.files.tables import read_tsv
from pipelines.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.diagnosis.cohort import Cohort
    from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
    from pipelines.harmonization.scores.native import NativeScores


def readers_of_training(path: Path | None, selected: "Cohort") -> "pd.DataFrame | None":
    """Read the answers of readers on samples that are trained on; None if there are none."""
    from pipelines.diagnosis.evaluation.reader_answers import read_answers
    from pipelines.diagnosis.evaluation.readers import find_cases

    if path is None:
        return None
    table = _read(path)
    try:
        find_cases(
            read_answers(table, selected.classes),
            selected.native.samples,
            hint="Cases are samples that are trained on: with a diagnosis that is frequent enough.",
        )
    except DataError as error:
        raise _refused(path, error) from error
    return table


def check_readers(path: Path, model: "DiagnosisModel", native: "NativeScores") -> None:
    """Refuse answers of readers that a model cannot be compared with."""
    from pipelines.diagnosis.application.reading import check_read_cases

    try:
        check_read_cases(model, native, _read(path))
    except DataError as error:
        raise _refused(path, error) from error


def tables_of_readers(
    path: Path, model: "DiagnosisModel", native: "NativeScores"
) -> "dict[str, pd.DataFrame]":
    """Return ``group_readers`` and ``group_reader_cases`` of a model that is applied."""
    from pipelines.diagnosis.application.reading import compare_with_readers

    tables = compare_with_readers(model, native, _read(path))
    return {f"group_{name}": table for name, table in tables.items()}


def _read(path: Path) -> "pd.DataFrame":
    table = read_tsv(path).rename(
        columns={"participant_id": "participant", "session_id": "session"}
    )
    for column, prefix in (("participant", "sub-"), ("session", "ses-")):
        if column in table:
            table[column] = table[column].str.strip().str.removeprefix(prefix).replace("n/a", "")
    return table


def _refused(path: Path, error: DataError) -> AppError:
    return AppError(f"{path}: {error.message}", ExitCode.BAD_DATA, error.hint)
