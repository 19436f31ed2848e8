"""Charts of pages as plain numbers in units of their drawing; ``charts.html`` draws them.

Figures with matplotlib are another matter, see :mod:`bids_app.reports.matplotlib_svg`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float64

Point = tuple[float, float]

# Size of the plotting area of a line chart.
WIDTH, HEIGHT = 150.0, 110.0

# Points a drawn curve has at most; more cannot be seen and make the page large.
_MOST_POINTS = 120

# Kernel widths of a density curve: enough to be smooth, few enough to show the grades of a scale.
_DENSITY_BINS = 75


@dataclass(frozen=True)
class Series:
    """A named curve; y grows downwards."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class LineChart:
    """Curves over two axes; marks are (position, text)."""

    series: Sequence[Series]
    x_label: str
    y_label: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Bar:
    """One row of a bar chart."""

    label: str
    share: float  # percent of the longest the chart can hold
    text: str


@dataclass(frozen=True)
class HeatMapCell:
    """A cell of a heat map: its shade (0-1) and its text."""

    shade: float
    text: str


@dataclass(frozen=True)
class HeatMap:
    """A matrix of shades, one sequence of cells per row."""

    rows: Sequence[str]
    columns: Sequence[str]
    cells: Sequence[Sequence[HeatMapCell]]


def line_chart(
    curves: Mapping[str, tuple[Float64, Float64]],
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] = (0.0, 1.0),
    y_range: tuple[float, float] = (0.0, 1.0),
) -> LineChart:
    """Bring curves to the drawing.

    Parameters
    ----------
    curves : Mapping of str to (x, y)
        Arrays of the same length by name; points that are not finite are left out.
    x_label, y_label : str
        What the axes show.
    x_range, y_range : tuple of float
        Ends of the axes.
    """
    series = [
        Series(name, _points(x, y, x_range, y_range)) for name, (x, y) in curves.items() if len(x)
    ]
    return LineChart(
        series,
        x_label,
        y_label,
        _ticks(x_range, lambda share: share * WIDTH),
        _ticks(y_range, lambda share: (1 - share) * HEIGHT),
    )


def bars(values: Mapping[str, float], texts: Mapping[str, str] | None = None) -> list[Bar]:
    """Make a bar chart whose longest bar fills the width."""
    longest = max((abs(value) for value in values.values()), default=0.0) or 1.0
    return [
        Bar(name, 100 * abs(value) / longest, (texts or {}).get(name, f"{value:g}"))
        for name, value in values.items()
    ]


def heat_map(rows: Sequence[str], columns: Sequence[str], counts: Float64) -> HeatMap:
    """Shade a matrix of counts by the share of its row.

    Parameters
    ----------
    rows, columns : Sequence of str
        Names.
    counts : ndarray of shape (rows, columns)
        Numbers shown in the cells; zeros stay empty.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    cells = [
        [
            HeatMapCell(float(share), f"{count:g}" if count else "")
            for share, count in zip(share_row, count_row, strict=True)
        ]
        for share_row, count_row in zip(shares, counts, strict=True)
    ]
    return HeatMap(rows, columns, cells)


def density(values: Float64, lowest: float, highest: float) -> tuple[Float64, Float64]:
    """Return a smoothed histogram whose highest point is 1.

    Parameters
    ----------
    values : ndarray
        Values; those that are not finite are left out.
    lowest, highest : float
        Ends of the axis.

    Returns
    -------
    tuple of ndarray
        Positions and heights; empty without any value.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.empty(0), np.empty(0)
    counts, edges = np.histogram(finite, bins=_DENSITY_BINS, range=(lowest, highest))
    kernel = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="same")
    centres = (edges[:-1] + edges[1:]) / 2
    return centres, smooth / (smooth.max() or 1.0)


def _points(
    x: Float64, y: Float64, x_range: tuple[float, float], y_range: tuple[float, float]
) -> list[Point]:
    finite = np.isfinite(x) & np.isfinite(y)
    across = (x[finite] - x_range[0]) / (x_range[1] - x_range[0]) * WIDTH
    down = (1 - (y[finite] - y_range[0]) / (y_range[1] - y_range[0])) * HEIGHT
    step = max(1, math.ceil(len(across) / _MOST_POINTS))
    chosen = np.unique(np.append(np.arange(0, len(across), step), len(across) - 1))
    return [(float(across[i]), float(down[i])) for i in chosen if i >= 0]


def _ticks(ends: tuple[float, float], place: Callable[[float], float]) -> list[tuple[float, str]]:
    return [(place(s), f"{ends[0] + s * (ends[1] - ends[0]):g}") for s in (0.0, 0.5, 1.0)]
