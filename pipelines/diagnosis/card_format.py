"""Pieces of Markdown that all parts of the model card use."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from pipelines.diagnosis.model import DiagnosisModel


def named(model: DiagnosisModel, name: str) -> str:
    """Return a diagnosis with its full name, where that is known."""
    long_name = model.long_names.get(name)
    return f"{name} ({long_name})" if long_name else name


def number(value: Any) -> str:
    """Return a figure with three decimals, or n/a."""
    return "n/a" if value is None or pd.isna(value) else f"{float(value):.3f}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |"
