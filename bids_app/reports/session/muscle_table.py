"""Turn the per-muscle table into rows with left and right beside each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bids_app.reports.layout import Measure

if TYPE_CHECKING:
    import pandas as pd

DIFFERENCE = "difference"


@dataclass(frozen=True)
class Cell:
    """One number of the table, exact and rounded as shown."""

    exact: float
    text: str
    spread: str = ""  # text after the +/- sign; empty for none
    bar: float | None = None  # length, percent of its scale


@dataclass(frozen=True)
class Block:
    """The columns of one measure: its sides, then the difference."""

    measure: Measure
    columns: Sequence[str]


@dataclass(frozen=True)
class MuscleRow:
    """A muscle or group; what could not be measured has no cell."""

    name: str
    cells: Mapping[tuple[str, str], Cell]  # by measure column, and side or 'difference'
    notes: Sequence[str]


@dataclass(frozen=True)
class MuscleTable:
    """A table with a block of columns per measure; rows by level: ``muscle``, then ``group``."""

    blocks: Sequence[Block]
    levels: Mapping[str, Sequence[MuscleRow]]
    has_notes: bool


def muscle_rows(
    stats: "pd.DataFrame",
    measures: Sequence[Measure],
    side_order: Sequence[str],
    flags: Mapping[str, str],
    incomplete_group: str = "",
) -> MuscleTable:
    """Arrange the per-muscle table for reading, in the order in which the muscles first occur.

    Measures without a column and sides without data are left out; unknown sides come last. `flags`
    maps columns that are true where a value needs care to the note they give; `incomplete_group` is
    the note, with ``{found}`` and ``{all}``, for a group measured on some of its muscles.
    """
    present = list(dict.fromkeys(_side(side) for side in stats["side"]))
    sides = [s for s in side_order if s in present] + [s for s in present if s not in side_order]
    blocks = [
        Block(measure, [*sides, *([DIFFERENCE] if _compares(measure, sides, stats) else [])])
        for measure in measures
        if measure.column in stats.columns
    ]
    levels: dict[str, list[MuscleRow]] = {}
    for (level, muscle), rows in stats.groupby(["level", "muscle"], sort=False):
        by_side = {_side(row["side"]): row for row in rows.to_dict("records")}
        ordered = {side: by_side[side] for side in sides if side in by_side}
        row = MuscleRow(
            str(muscle), _cells(blocks, ordered), _notes(ordered, flags, incomplete_group)
        )
        levels.setdefault(str(level), []).append(row)
    has_notes = any(row.notes for rows in levels.values() for row in rows)
    return MuscleTable(blocks, levels, has_notes)


def fat_fraction_means(stats: "pd.DataFrame", column: str) -> dict[tuple[str, str], float]:
    """Return the finite values of a column by muscle and side."""
    if column not in stats.columns:
        return {}
    rows = zip(stats["muscle"], stats["side"], stats[column], strict=True)
    return {(str(m), _side(s)): float(v) for m, s, v in rows if _is_number(v)}


def _compares(measure: Measure, sides: Sequence[str], stats: "pd.DataFrame") -> bool:
    return {"left", "right"} <= set(sides) and measure.difference in stats.columns


def _cells(
    blocks: Sequence[Block], by_side: Mapping[str, Mapping[Any, Any]]
) -> dict[tuple[str, str], Cell]:
    cells = {}
    for measure in (block.measure for block in blocks):
        for side, row in by_side.items():
            value, spread = row[measure.column], row.get(measure.spread)
            if not _is_number(value):
                continue
            cells[measure.column, side] = Cell(
                float(value),
                f"{value:.{measure.decimals}f}",
                f"{spread:.{measure.decimals}f}" if _is_number(spread) else "",
                min(max(float(value) / measure.bar, 0), 1) * 100 if measure.bar else None,
            )
            # The same number stands in the rows of both sides.
            difference: Any = row.get(measure.difference)
            if _is_number(difference):
                cells[measure.column, DIFFERENCE] = Cell(float(difference), _signed(difference))
    return cells


def _signed(value: float) -> str:
    """Write a difference with its sign; no sign before a rounded zero."""
    text = f"{abs(value):.1f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def _notes(
    by_side: Mapping[str, Mapping[Any, Any]], flags: Mapping[str, str], incomplete_group: str
) -> list[str]:
    """Gather what to know about each side, and say it once where it holds for both."""
    sides_of: dict[str, list[str]] = {}
    for side, row in by_side.items():
        texts = [text for column, text in flags.items() if _is_true(row.get(column))]
        members = row.get("members")
        if isinstance(members, str) and incomplete_group:
            found, _, listed = members.partition("/")
            if found != listed:
                texts.append(incomplete_group.format(found=found, all=listed))
        for text in texts:
            sides_of.setdefault(text, []).append(side)
    return [
        f"{text} ({'both' if len(sides) == len(by_side) > 1 else ', '.join(sides)})"
        for text, sides in sides_of.items()
    ]


def _side(value: Any) -> str:
    """Return the side as text; tables read from files have NaN for ``n/a``."""
    return value if isinstance(value, str) and value else "n/a"


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def _is_true(value: Any) -> bool:
    """Tell whether a flag is set; a missing value is not."""
    return _is_number(value) and bool(value)
