import numpy as np
import pandas as pd
import pytest

from bids_app.reports.layout import Measure
from bids_app.reports.session.muscle_table import fat_fraction_means, muscle_rows
from pipelines.quantification.table import measure_muscles
from tests.bids_app.reports import page_content

FAT = Measure("ff_mean", "Fat fraction", "%", 1, spread="ff_sd", bar=50, difference="asym_ff")
VOLUME = Measure("volume_ml", "Volume", "ml", 0)
SIDES = ["right", "left", "n/a"]
FLAGS = {"truncated_proximal": "cut at the top", "below_noise_floor": "under the noise floor"}


def test_numbers_are_those_of_the_table() -> None:
    table = muscle_rows(page_content.stats(), [FAT, VOLUME], SIDES, {})
    sartorius, vastus = table.levels["muscle"]
    assert (sartorius.name, vastus.name) == ("sartorius", "vastus_lateralis")
    left = sartorius.cells["ff_mean", "left"]
    assert (left.exact, left.text, left.spread, left.bar) == (12.25, "12.2", "3.1", 24.5)
    assert vastus.cells["ff_mean", "right"].text == "61.4"
    assert vastus.cells["ff_mean", "right"].bar == 100  # beyond the end of the scale
    assert sartorius.cells["volume_ml", "right"].text == "120"
    assert sartorius.cells["volume_ml", "right"].bar is None


def test_differences_have_a_sign() -> None:
    stats = page_content.stats()
    table = muscle_rows(stats, [FAT], SIDES, {})
    sartorius, vastus = table.levels["muscle"]
    assert sartorius.cells["ff_mean", "difference"].text == "+3.8"
    assert vastus.cells["ff_mean", "difference"].text == "−6.3"
    assert vastus.cells["ff_mean", "difference"].exact == pytest.approx(55.04 - 61.37)
    rounded = muscle_rows(stats.assign(asym_ff=-0.04), [FAT], SIDES, {}).levels["muscle"][0]
    assert rounded.cells["ff_mean", "difference"].text == "0.0"


def test_right_comes_before_left_as_in_the_pictures() -> None:
    (block,) = muscle_rows(page_content.stats(), [FAT], SIDES, {}).blocks
    assert list(block.columns) == ["right", "left", "difference"]


def test_one_leg_has_one_column_and_no_difference() -> None:
    stats = page_content.stats()
    table = muscle_rows(stats[stats["side"] == "left"], [FAT], SIDES, {})
    assert list(table.blocks[0].columns) == ["left"]


def test_muscles_without_a_side_are_not_lost() -> None:
    stats = page_content.stats()
    midline = {"level": "muscle", "muscle": "diaphragm", "side": np.nan, "ff_mean": 4.0}
    odd = {"level": "muscle", "muscle": "other", "side": "both", "ff_mean": 5.0}
    table = muscle_rows(pd.concat([stats, pd.DataFrame([midline, odd])]), [FAT], SIDES, {})
    assert list(table.blocks[0].columns) == ["right", "left", "n/a", "both", "difference"]
    rows = {row.name: row for row in table.levels["muscle"]}
    assert rows["diaphragm"].cells["ff_mean", "n/a"].text == "4.0"
    assert rows["other"].cells["ff_mean", "both"].text == "5.0"


def test_missing_columns_and_values_are_left_out() -> None:
    stats = page_content.stats()
    stats.loc[0, "ff_mean"] = np.nan
    absent = Measure("water_t2", "Water T2", "ms", 1)
    table = muscle_rows(stats, [absent, FAT], SIDES, {})
    assert [block.measure.column for block in table.blocks] == ["ff_mean"]
    assert ("ff_mean", "left") not in table.levels["muscle"][0].cells
    # The group has no spread.
    assert table.levels["group"][0].cells["ff_mean", "left"].spread == ""


def test_notes_name_the_sides_they_hold_for() -> None:
    flags = {**FLAGS, "truncated_distal": "cut at the bottom"}
    table = muscle_rows(page_content.stats(), [FAT], SIDES, flags, "{found} of {all} muscles")
    sartorius, vastus = table.levels["muscle"]
    assert sartorius.notes == ["cut at the top (both)"]
    assert vastus.notes == ["cut at the bottom (left)"]
    assert table.levels["group"][0].notes == ["cut at the bottom (left)", "1 of 4 muscles (left)"]
    assert table.has_notes
    assert not muscle_rows(page_content.stats(), [FAT], SIDES, {}).has_notes


def test_missing_flags_are_not_set() -> None:
    stats = page_content.stats()
    stats["below_noise_floor"] = pd.array([True, None, None, False, None], dtype="boolean")
    stats["truncated_proximal"] = [True, np.nan, np.nan, False, np.nan]
    table = muscle_rows(stats, [FAT], SIDES, FLAGS)
    assert table.levels["muscle"][0].notes == [
        "cut at the top (left)",
        "under the noise floor (left)",
    ]
    assert table.levels["muscle"][1].notes == []


def test_measured_table_is_shown_as_it_is() -> None:
    """The real table has nullable types; its muscles hold one fat fraction each."""
    stats = measure_muscles(
        page_content.labels(), page_content.fat_fraction(), page_content.AFFINE
    ).muscles
    table = muscle_rows(stats, [FAT, VOLUME], SIDES, FLAGS, "{found} of {all}")
    rows = {row.name: row for row in (*table.levels["muscle"], *table.levels["group"])}
    assert rows["vastus_lateralis"].cells["ff_mean", "left"].text == "55.0"
    # 10 x 10 x 4 voxels of 60 mm3.
    assert rows["vastus_lateralis"].cells["volume_ml", "left"].text == "24"
    assert rows["sartorius"].cells["ff_mean", "difference"].text == "+3.8"
    assert rows["sartorius"].notes == []


def test_means_by_muscle_and_side() -> None:
    stats = page_content.stats()
    stats.loc[1, "ff_mean"] = np.nan
    means = fat_fraction_means(stats, "ff_mean")
    assert means["sartorius", "left"] == 12.25
    assert ("sartorius", "right") not in means
    assert fat_fraction_means(stats, "no_such_column") == {}
