"""Sidecars of water and fat: a common scale is made where it can be, doubts are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.water_fat.common_scale import CHECK, CommonScale, common_scale

DISPLAY = {
    "PhilipsRescaleSlope": 1.2,
    "PhilipsScaleSlope": 0.0125,
    "UsePhilipsFloatNotDisplayScaling": 0,
}


def doubt(water, fat):
    (check,) = common_scale(water, fat).checks
    assert (check.name, check.level) == (CHECK, "warn")
    return check.text


def test_nothing_known_nothing_done():
    assert common_scale({}, {}) == CommonScale()
    assert common_scale({"EchoTime": 2.0}, {"Manufacturer": "GE"}) == CommonScale()


def test_equal_display_scales_need_nothing():
    assert common_scale(DISPLAY, DISPLAY) == CommonScale()


def test_display_values_are_brought_to_one_scale():
    found = common_scale(DISPLAY, {**DISPLAY, "PhilipsScaleSlope": 0.00625})
    assert found.fat_factor == pytest.approx(2.0)
    assert "multiplied by 2" in found.notes[0]
    assert found.checks == ()


@given(
    st.floats(1e-4, 10),
    st.floats(1e-4, 10),
    st.floats(1e-4, 10),
    st.floats(1e-4, 10),
    st.floats(0, 1),
)
def test_the_fat_fraction_of_floating_point_values_comes_back(rw, rf, sw, sf, fraction):
    # Truth in floating point values; what a converter stores are display values.
    water, fat = 1 - fraction, fraction
    sidecars = [
        {
            "PhilipsRescaleSlope": rescale,
            "PhilipsScaleSlope": scale,
            "UsePhilipsFloatNotDisplayScaling": 0,
        }
        for rescale, scale in ((rw, sw), (rf, sf))
    ]
    shown_water, shown_fat = water * rw * sw, fat * rf * sf * common_scale(*sidecars).fat_factor
    # Factors within half a percent of 1 are left alone.
    assert shown_fat / (shown_water + shown_fat) == pytest.approx(fraction, abs=0.002)


def test_a_mixture_of_display_and_floating_point_values_is_settled_by_the_slopes():
    floating = {**DISPLAY, "UsePhilipsFloatNotDisplayScaling": 1}
    assert common_scale(floating, DISPLAY).fat_factor == pytest.approx(1 / (1.2 * 0.0125))


def test_a_mixture_without_slopes_is_doubted():
    assert "display values" in doubt(
        {"UsePhilipsFloatNotDisplayScaling": 1}, {"UsePhilipsFloatNotDisplayScaling": 0}
    )


@pytest.mark.parametrize("slope", [None, 0, -1, "2", True, float("nan")])
def test_display_values_of_unknown_slope_are_doubted(slope):
    assert "PhilipsScaleSlope" in doubt(DISPLAY, {**DISPLAY, "PhilipsScaleSlope": slope})


@pytest.mark.parametrize(
    ("field", "water", "fat"),
    [
        ("EchoTime", 2.4, 1.2),
        ("EchoTime", [1.2, 2.4], [1.2, 3.6]),
        ("FlipAngle", 5, 10),
        ("MagneticFieldStrength", 3, 1.5),
        ("ImageOrientationPatientDICOM", [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]),
    ],
)
def test_fields_of_two_acquisitions_are_doubted(field, water, fat):
    assert field in doubt({field: water}, {field: fat})


def test_rounding_is_no_doubt():
    assert common_scale({"EchoTime": 0.00115}, {"EchoTime": 0.001150001}).checks == ()
    orientation = [1, 0, 0, 0, 1, 0]
    turned = [0.9999999, 1e-9, 0, 0, 1, 0]
    fields = [{"ImageOrientationPatientDICOM": value} for value in (orientation, turned)]
    assert common_scale(*fields).checks == ()


@pytest.mark.parametrize(
    ("water", "fat", "doubted"),
    [
        ("10:21:03.125000", "10:21:03.125000", False),
        ("10:21:03", "10:21:40.5", False),
        ("102103.5", "102603.5", True),
        ("23:59:50", "00:00:10", False),
        ("10:21:03", "anonymized", False),
    ],
)
def test_times_of_acquisition(water, fat, doubted):
    found = common_scale({"AcquisitionTime": water}, {"AcquisitionTime": fat})
    assert bool(found.checks) is doubted
