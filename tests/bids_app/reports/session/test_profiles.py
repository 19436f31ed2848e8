import numpy as np
import pandas as pd
import pytest

from bids_app.reports.layout import ProfileColumns
from bids_app.reports.session.profiles import HEIGHT, WIDTH, profiles
from tests.bids_app.reports import page_content

COLUMNS = ProfileColumns("position_mm", "ff_mean")
SIDES = ["right", "left"]


def table(positions: list[float], values: list[float], side: str = "left") -> pd.DataFrame:
    return pd.DataFrame(
        {"muscle": "gracilis", "side": side, "position_mm": positions, "ff_mean": values}
    )


def test_points_run_from_head_to_foot_on_a_common_scale() -> None:
    drawn = profiles(table([0, 24, 96], [10, 20, 40]), COLUMNS, SIDES)
    assert drawn is not None
    assert (drawn.length_mm, drawn.scale_end, list(drawn.sides)) == (96, 40, ["left"])
    (curve,) = drawn.charts[0].curves
    assert [list(piece) for piece in curve.pieces] == [
        [
            (0.0, 0.0),
            (pytest.approx(0.75 * WIDTH), HEIGHT / 2),
            (WIDTH, 0.75 * HEIGHT),
        ]
    ]


def test_all_muscles_share_both_scales() -> None:
    short = table([48], [10]).assign(muscle="sartorius")
    drawn = profiles(pd.concat([table([0, 96], [90, 10]), short]), COLUMNS, SIDES)
    assert drawn is not None
    assert drawn.scale_end == 100
    assert [chart.muscle for chart in drawn.charts] == ["gracilis", "sartorius"]
    assert drawn.charts[1].curves[0].pieces == [[(WIDTH / 2, pytest.approx(0.9 * HEIGHT))]]


@pytest.mark.parametrize(("highest", "end"), [(0.0, 20), (20.0, 20), (20.1, 40), (104.0, 100)])
def test_scale_holds_the_highest_value(highest: float, end: int) -> None:
    drawn = profiles(table([0], [highest]), COLUMNS, SIDES)
    assert drawn is not None
    assert drawn.scale_end == end


def test_missing_slices_interrupt_the_curve() -> None:
    drawn = profiles(table([0, 10, 20, 30, 40], [5, 5, np.nan, 5, np.nan]), COLUMNS, SIDES)
    assert drawn is not None
    assert [len(piece) for piece in drawn.charts[0].curves[0].pieces] == [1, 2]


def test_right_is_drawn_before_left() -> None:
    drawn = profiles(page_content.profile(), COLUMNS, SIDES)
    assert drawn is not None
    assert [[c.side for c in chart.curves] for chart in drawn.charts] == [["right", "left"]] * 2


def test_nothing_to_draw() -> None:
    assert profiles(table([0], [np.nan]), COLUMNS, SIDES) is None
    assert profiles(table([0], [5]).drop(columns="position_mm"), COLUMNS, SIDES) is None
    assert profiles(table([], []), COLUMNS, SIDES) is None
