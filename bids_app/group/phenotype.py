"""Which files of ``phenotype/`` hold scores, and reading them as text.

A table (TSV, or CSV as spreadsheet programs export it) holds scores if its sidecar names a
``Scale`` or it has a column ``scale``. Other files that look like tables are left alone, and said
to be.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.dataset.tree import natural_key
from bids_app.errors import AppError, ExitCode
from bids_app.files.reading import is_there, read_bytes
from bids_app.files.sidecars import read_json_file
from bids_app.files.tables import read_csv, read_tsv
from pipelines.text_table import find_separator

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "phenotype"
NO_SCALE = "neither its sidecar nor a column names its scale"

_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_WORKBOOK = "it is a workbook; save its sheet as tab-separated text (.tsv) or CSV"

# Bytes of a table in which its header is looked for.
_HEADER = 100_000


def find_phenotype_tables(
    root: Path,
) -> tuple[dict[Path, Mapping[str, Any]], dict[Path, str]]:
    """Return tables of scores with their sidecars, and why other tables are not used."""
    tables: dict[Path, Mapping[str, Any]] = {}
    others: dict[Path, str] = {}
    folder = root / FOLDER
    files = [path for path in _visible(folder) if path.suffix.lower() in (".tsv", ".csv")]
    for path in files:
        described = read_description(path.with_suffix(".json"))
        if path.suffix.lower() == ".csv" and path.with_suffix(".tsv") in files:
            others[path] = f"{path.stem}.tsv beside it is"
        elif "Scale" in described or _has_scale_column(path):
            tables[path] = described
        else:
            others[path] = NO_SCALE
    others |= {p: _WORKBOOK for p in _visible(folder) if p.suffix.lower() in _WORKBOOKS}
    return tables, {**others, **_unread_people(root)}


def _unread_people(root: Path) -> dict[Path, str]:
    """Return tables about people that have the right name and are no TSV files."""
    return {
        path: f"people are described in {path.stem}.tsv; save it as tab-separated text"
        for path in _visible(root)
        if path.stem in ("participants", "sessions")
        and path.suffix.lower() in (".csv", *_WORKBOOKS)
        and not is_there(path.with_suffix(".tsv"))
    }


def _visible(folder: Path) -> list[Path]:
    """Return the files of a folder without those that programs hide there, in natural order."""
    there: Iterable[Path] = folder.iterdir() if folder.is_dir() else ()
    shown = (path for path in there if not path.name.startswith((".", "~$")))
    return sorted(shown, key=lambda path: natural_key(path.name))


def read_phenotype_table(path: Path) -> "tuple[pd.DataFrame, bool]":
    """Read a table of scores; also tell whether its numbers may have decimal commas.

    They may where semicolons or tabs separate the columns of a CSV file, as in exports of
    spreadsheet programs in most languages of Europe.
    """
    if path.suffix.lower() != ".csv":
        return read_tsv(path), False
    table, separator = read_csv(path)
    return table, separator != ","


def read_description(path: Path) -> Mapping[str, Any]:
    """Read the JSON file beside a table; empty if there is none."""
    if not is_there(path):
        return {}
    content = read_json_file(path)
    if not isinstance(content, dict):
        raise AppError(
            f"{path} holds no JSON object.", ExitCode.BAD_DATA, 'A sidecar is {"Scale": "0-4"}.'
        )
    return content


def _has_scale_column(path: Path) -> bool:
    """Look for a column of scales without reading the rows of a table."""
    from pipelines.harmonization.scores.column_roles import column_role

    header = read_bytes(path, _HEADER).decode("utf-8-sig", errors="replace").splitlines()[:1]
    names = (
        name.strip().strip('"') for line in header for name in line.split(_separator(path, line))
    )
    return any(column_role(name) == "scale" for name in names)


def _separator(path: Path, header: str) -> str:
    return find_separator(header) if path.suffix.lower() == ".csv" else "\t"
