"""What the JSON file beside a table says of its columns: ``Units``, and ``Levels`` of codes.

The content of the file is passed as it stands: names of columns, and what is said of each. Names
of columns are compared without regard to case. ``units.tsv`` lists the units; a year has 365.25
days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Literal

from pipelines.errors import DataError, quoted
from pipelines.package_data import package_rows
from pipelines.text_table import MISSING

Quantity = Literal["age", "fat fraction"]
Described = Mapping[str, Any]
"""Content of the JSON file beside a table."""


@dataclass(frozen=True)
class Unit:
    """A unit, and its size in years (ages) or percent (fat fractions)."""

    name: str
    size: float


@cache
def units_of(quantity: Quantity) -> Mapping[str, Unit]:
    """Return the units of a quantity by their lower-case spellings."""
    return {
        row["spelling"]: Unit(row["unit"], float(Fraction(row["size"])))
        for row in package_rows(__package__, "units.tsv")
        if row["quantity"] == quantity
    }


def unit_from_text(text: str, quantity: Quantity, place: str) -> Unit:
    """Return the unit that a text names; `place` says where it stands."""
    known = units_of(quantity)
    unit = known.get(" ".join(text.lower().split()))
    if unit is None:
        raise DataError(
            f"{place}: unknown unit {quoted(text)}.",
            f"Units of {'ages' if quantity == 'age' else 'fat fractions'}: "
            f"{', '.join(dict.fromkeys(unit.name for unit in known.values()))}.",
        )
    return unit


def unit_text(described: Described, column: str, source: str) -> str | None:
    """Return what stands below ``Units`` of a column; None if nothing does."""
    text = _about(described, column).get("Units")
    if text is None or isinstance(text, str):
        return None if text in (None, "", MISSING) else text
    raise DataError(
        f"{column_place(source, column)}: Units {quoted(text)} is no text.",
        'Write one text, such as "percent".',
    )


def column_place(source: str, column: str) -> str:
    """Say which column of which table a message about the JSON file is about."""
    return f"{source}, column {quoted(column)} in the JSON file beside it"


def levels_of(described: Described, column: str) -> dict[str, str]:
    """Return the meaning of each code of a column, as ``Levels`` words it."""
    levels = _about(described, column).get("Levels")
    if not isinstance(levels, Mapping):
        return {}
    texts = {
        str(code): about.get("Description") if isinstance(about, Mapping) else about
        for code, about in levels.items()
    }
    return {code: text.strip() for code, text in texts.items() if isinstance(text, str)}


def unused_units(described: Described, columns: list[str]) -> list[str]:
    """Return what the file gives units of and the table lacks, as a misspelt column is."""
    known = {_plain(column) for column in columns}
    return [
        name
        for name, about in described.items()
        if isinstance(about, Mapping) and "Units" in about and _plain(name) not in known
    ]


def _about(described: Described, column: str) -> Mapping[str, Any]:
    """Return what is said of a column."""
    if isinstance(exact := described.get(column), Mapping):
        return exact
    for name, about in described.items():
        if _plain(name) == _plain(column) and isinstance(about, Mapping):
            return about
    return {}


def _plain(name: str) -> str:
    return name.strip().casefold()
