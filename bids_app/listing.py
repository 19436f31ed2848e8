"""What ``run.py --list`` prints: models, muscles and scales, for people or as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bids_app.errors import from_pipeline
from pipelines.anatomy.vocabulary import muscles
from pipelines.errors import PipelineError
from pipelines.harmonization.scales import scales


def listing(what: str, *, as_json: bool = False, registry: Path | None = None) -> str:
    """Describe everything of one kind.

    Parameters
    ----------
    what : {'models', 'muscles', 'scales'}
        Kind of thing.
    as_json : bool
        JSON instead of a table.
    registry : Path or None
        Additional model registry.

    Returns
    -------
    str
        Text to print.

    Raises
    ------
    AppError
        ``UNAVAILABLE`` if the additional registry is unusable.
    """
    rows, columns = _rows(what, registry)
    if as_json:
        return json.dumps(rows, indent=2)
    return _table(rows, columns)


def _rows(what: str, registry: Path | None) -> tuple[list[dict[str, Any]], Sequence[str]]:
    if what == "muscles":
        return [asdict(m) for m in muscles().values()], ("name", "region", "abbreviation", "index")
    if what == "scales":
        return [asdict(s) for s in scales().values()], ("name", "lowest", "highest", "description")
    from pipelines.segmentation.registry import listing as models

    try:
        rows = [asdict(m) for m in models(registry)]
    except PipelineError as error:
        raise from_pipeline(error) from error
    return rows, ("name", "version", "region", "licence", "source")


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Align the chosen columns as plain text."""
    cells = [[str(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    lines = [list(columns), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
