import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.water_fat.separation.phase import named_units, phase_units, to_radians

RADIANS = np.linspace(-np.pi, np.pi, 4001).astype(np.float32)

STORED = {
    "radians": RADIANS,
    "radians from zero": RADIANS + np.pi,
    "degrees": np.degrees(RADIANS),
    "milliradians": np.round(1000 * RADIANS).astype(np.int16),
    "Siemens 0..4095": np.round((RADIANS + np.pi) / (2 * np.pi) * 4095).astype(np.uint16),
    "Siemens -4096..4094": 2.0 * np.round((RADIANS + np.pi) / (2 * np.pi) * 4095) - 4096,
    "Philips -2048..2047": np.round(RADIANS / np.pi * 2047.5).astype(np.int16),
}


@pytest.mark.parametrize("name", STORED)
def test_every_way_of_storing_gives_the_same_angle(name: str) -> None:
    radians, _ = to_radians(STORED[name])
    assert radians.dtype == np.float32
    turned = np.angle(np.exp(1j * (radians - RADIANS)))
    # A constant phase that all echoes share does not matter.
    assert np.ptp(np.angle(np.exp(1j * (turned - turned[2000])))) < 0.005


def test_unit_is_reported() -> None:
    assert phase_units(STORED["Siemens -4096..4094"]) == "13bit"
    assert phase_units(STORED["Siemens 0..4095"]) == "12bit"
    assert phase_units(STORED["milliradians"]) == "milliradians"
    assert phase_units(STORED["degrees"]) == "degrees"


@settings(max_examples=40, deadline=None)
@given(low=st.floats(-1e4, 1e4), width=st.floats(0.1, 2e4))
def test_no_range_is_taken_for_a_unit_it_does_not_fill(low: float, width: float) -> None:
    data = np.linspace(low, low + width, 50)
    turns = (2 * np.pi, 360.0, 4096.0, 2000 * np.pi, 8192.0)
    known = any(0.9 * turn <= data.max() - data.min() <= 1.01 * turn for turn in turns)
    if known:
        assert phase_units(data)
    else:
        with pytest.raises(DataError, match="no full turn in any known unit"):
            phase_units(data)


def test_named_unit_overrides_the_range() -> None:
    radians, units = to_radians(np.array([0.0, 512.0]), "12bit")
    assert units == "12bit"
    np.testing.assert_allclose(radians, [0, np.pi / 4], rtol=1e-6)


def test_missing_values_become_zero() -> None:
    data = np.append(RADIANS, [np.nan, np.inf])
    radians, _ = to_radians(data)
    assert radians[-2:].tolist() == [0, 0]


def test_constant_image_is_refused() -> None:
    with pytest.raises(DataError, match="only one value"):
        phase_units(np.zeros((3, 3)))


def test_unwrapped_phase_of_a_named_unit_means_the_same_angle() -> None:
    unwrapped = np.linspace(-30, 25, 500).astype(np.float32)
    radians, units = to_radians(unwrapped, named_units("rad"))
    assert units == "radians"
    np.testing.assert_array_equal(radians, unwrapped)


@pytest.mark.parametrize(
    ("word", "unit"),
    [("rad", "radians"), (" Radians ", "radians"), ("deg", "degrees"), ("mrad", "milliradians")],
)
def test_units_are_read_as_sidecars_name_them(word: str, unit: str) -> None:
    assert named_units(word) == unit


@pytest.mark.parametrize("word", ["arbitrary", "", None, 3, ["rad"]])
def test_other_words_leave_the_unit_to_the_range(word: object) -> None:
    assert named_units(word) == "auto"


def test_a_named_unit_that_cannot_be_true_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be radians"):
        to_radians(STORED["Siemens 0..4095"], "radians")


def test_the_hint_for_an_unknown_range_names_the_field_to_write() -> None:
    with pytest.raises(DataError) as caught:
        phase_units(np.linspace(-9, 11, 50))
    assert '"Units": "rad"' in caught.value.hint
