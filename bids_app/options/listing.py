"""What ``run.py --list`` prints: models, muscles and scales, for people or as JSON."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bids_app.errors import AppError, as_app_errors
from pipelines.anatomy.vocabulary import muscles
from pipelines.harmonization.scores.scales import scales

# Width that a terminal has at least.
MOST_COLUMNS = 100
_GAP = 2
_INDENT = 4
# A last column of text is wrapped in its place if it has that many columns.
_LEAST_WRAPPED = 40

_DIAGNOSIS_COLUMNS = ("name", "created", "origin", "diagnoses", "balanced_accuracy", "folder")
_DAMAGED_COLUMNS = ("folder", "damaged")


def listing(
    what: str,
    *,
    as_json: bool = False,
    registry: Path | None = None,
    diagnosis_models: Path | None = None,
) -> str:
    """Describe everything of one kind.

    Parameters
    ----------
    what : {'models', 'muscles', 'scales'}
        Kind of thing.
    as_json : bool
        JSON instead of a table.
    registry : Path or None
        Additional registry of segmentation models.
    diagnosis_models : Path or None
        A diagnosis model, or a folder of such models.

    Returns
    -------
    str
        Text to print.

    Raises
    ------
    AppError
        ``UNAVAILABLE`` if the additional registry, or the only diagnosis model, is unusable; of
        several models in a folder the damaged ones are listed with the reason.
    """
    rows, columns = _rows(what, registry)
    of_diagnosis: list[dict[str, Any]] = []
    if what == "models" and diagnosis_models is not None:
        of_diagnosis = list(_diagnosis_rows(diagnosis_models))
    if as_json:
        return json.dumps([*rows, *of_diagnosis], indent=2)
    tables = [_table(rows, columns)]
    for names, damaged in ((_DIAGNOSIS_COLUMNS, False), (_DAMAGED_COLUMNS, True)):
        chosen = [row for row in of_diagnosis if ("damaged" in row) == damaged]
        if chosen:
            tables.append(_table(chosen, names))
    return "\n\n".join(tables)


def _rows(what: str, registry: Path | None) -> tuple[list[dict[str, Any]], Sequence[str]]:
    if what == "muscles":
        return [asdict(m) for m in muscles().values()], ("name", "region", "abbreviation", "index")
    if what == "scales":
        return [asdict(s) for s in scales().values()], ("name", "lowest", "highest", "description")
    from pipelines.segmentation.catalogue.registry import list_models

    with as_app_errors():
        rows = [asdict(m) for m in list_models(registry)]
    return rows, ("name", "version", "region", "source", "licence")


def _diagnosis_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Describe the diagnosis models in a folder, or the one that the folder is."""
    from pipelines.diagnosis.model.store import summarize_model

    found = sorted(path.glob("*/model.json"))
    for folder in [description.parent for description in found] or [path]:
        try:
            with as_app_errors():
                model = summarize_model(folder)
        except AppError as error:
            if not found:
                raise
            yield {"folder": str(folder), "damaged": error.message}
            continue
        accuracy = model.balanced_accuracy
        yield {
            **asdict(model),
            "diagnoses": len(model.classes),
            "balanced_accuracy": "n/a" if accuracy is None else f"{accuracy:.3f}",
            "folder": str(folder),
        }


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Align the chosen columns as plain text of :data:`MOST_COLUMNS`; only addresses are longer."""
    cells = [[str(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    while len(widths) > 1 and (room := _room(widths)) < widths[-1]:
        if room >= _LEAST_WRAPPED:
            widths[-1] = room
        else:
            widths.pop()  # what does not fit stands below its row
    lines = [list(columns), ["-" * width for width in widths], *cells]
    return "\n".join(_line(line, widths) for line in lines)


def _room(widths: Sequence[int]) -> int:
    """Return how wide the last column can be."""
    return MOST_COLUMNS - sum(widths[:-1]) - _GAP * (len(widths) - 1)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Align the cells that have a width and wrap the last of them; the others follow below."""
    start = sum(widths[:-1]) + _GAP * (len(widths) - 1)
    parts = zip(cells[: len(widths) - 1], widths, strict=False)
    first = "".join(cell.ljust(width + _GAP) for cell, width in parts)
    last, *more = _wrap(cells[len(widths) - 1], start) or [""]
    below = _wrap("; ".join(cells[len(widths) :]), _INDENT)
    return "\n".join([f"{first}{last.lstrip()}".rstrip(), *more, *below])


def _wrap(text: str, indent: int) -> list[str]:
    """Break a text at spaces; every line is indented."""
    return textwrap.wrap(
        text,
        MOST_COLUMNS,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
