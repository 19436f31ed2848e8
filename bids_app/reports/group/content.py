"""What the page of a cohort is made from: the tables and the summary of the group level.

The page is always made from the files, right after they were written and with ``--reports-only``,
so that it can hold nothing that the files do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.errors import AppError, ExitCode
from bids_app.files.group_files import SUMMARY, find_table, table_names
from bids_app.files.provenance import RunInfo
from bids_app.files.sidecars import read_json_file
from pipelines.text_table import read_own_table

if TYPE_CHECKING:
    import pandas as pd


# Columns of the tables that may be large which the page is made from.
_COLUMNS: Mapping[str, list[str]] = {
    "group_muscles": ["sample"],
    "group_trace": ["sample", "scale", "muscle", "used", "score_0_100", "relative"],
}


@dataclass(frozen=True)
class GroupContent:
    """Everything the page of a cohort shows."""

    summary: Mapping[str, Any]  # group_summary.json
    # those that are there, by their names in group_columns.json
    tables: "Mapping[str, pd.DataFrame]"
    evaluation: "Mapping[str, pd.DataFrame]"  # of the model that was trained or applied
    run: RunInfo
    files: Mapping[str, str]  # names of the files of `tables`


def read_group_content(folder: Path, root: Path, run: RunInfo) -> GroupContent:
    """Read what the group level wrote.

    Parameters
    ----------
    folder : Path
        The output folder, or the staging folder with the same layout.
    root : Path
        The output folder, from which the summary says where the model lies.
    run : RunInfo
        How the results were made.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if the group level has not run; ``BAD_DATA`` if a file is damaged.
    """
    if not (folder / SUMMARY).is_file():
        raise AppError(
            f"{folder} holds no results of the group level.",
            ExitCode.INPUT_MISSING,
            "Run it first without --reports-only.",
        )
    summary = read_json_file(folder / SUMMARY)
    paths = {name: find_table(name, folder) for name in table_names()}
    tables = {name: _read_table(path, _COLUMNS.get(name)) for name, path in paths.items() if path}
    model = summary.get("Model")
    evaluation = {}
    if model is not None:
        found = sorted((root / model["Folder"] / "tables").glob("*.tsv"))
        evaluation = {path.stem: _read_table(path) for path in found}
    files = {name: path.name for name, path in paths.items() if path}
    return GroupContent(summary, tables, evaluation, run, files)


def _read_table(path: Path, columns: list[str] | None = None) -> "pd.DataFrame":
    try:
        return read_own_table(path, columns)
    except ValueError as error:
        raise AppError(
            f"{path} is not a table: {error}.", ExitCode.BAD_DATA, "Run the group level again."
        ) from error
