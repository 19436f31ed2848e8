"""Which of several scans of a muscle counts, and how parts of one scan are joined."""

from typing import Any

import pandas as pd
import pytest

from pipelines.quantification.several_scans import choose_scans, join_scans, scan_of


def parts(*rows: tuple[str, str, float, float], **more: Any) -> pd.DataFrame:
    """Return measurements of one session: stack, muscle, fat fraction, volume."""
    table = pd.DataFrame(rows, columns=["stack", "muscle", "ff_mean", "volume_ml"])
    about = {
        "participant": "01",
        "session": "",
        "side": "left",
        "failed": 0,
        "warned": 0,
        "left_out": False,
        "source": table["stack"],
        "row": range(2, len(table) + 2),
    }
    return table.assign(**{**about, **more})


def values(table: pd.DataFrame) -> dict[str, float]:
    return dict(zip(table["muscle"], table["ff_mean"], strict=True))


@pytest.mark.parametrize(
    ("stack", "scan"),
    [
        ("", ""),
        ("acq-dixon", "acq-dixon"),
        ("acq-dixon_chunk-1", "acq-dixon"),
        ("chunk-2", ""),
        ("chunk-2_run-1", "run-1"),
        ("acq-a_stk-001_run-1", "acq-a_run-1"),
    ],
)
def test_chunks_are_parts_of_one_scan(stack: str, scan: str) -> None:
    assert scan_of(stack) == scan


def test_parts_of_one_scan_are_joined_by_volume() -> None:
    table = parts(
        ("chunk-1", "soleus", 10.0, 100.0),
        ("chunk-1", "gracilis", 50.0, 20.0),
        ("chunk-2", "soleus", 40.0, 200.0),
    )
    chosen = choose_scans(table)
    assert chosen["weight"].tolist() == pytest.approx([1 / 3, 1, 2 / 3])
    assert set(chosen["choice"]) == {"only"}
    joined = join_scans(chosen).set_index("muscle")
    assert joined.loc["soleus", "ff_mean"] == pytest.approx((10 * 100 + 40 * 200) / 300)
    assert joined.loc["soleus", ["source", "row"]].tolist() == ["chunk-2", 4]
    assert list(joined.index) == ["soleus", "gracilis"]


@pytest.mark.parametrize(
    ("more", "value", "why"),
    [
        ({}, 40.0, "largest volume"),
        ({"warned": [0, 1]}, 10.0, "best quality"),
        ({"failed": [1, 0], "warned": [0, 9]}, 40.0, "best quality"),
        ({"volume_ml": 100.0}, 10.0, "first name"),
        ({"left_out": [False, True]}, 10.0, "only"),
    ],
)
def test_one_of_two_scans_is_chosen(more: dict[str, Any], value: float, why: str) -> None:
    table = parts(("acq-a", "soleus", 10.0, 100.0), ("acq-b", "soleus", 40.0, 200.0), **more)
    chosen = choose_scans(table)
    assert values(join_scans(chosen)) == {"soleus": value}
    counts = chosen["weight"] > 0
    assert chosen.loc[counts, "choice"].tolist() == [why]
    other = "left out" if "left_out" in more else "not chosen"
    assert chosen.loc[~counts, "choice"].tolist() == [other]


def test_the_mean_is_weighted_by_volume_and_named() -> None:
    table = parts(
        ("acq-a", "soleus", 10.0, 100.0),
        ("acq-b", "soleus", 40.0, 200.0),
        ("acq-c", "soleus", 90.0, 200.0),
        ("acq-b", "gracilis", 5.0, 1.0),
        left_out=[False, False, True, False],
    )
    chosen = choose_scans(table, "mean")
    assert chosen["choice"].tolist() == ["mean", "mean", "left out", "only"]
    assert chosen["weight"].tolist() == pytest.approx([1 / 3, 2 / 3, 0, 1])
    assert values(join_scans(chosen)) == pytest.approx({"soleus": 30.0, "gracilis": 5.0})


def test_each_muscle_side_and_session_is_chosen_by_itself() -> None:
    table = parts(
        ("acq-a", "soleus", 1.0, 10.0),
        ("acq-b", "soleus", 2.0, 20.0),
        ("acq-a", "soleus", 3.0, 10.0),
        ("acq-b", "soleus", 4.0, 5.0),
        ("acq-a", "soleus", 5.0, 1.0),
        side=["left", "left", "right", "right", "left"],
        participant=["01", "01", "01", "01", "02"],
    )
    joined = join_scans(choose_scans(table))
    assert joined["ff_mean"].tolist() == [2.0, 3.0, 5.0]
    assert joined["side"].tolist() == ["left", "right", "left"]


@pytest.mark.parametrize("combine", ["best", "mean"])
def test_nothing_measured_or_nothing_left_gives_no_value(combine: Any) -> None:
    table = parts(("acq-a", "soleus", 1.0, 10.0), left_out=True)
    chosen = choose_scans(table, combine)
    assert chosen["weight"].tolist() == [0.0]
    assert chosen["choice"].tolist() == ["left out"]
    assert join_scans(chosen).empty
    assert join_scans(choose_scans(table[:0], combine)).empty


def test_parts_without_volume_count_alike() -> None:
    table = parts(("chunk-1", "soleus", 10.0, 0.0), ("chunk-2", "soleus", 30.0, 0.0))
    assert values(join_scans(choose_scans(table))) == {"soleus": 20.0}
