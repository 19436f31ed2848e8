import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.anatomy.vocabulary import groups
from pipelines.quantification.table import measure_muscles
from tests.pipelines.quantification.solids import THICK, box_image, value

SHAPE = (40, 20, 6)
QUADRICEPS = groups()["quadriceps_femoris"]


def quadriceps(sizes=(10, 8, 6, 4), ff_of=(10, 20, 30, 40), side="left"):
    """Boxes of 10 pixels depth side by side, each with its own extent and fat fraction."""
    boxes = {
        value(name, side): np.s_[10 * i : 10 * i + 9, 2:12, 0 : 1 + size // 2]
        for i, (name, size) in enumerate(zip(QUADRICEPS, sizes, strict=True))
    }
    labels = box_image(SHAPE, boxes)
    ff = np.zeros(SHAPE, np.float32)
    for (label, _), fat in zip(boxes.items(), ff_of, strict=True):
        ff[labels == label] = fat
    return labels, ff


def group(table, name="quadriceps_femoris", side="left"):
    rows = table[(table["level"] == "group") & (table["muscle"] == name) & (table["side"] == side)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_volumes_add_up_and_fat_fractions_are_weighted_by_volume():
    labels, ff = quadriceps()
    row = group(measure_muscles(labels, ff, THICK).muscles)
    n = np.array([6, 5, 4, 3]) * 90
    assert row["n_voxels"] == n.sum()
    assert row["volume_ml"] == pytest.approx(n.sum() * 0.045)
    assert row["ff_mean"] == pytest.approx(np.average([10, 20, 30, 40], weights=n))
    assert row["fat_volume_ml"] == pytest.approx((n * [10, 20, 30, 40]).sum() / 100 * 0.045)
    assert row["lean_volume_ml"] + row["fat_volume_ml"] == pytest.approx(row["volume_ml"])
    assert row["n_slices"] == 6
    assert row["region"] == "thigh"
    assert row["erosion"] == "in_plane"


def test_cross_sections_are_those_of_all_members_together():
    labels, ff = quadriceps()
    row = group(measure_muscles(labels, ff, THICK).muscles)
    pixel = 0.0225
    assert row["csa_max_cm2"] == pytest.approx(4 * 90 * pixel)
    assert row["csa_max_slice"] == 0
    assert row["csa_mid_cm2"] == pytest.approx((4 + 3) / 2 * 90 * pixel)
    assert row["ccsa_max_cm2"] == pytest.approx((90 + 80 + 70 + 60) / 100 * 90 * pixel)


def test_what_cannot_be_had_from_the_members_is_missing():
    labels, ff = quadriceps()
    row = group(measure_muscles(labels, ff, THICK).muscles)
    missing = ["ff_median", "ff_sd", "ff_p5", "ff_p25", "ff_p75", "ff_p95", "label"]
    assert row[missing].isna().all()


def test_missing_members_are_said():
    labels, ff = quadriceps()
    labels[labels == value("vastus_intermedius")] = 0
    table = measure_muscles(labels, ff, THICK).muscles
    row = group(table)
    assert row["members"] == "3/4"
    assert row["members_present"] == "rectus_femoris,vastus_lateralis,vastus_medialis"
    assert group(table, "whole_thigh")["members"] == "3/14"
    assert row["n_voxels"] == (6 + 5 + 3) * 90


def test_one_member_makes_no_group():
    labels, ff = quadriceps()
    labels[labels != value("rectus_femoris")] = 0
    table = measure_muscles(labels, ff, THICK).muscles
    assert table["level"].tolist() == ["muscle"]
    assert table["members"].isna().all()


def test_flags_of_any_member_hold_for_the_group():
    labels, ff = quadriceps(sizes=(8, 8, 8, 10))
    labels[labels == value("rectus_femoris")] = 0
    labels[2:5, 2:5, 0] = value("rectus_femoris")
    row = group(measure_muscles(labels, ff, THICK).muscles)
    assert row["few_voxels"]
    assert row["erosion"] == "mixed"
    assert row["truncated_proximal"]
    assert row["truncated_distal"]


@pytest.mark.parametrize(("floor", "below"), [(21.0, True), (5.0, False)])
def test_noise_floor_of_a_group(floor, below):
    labels, ff = quadriceps(ff_of=(10, 20, 20, 20))
    row = group(measure_muscles(labels, ff, THICK, noise_floor=floor).muscles)
    assert row["below_noise_floor"] == below


def test_a_member_without_ff_counts_for_volume_only():
    labels, ff = quadriceps()
    ff[labels == value("rectus_femoris")] = np.nan
    row = group(measure_muscles(labels, ff, THICK).muscles)
    assert row["n_voxels_no_ff"] == 6 * 90
    assert row["ff_mean"] == pytest.approx(np.average([20, 30, 40], weights=[5, 4, 3]))
    assert row["volume_ml"] == pytest.approx(18 * 90 * 0.045)
    assert np.isnan(row["lean_volume_ml"])
    assert np.isnan(row["ccsa_max_cm2"])


@given(
    st.lists(st.integers(1, 5), min_size=4, max_size=4),
    st.lists(st.floats(0, 100, width=32), min_size=4, max_size=4),
)
@settings(max_examples=15, deadline=None)
def test_group_mean_is_the_volume_weighted_mean_of_its_members(slices, ff_of):
    labels, ff = quadriceps(sizes=[2 * s - 2 for s in slices], ff_of=ff_of)
    table = measure_muscles(labels, ff, THICK).muscles
    members = table[table["level"] == "muscle"]
    volume = members["volume_ml"].to_numpy()
    for column in ("ff_mean", "ff_mean_uneroded", "ff_frac_gt50"):
        expected = np.average(members[column].to_numpy(), weights=volume)
        assert group(table)[column] == pytest.approx(expected)


def both_sides():
    labels, ff = quadriceps()
    right, right_ff = quadriceps(sizes=(6, 8, 6, 4), ff_of=(12, 20, 30, 40), side="right")
    return np.concatenate([labels, right]), np.concatenate([ff, right_ff])


def test_asymmetry_is_the_same_number_on_both_sides():
    table = measure_muscles(*both_sides(), THICK).muscles.set_index(["muscle", "side"])
    for side in ("left", "right"):
        row = table.loc["rectus_femoris", side]
        assert row["asym_volume"] == pytest.approx(200 * (6 - 4) / (6 + 4))
        assert row["asym_ff"] == pytest.approx(-2.0)
        assert table.loc["vastus_medialis", side]["asym_volume"] == 0
        volume = 200 * (18 - 16) / (18 + 16)
        assert table.loc["quadriceps_femoris", side]["asym_volume"] == pytest.approx(volume)


def test_groups_of_different_members_are_not_compared():
    labels, ff = both_sides()
    labels[labels == value("vastus_medialis", "right")] = 0
    table = measure_muscles(labels, ff, THICK).muscles.set_index(["muscle", "side"])
    assert table.loc["quadriceps_femoris", "right"]["members"] == "3/4"
    for side in ("left", "right"):
        assert pd.isna(table.loc["quadriceps_femoris", side]["asym_volume"])
        assert table.loc["rectus_femoris", side]["asym_volume"] == pytest.approx(40)
    assert pd.isna(table.loc["vastus_medialis", "left"]["asym_ff"])


def test_a_muscle_found_on_one_side_has_no_asymmetry():
    labels, ff = quadriceps()
    table = measure_muscles(labels, ff, THICK).muscles
    assert table[["asym_volume", "asym_ff"]].isna().all(axis=None)
