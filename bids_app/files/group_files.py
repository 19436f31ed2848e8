"""Names, descriptions and writing of what the group level leaves in the output folder."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.files.derivatives import sidecar
from bids_app.files.provenance import generated_by
from bids_app.files.result_writer import SessionWriter
from pipelines.package_data import package_json

if TYPE_CHECKING:
    import pandas as pd

REPORT = Path("group.html")
SUMMARY = Path("group_summary.json")
MODELS = Path("models")

# A table of more rows is compressed; a million rows of the trace have about 150 MB.
MOST_PLAIN_ROWS = 1_000_000


def _table_path(name: str, rows: int = 0) -> Path:
    """Return the file of a table of ``group_columns.json``, relative to the output folder."""
    return Path(f"{name}.tsv.gz" if rows > MOST_PLAIN_ROWS else f"{name}.tsv")


def find_table(name: str, folder: Path) -> Path | None:
    """Return the file of a table in a folder, compressed or not; None if there is none."""
    paths = (folder / f"{name}{ending}" for ending in (".tsv", ".tsv.gz"))
    return next((path for path in paths if path.is_file()), None)


def table_names() -> tuple[str, ...]:
    """Return the names of all tables of the group level."""
    return tuple(_descriptions())


def write_tables(
    writer: SessionWriter, tables: "Mapping[str, pd.DataFrame]", **about: Mapping[str, Any]
) -> None:
    """Write tables of the group level with their sidecars.

    Parameters
    ----------
    writer : SessionWriter
        Where they go.
    tables : Mapping of str to DataFrame
        By their names in ``group_columns.json``.
    **about : Mapping
        Further keys of the sidecars, by the name of a table.

    Raises
    ------
    KeyError
        If a table has a column that ``group_columns.json`` does not describe.
    """
    for name, frame in tables.items():
        path = _table_path(name, len(frame))
        writer.table(path, _without_empty_sessions(frame))
        content = {
            **describe_columns(name, [str(column) for column in frame]),
            **about.get(name, {}),
            "GeneratedBy": [generated_by()],
        }
        writer.json(sidecar(path), content)


def describe_columns(name: str, columns: list[str]) -> dict[str, Any]:
    """Return the sidecar entries of the columns of a table.

    Raises
    ------
    KeyError
        If one is not described.
    """
    table = _descriptions()[name]
    known = table["Columns"]
    described: dict[str, Any] = {"TableDescription": table["Description"]}
    for column in columns:
        if column in known:
            described[column] = known[column]
        elif "Muscle" in table and column in _feature_muscles():
            described[column] = {
                key: text.format(muscle=column) for key, text in table["Muscle"].items()
            }
        else:
            raise KeyError(f"group_columns.json does not describe {name}: {column}")
    return described


def _without_empty_sessions(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Write n/a for the session of studies without sessions, which is empty inside."""
    if "session" not in frame:
        return frame
    session = frame["session"].astype(object)
    return frame.assign(session=session.where(session != "", None))


@cache
def _descriptions() -> dict[str, Any]:
    content: dict[str, Any] = package_json(__package__, "group_columns.json")
    return content


@cache
def _feature_muscles() -> frozenset[str]:
    from pipelines.harmonization.scores.regrouping import default_regrouping

    return frozenset(default_regrouping().features)
