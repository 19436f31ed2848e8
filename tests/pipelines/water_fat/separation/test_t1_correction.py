import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.t1_correction import (
    T1Weighting,
    correct_t1,
    t1_weighting,
)
from tests.pipelines.water_fat.separation.conftest import MakeScan


def test_bias_of_a_hand_calculated_protocol() -> None:
    # TR 23 ms, 5 degrees: recovery exp(-TR/T1) and the Ernst equation, by hand.
    weighting = t1_weighting(23.0, 5.0, 3.0)
    cosine = np.cos(np.radians(5))
    for t1, found in ((1420.0, weighting.water), (371.0, weighting.fat)):
        e = np.exp(-23 / t1)
        assert found == pytest.approx((1 - e) / (1 - e * cosine))
    assert weighting.bias(0) == 0
    assert weighting.bias(20) == pytest.approx(2.5, abs=0.3)
    assert weighting.bias(50) == pytest.approx(3.7, abs=0.4)


def test_correction_undoes_the_bias() -> None:
    weighting = t1_weighting(10.0, 10.0, 3.0)
    shown = np.array([20.0 * weighting.fat_gain], np.float32)
    water, fat = correct_t1(np.array([80.0], np.float32), shown, weighting)
    assert float(100 * fat[0] / (fat[0] + water[0])) == pytest.approx(20, abs=1e-4)
    assert weighting.bias(20) == pytest.approx(13.5, abs=1.5)


def test_field_strength_chooses_the_relaxation_times() -> None:
    assert t1_weighting(20, 10, 1.494).fat_gain == t1_weighting(20, 10, 1.5).fat_gain
    assert t1_weighting(20, 10, 2.89).fat_gain == t1_weighting(20, 10, 3.0).fat_gain
    assert isinstance(t1_weighting(20, 10, 1.5), T1Weighting)


@pytest.mark.parametrize(("tr", "angle"), [(0.0, 5.0), (20.0, 0.0), (20.0, 180.0)])
def test_impossible_protocols(tr: float, angle: float) -> None:
    with pytest.raises(DataError, match="are not those of a gradient echo"):
        t1_weighting(tr, angle, 3.0)


def test_t1_weighted_protocols_are_warned_of_and_can_be_corrected(make_scan: MakeScan) -> None:
    scan = make_scan("6pt-3T-short")
    protocol = {"repetition_time_ms": 10.0, "flip_angle_deg": 10.0}
    plain = scan.separated(SeparationOptions(**protocol))
    check = {c.name: c for c in plain.checks}["t1_weighting"]
    assert check.level == "warn"
    assert "points to a fat fraction of 20 %" in check.text
    corrected = scan.separated(SeparationOptions(**protocol, correct_t1=True))
    gain = t1_weighting(10.0, 10.0, 3.0).fat_gain
    tissue = scan.phantom.tissue & np.isfinite(plain.ff)
    water, fat = plain.water[tissue], plain.fat[tissue] / gain
    np.testing.assert_allclose(corrected.ff[tissue], 100 * fat / (water + fat), atol=1e-2)
    assert {c.name: c.level for c in corrected.checks}["t1_weighting"] == "pass"


def test_correction_needs_the_protocol(make_scan: MakeScan) -> None:
    with pytest.raises(DataError, match="needs RepetitionTime and FlipAngle"):
        make_scan("6pt-3T-short").separated(SeparationOptions(correct_t1=True))
