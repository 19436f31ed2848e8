"""Small charts of a value along each muscle, all on the same two scales."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bids_app.reports.charts import Point
from bids_app.reports.layout import ProfileColumns

if TYPE_CHECKING:
    import pandas as pd

# Ends of the vertical scale, percent: the smallest that holds every value is taken.
_SCALE_ENDS = (20, 40, 60, 80, 100)

# Size of a chart's plotting area, in units of its drawing.
WIDTH, HEIGHT = 150.0, 60.0


@dataclass(frozen=True)
class ProfileCurve:
    """Values of one side, proximal to distal; a new piece begins after slices without a value."""

    side: str
    pieces: Sequence[Sequence[Point]]


@dataclass(frozen=True)
class Chart:
    """The curves of one muscle."""

    muscle: str
    curves: Sequence[ProfileCurve]


@dataclass(frozen=True)
class Profiles:
    """Charts of all muscles on the same scales; 0 mm is the most proximal slice with any muscle."""

    charts: Sequence[Chart]
    length_mm: float
    scale_end: int  # of the vertical scale, percent
    sides: Sequence[str]


def profiles(
    table: "pd.DataFrame", columns: ProfileColumns, side_order: Sequence[str]
) -> Profiles | None:
    """Prepare the charts; None without a column or value. Position (mm) grows towards proximal."""
    needed = {"muscle", "side", columns.position, columns.value}
    if not needed <= set(table.columns) or not table[columns.value].notna().any():
        return None
    top = float(table[columns.position].max())
    length = top - float(table[columns.position].min())
    highest = float(table[columns.value].max())
    scale_end = next((end for end in _SCALE_ENDS if end >= highest), _SCALE_ENDS[-1])
    sides = [side for side in side_order if side in set(table["side"])]
    charts = []
    for muscle, rows in table.groupby("muscle", sort=False):
        by_side: Mapping[str, pd.DataFrame] = {str(s): part for s, part in rows.groupby("side")}
        curves = []
        for side in (side for side in sides if side in by_side):
            ordered = by_side[side].sort_values(columns.position, ascending=False)
            points = [
                ((top - position) / (length or 1) * WIDTH, HEIGHT * (1 - value / scale_end))
                for position, value in zip(
                    ordered[columns.position], ordered[columns.value], strict=True
                )
            ]
            curves.append(ProfileCurve(side, _pieces(points)))
        charts.append(Chart(str(muscle), curves))
    return Profiles(charts, length, scale_end, sides)


def _pieces(points: Sequence[Point]) -> list[list[Point]]:
    """Split a curve where a value is missing."""
    pieces: list[list[Point]] = [[]]
    for point in points:
        if math.isnan(point[1]):
            pieces.append([])
        else:
            pieces[-1].append(point)
    return [piece for piece in pieces if piece]
