import numpy as np
import pytest

from pipelines.quantification.options import QuantificationOptions
from pipelines.quantification.profile import position_percent
from pipelines.quantification.table import measure_muscles
from tests.pipelines.quantification.solids import THICK, box_image, value

SHAPE = (20, 20, 5)


def image():
    labels = box_image(SHAPE, {value("gracilis"): np.s_[2:12, 2:12, 1:5]})
    labels[10:12, :, 3] = 0
    ff = np.zeros(SHAPE, np.float32) + np.array([0, 10, 20, 30, 40], np.float32)
    return labels, ff


def test_every_slice_by_hand():
    labels, ff = image()
    ff[2, 2:12, 4] = 90  # ten rim voxels: in the contractile area, not in the eroded mean
    found = measure_muscles(labels, ff, THICK).profile
    assert found["muscle"].tolist() == ["gracilis"] * 4
    assert found["side"].tolist() == ["left"] * 4
    assert found["slice"].tolist() == [1, 2, 3, 4]
    assert found["position_mm"].tolist() == [20, 40, 60, 80]
    assert found["position_pct"].tolist() == [87.5, 62.5, 37.5, 12.5]
    assert found["n_voxels"].tolist() == [100, 100, 80, 100]
    assert found["n_voxels_ff"].tolist() == [64, 64, 48, 64]
    np.testing.assert_allclose(found["area_cm2"], [2.25, 2.25, 1.8, 2.25])
    np.testing.assert_allclose(found["ff_mean"], [10, 20, 30, 40])
    np.testing.assert_allclose(found["ff_median"], [10, 20, 30, 40])
    np.testing.assert_allclose(found["ccsa_cm2"], [2.025, 1.8, 1.26, 2.25 * 0.55])


def test_a_slice_that_erosion_empties_keeps_its_area():
    labels, ff = image()
    labels[:, :, 3] = 0
    labels[5, 5, 3] = value("gracilis")
    row = measure_muscles(labels, ff, THICK).profile.set_index("slice").loc[3]
    assert row["n_voxels"] == 1
    assert row["n_voxels_ff"] == 0
    assert np.isnan(row["ff_mean"])
    assert row["ccsa_cm2"] == pytest.approx(0.0225 * 0.7)


def test_a_slice_without_ff_has_no_contractile_area():
    labels, ff = image()
    ff[:, :, 2] = np.nan
    row = measure_muscles(labels, ff, THICK).profile.set_index("slice").loc[2]
    assert row["area_cm2"] == pytest.approx(2.25)
    assert np.isnan([row["ccsa_cm2"], row["ff_mean"], row["ff_median"]]).all()


def test_without_erosion_all_voxels_count():
    labels, ff = image()
    found = measure_muscles(labels, ff, THICK, QuantificationOptions(erode=False)).profile
    assert found["n_voxels_ff"].tolist() == found["n_voxels"].tolist()


def test_areas_of_an_oblique_stack_come_from_its_pixels():
    labels, ff = image()
    turn = np.deg2rad(25)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    straight, oblique = (measure_muscles(labels, ff, a).profile for a in (THICK, tilt @ THICK))
    for column in ("area_cm2", "position_mm", "ff_mean"):
        np.testing.assert_allclose(oblique[column], straight[column], rtol=1e-12)


@pytest.mark.parametrize(
    ("slices", "expected"),
    [([4], [50.0]), ([2, 3], [75.0, 25.0]), ([0, 1, 2, 3, 9], [95, 85, 75, 65, 5])],
)
def test_positions_run_from_proximal_to_distal(slices, expected):
    np.testing.assert_allclose(position_percent(np.array(slices)), expected)
