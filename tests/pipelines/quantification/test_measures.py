import numpy as np
import pandas as pd
import pytest

from pipelines.quantification.measures import (
    along_muscle,
    cross_sections,
    fat_statistics,
    is_below,
    truncation,
    volumes,
    weighted_mean,
)


def profile(**columns):
    return pd.DataFrame(columns)


def test_lean_and_fat_volume_add_up_where_there_is_ff():
    found = volumes(np.array([0, 50, 100, np.nan], np.float32), voxel_ml=0.5)
    assert found == {
        "n_voxels": 4,
        "n_voxels_no_ff": 1,
        "volume_ml": 2.0,
        "lean_volume_ml": pytest.approx(0.75),
        "fat_volume_ml": pytest.approx(0.75),
        "ff_mean_uneroded": pytest.approx(50.0),
    }


def test_without_any_ff_lean_volume_is_missing_not_zero():
    found = volumes(np.full(3, np.nan, np.float32), voxel_ml=1.0)
    assert found["volume_ml"] == 3.0
    assert np.isnan([found["lean_volume_ml"], found["fat_volume_ml"]]).all()


def test_fat_statistics_by_hand():
    found = fat_statistics(np.array([10, 20, 30, 40, 90], np.float32))
    assert found["ff_mean"] == pytest.approx(38)
    assert found["ff_median"] == 30
    assert found["ff_sd"] == pytest.approx(np.sqrt(776))
    assert found["ff_p5"] == pytest.approx(12)
    assert found["ff_p25"] == 20
    assert found["ff_p75"] == 40
    assert found["ff_p95"] == pytest.approx(80)
    assert found["ff_frac_gt50"] == pytest.approx(20)
    assert found["ff_mean_lt50"] == pytest.approx(25)


def test_a_muscle_of_fat_only_has_no_mean_below_50():
    found = fat_statistics(np.array([50, 80], np.float32))
    assert np.isnan(found["ff_mean_lt50"])
    assert found["ff_frac_gt50"] == 50  # 50 itself is not above 50


def test_no_voxels_no_statistics():
    found = fat_statistics(np.array([], np.float32))
    assert len(found) == 9
    assert np.isnan(list(found.values())).all()


def test_largest_and_mid_cross_section():
    found = cross_sections(
        profile(
            slice=[3, 4, 5, 6],
            position_pct=[87.5, 62.5, 37.5, 12.5],
            area_cm2=[4.0, 8.0, 6.0, 2.0],
            ccsa_cm2=[4.0, 3.0, 5.0, np.nan],
        )
    )
    assert found == {
        "csa_max_cm2": 8.0,
        "csa_max_slice": 4,
        "csa_mid_cm2": pytest.approx(7.0),
        "ccsa_max_cm2": 5.0,
        "ccsa_mid_cm2": pytest.approx(4.0),
    }


def test_mid_section_across_a_gap_is_interpolated():
    found = cross_sections(
        profile(slice=[0, 4], position_pct=[90.0, 10.0], area_cm2=[2.0, 6.0], ccsa_cm2=[1.0, 3.0])
    )
    assert found["csa_mid_cm2"] == pytest.approx(4.0)


def test_one_slice_is_its_own_middle():
    found = cross_sections(
        profile(slice=[7], position_pct=[50.0], area_cm2=[3.0], ccsa_cm2=[np.nan])
    )
    assert found["csa_mid_cm2"] == 3.0
    assert found["csa_max_slice"] == 7
    assert np.isnan(found["ccsa_max_cm2"])


def test_equal_sections_name_the_most_distal_one():
    found = cross_sections(
        profile(slice=[2, 3], position_pct=[75.0, 25.0], area_cm2=[5.0, 5.0], ccsa_cm2=[4.0, 5.0])
    )
    assert found["csa_max_slice"] == 2


def test_slope_of_a_straight_rise_is_exact():
    percent = np.array([95.0, 65.0, 35.0, 5.0])
    found = along_muscle(
        profile(position_pct=percent, ff_mean=4 + 0.3 * percent, n_voxels_ff=[50, 9, 200, 31])
    )
    assert found["ff_slope"] == pytest.approx(3.0)  # 0.3 per percent of length


def test_thirds_weigh_slices_by_their_voxels():
    found = along_muscle(
        profile(
            position_pct=[90.0, 70.0, 50.0, 30.0, 10.0],
            ff_mean=[60.0, 40.0, 20.0, 10.0, 2.0],
            n_voxels_ff=[10, 30, 7, 10, 30],
        )
    )
    assert found["ff_distal"] == pytest.approx(45.0)
    assert found["ff_middle"] == pytest.approx(20.0)
    assert found["ff_proximal"] == pytest.approx(4.0)


def test_slices_without_voxels_count_nowhere():
    found = along_muscle(
        profile(
            position_pct=[90.0, 50.0, 10.0], ff_mean=[np.nan, 20.0, 10.0], n_voxels_ff=[0, 5, 5]
        )
    )
    assert np.isnan(found["ff_distal"])
    assert found["ff_slope"] == pytest.approx(2.5)


def test_one_slice_has_only_a_middle():
    found = along_muscle(profile(position_pct=[50.0], ff_mean=[12.0], n_voxels_ff=[30]))
    assert found["ff_middle"] == 12.0
    assert np.isnan([found["ff_proximal"], found["ff_distal"], found["ff_slope"]]).all()


def test_weighted_mean_skips_missing_values():
    assert weighted_mean(np.array([1.0, np.nan, 4.0]), np.array([2.0, 9.0, 1.0])) == 2.0
    assert np.isnan(weighted_mean(np.array([np.nan]), np.array([1.0])))


@pytest.mark.parametrize(
    ("ff_mean", "floor", "below"),
    [
        (3.0, 4.0, True),
        (4.0, 4.0, False),
        (3.0, None, None),
        (np.nan, 4.0, None),
        (3, np.nan, None),
    ],
)
def test_noise_floor(ff_mean, floor, below):
    assert is_below(ff_mean, floor) is below


@pytest.mark.parametrize(
    ("slices", "proximal", "distal"),
    [([0, 1], False, True), ([4, 5], True, False), ([1, 4], False, False), ([0, 5], True, True)],
)
def test_truncation(slices, proximal, distal):
    assert truncation(np.array(slices), stack_slices=6) == (proximal, distal)
