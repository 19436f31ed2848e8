"""The units of score columns, and whether a value can be one on its scale."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float64, Int64, Objects
from pipelines.errors import DataError, quoted, shortened
from pipelines.harmonization.scores.described import (
    Described,
    Unit,
    column_place,
    unit_from_text,
    unit_text,
    units_of,
)
from pipelines.harmonization.scores.scales import MEASURED, scales

# What is written below Units of a column of grades, which have none.
_NO_UNIT = re.compile(r"\b(grades?|scores?|points?|arbitrary|ordinal|none|1|au)\b|a\.u\.", re.I)


def column_units(
    columns: Sequence[str],
    scale_names: Objects,
    units: str | None,
    described: Described,
    source: str,
) -> list[Unit | None]:
    """Return the declared unit of each score column: its own, or else that of the table.

    Grades have no unit: a column whose rows all hold grades may not be in percent.
    """
    grades = [str(name) for name in dict.fromkeys(scale_names) if name != MEASURED]
    measured = MEASURED in scale_names
    places = [(unit_text(described, name, source), column_place(source, name)) for name in columns]
    found: list[Unit | None] = []
    for own, place in [(units, source), *places]:
        if own is None:
            found.append(None)
        elif measured:
            found.append(unit_from_text(own, "fat fraction", place))
        else:
            _check_unit_of_grades(own, grades, place)
            found.append(None)
    whole, *own_units = found
    return [unit or whole for unit in own_units]


def _check_unit_of_grades(text: str, grades: Sequence[str], place: str) -> None:
    if _NO_UNIT.search(text) or text in grades:
        return
    unit_from_text(text, "fat fraction", place)
    raise DataError(
        f"{place}: the unit is {quoted(text)}, but the scale is {', '.join(grades)}, "
        "whose grades have no unit.",
        f"Leave Units out, or declare the scale {MEASURED} if these are fat fractions.",
    )


def in_percent(
    values: Float64,
    scale_names: Objects,
    units: Sequence[Unit | None],
    source: str,
    lines: Int64,
) -> Float64:
    """Bring fat fractions to percent, and refuse what looks like undeclared fractions."""
    rows = scale_names == MEASURED
    _refuse_fractions(values, rows, np.array([unit is None for unit in units]), source, lines)
    sizes = np.array([1.0 if unit is None else unit.size for unit in units])
    return np.where(rows[:, None], values * sizes, values)


def _refuse_fractions(
    values: Float64, rows: Bool, undeclared: Bool, source: str, lines: Int64
) -> None:
    """Refuse rows of fat fractions that would all be below about 1 % in columns without unit."""
    if not undeclared.any():
        return
    highest = np.max(np.nan_to_num(values[:, undeclared], nan=0.0), axis=1)
    limit = 1 + scales()[MEASURED].noise / 100
    fraction = rows & (highest > 0) & (highest <= limit)
    if fraction.any():
        where = source if fraction[rows].all() else f"{source}, row {lines[fraction][0]}"
        below = 1 if highest[fraction].max() <= 1 else limit
        raise DataError(
            f"{where}: all fat fractions are below {below:g}, so they seem to be fractions and not "
            "percent.",
            "Declare the unit in the JSON file beside the table ('Units': 'fraction', or "
            "'percent' if they are percent), and keep one unit per table; a column of another "
            'unit is declared by itself ({"VL_L": {"Units": "fraction"}}).',
        )


def check_ranges(
    values: Float64,
    cells: pd.DataFrame,
    scale_names: Objects,
    units: Sequence[Unit | None],
    *,
    source: str,
    lines: Int64,
) -> None:
    """Refuse values (n, c) that cannot be: outside their scale, in the unit of their column."""
    present = {name: scales()[name] for name in dict.fromkeys(scale_names.tolist())}
    slack = np.array([present[name].noise for name in scale_names])[:, None]
    lowest = np.array([present[name].lowest for name in scale_names])[:, None]
    highest = np.array([present[name].highest for name in scale_names])[:, None]
    outside = (values < lowest - slack) | (values > highest + slack)
    if not outside.any():
        return
    rows, columns = np.nonzero(outside)
    scale = present[scale_names[rows[0]]]
    unit = units[columns[0]] if scale.name == MEASURED else None
    unit = unit or units_of("fat fraction")["percent"]
    in_unit = f" in {unit.name}" if unit.name != "percent" else ""
    others = len(rows) - 1
    raise DataError(
        f"{source}, row {lines[rows[0]]}, column {quoted(cells.columns[columns[0]])}: "
        f"{shortened(cells.iat[rows[0], columns[0]])} lies outside scale {scale.name}{in_unit} "
        f"({scale.lowest / unit.size:g} to {scale.highest / unit.size:g})"
        f"{f'; so do {others} more cells' if others else ''}.",
        "Correct the score, the scale or the unit. One row has one scale: give scores on another "
        "scale their own table.",
    )


def outside_percent(scores: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which scores (``ScoreTable.scores``) are fat fractions outside 0 to 100 %."""
    whole = scales()[MEASURED]
    return (scores["scale"] == MEASURED) & ~scores["score"].between(whole.lowest, whole.highest)
