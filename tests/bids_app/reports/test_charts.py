"""Charts as plain numbers."""

import numpy as np
import pytest

from bids_app.reports.charts import HEIGHT, WIDTH, bars, density, heat_map, line_chart

NAN = float("nan")


def test_a_line_runs_from_corner_to_corner() -> None:
    x = np.array([0.0, NAN, 1.0])
    chart = line_chart({"up": (x, x), "empty": (np.empty(0), np.empty(0))}, "x", "y")
    assert [series.name for series in chart.series] == ["up"]
    assert chart.series[0].points == [(0.0, HEIGHT), (WIDTH, 0.0)]
    assert chart.x_ticks == [(0.0, "0"), (WIDTH / 2, "0.5"), (WIDTH, "1")]
    assert chart.y_ticks[0] == (HEIGHT, "0")


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    x = np.linspace(0, 1, 5001)
    (series,) = line_chart({"a": (x, x**2)}, "x", "y").series
    assert len(series.points) < 130
    assert series.points[0] == (0.0, HEIGHT)
    assert series.points[-1] == (WIDTH, 0.0)


def test_bars_fill_the_width_with_the_longest() -> None:
    chart = bars({"a": 20.0, "b": 5.0})
    assert [(bar.label, bar.share, bar.text) for bar in chart] == [("a", 100, "20"), ("b", 25, "5")]
    assert bars({}) == []


def test_a_heat_map_shades_by_row() -> None:
    chart = heat_map(["a", "b"], ["a", "b"], np.array([[3.0, 1.0], [0.0, 0.0]]))
    assert [[cell.shade for cell in row] for row in chart.cells] == [[0.75, 0.25], [0.0, 0.0]]
    assert [[cell.text for cell in row] for row in chart.cells] == [["3", "1"], ["", ""]]


def test_a_density_peaks_where_the_values_are() -> None:
    x, y = density(np.array([25.0] * 10 + [75.0] * 5 + [NAN]), 0.0, 100.0)
    assert x[np.argmax(y)] == pytest.approx(25, abs=1.5)
    assert y.max() == 1.0
    assert y[np.argmin(np.abs(x - 75))] == pytest.approx(0.5)
    assert density(np.array([NAN]), 0, 1)[0].size == 0
