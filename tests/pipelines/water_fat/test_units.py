import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.water_fat.units import TO_PERCENT, FatFractionUnits, detect_units, to_percent
from tests.pipelines.water_fat.limb_phantom import Scene, make_phantom

SCALES: dict[FatFractionUnits, float] = {"fraction": 0.01, "percent": 1.0, "permille": 10.0}


def leg_map(muscle_ff: float = 5.0, fat_ff: float = 90.0) -> tuple[np.ndarray, np.ndarray]:
    """Return a map in percent (a fifth of the body is fat) and the body."""
    body = np.zeros((20, 20, 5), bool)
    body[2:18, 2:18] = True
    ff = np.where(body, muscle_ff, 0.0)
    ff[2:6, 2:18] = fat_ff
    return ff, body


@pytest.mark.parametrize("units", SCALES)
def test_each_unit_is_recognised_and_converted(units: FatFractionUnits) -> None:
    phantom = make_phantom(Scene(sigma=15))
    body = phantom.limb > 0
    percent = np.where(body, phantom.ff, 0)
    stored = percent * SCALES[units]
    assert detect_units(stored, body) == units
    np.testing.assert_allclose(to_percent(stored, units), percent, atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(SCALES)),
    st.floats(0, 90),
    st.floats(60, 100),
    st.floats(-1e4, 1e4),
    st.integers(0, 5),
)
def test_neither_disease_nor_background_nor_outliers_decide(
    units: FatFractionUnits, muscle_ff: float, fat_ff: float, background: float, outliers: int
) -> None:
    percent, body = leg_map(muscle_ff, fat_ff)
    stored = percent * SCALES[units]
    stored[~body] = background
    stored[10, 10 : 10 + outliers, 0] = 1e4
    assert detect_units(stored, body) == units


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SCALES)), st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_conversion_is_linear(units: FatFractionUnits, values: list[float]) -> None:
    percent = np.array(values)
    np.testing.assert_allclose(
        to_percent(percent / TO_PERCENT[units], units), percent, rtol=1e-5, atol=1e-5
    )


def test_missing_values_inside_the_body_are_ignored() -> None:
    percent, body = leg_map()
    percent[2:10, 2:10] = np.nan
    assert detect_units(percent / 100, body) == "fraction"


def test_noise_beyond_the_range_is_limited_and_markers_are_removed() -> None:
    stored = np.array([-3.0, 104.0, -49.0, 149.0, 151.0, -51.0, 1e4, -1e4, np.nan, np.inf])
    expected = [0.0, 100.0, 0.0, 100.0] + [np.nan] * 6
    np.testing.assert_array_equal(to_percent(stored, "percent"), expected)
    np.testing.assert_array_equal(to_percent(stored * 10, "permille"), expected)


def test_integer_maps_are_converted() -> None:
    stored = np.array([0, 25, 1000], np.int16)
    np.testing.assert_allclose(to_percent(stored, "permille"), [0.0, 2.5, 100.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ff, body: (ff, np.zeros_like(body)), "has 0 values inside the body, too few"),
        (lambda ff, body: (np.full_like(ff, np.nan), body), "has 0 values inside the body"),
        (lambda ff, body: (np.zeros_like(ff), body), "it holds no value above zero"),
        (lambda ff, body: (-ff, body), "it holds no value above zero"),
        (lambda ff, body: (ff * 40, body), "99 % of the body lie below 3600, but even permille"),
    ],
)
def test_undecidable_maps_are_refused(change, message: str) -> None:  # type: ignore[no-untyped-def]
    ff, body = change(*leg_map())
    with pytest.raises(DataError, match=message) as caught:
        detect_units(ff, body)
    assert "--fat-fraction-units" in caught.value.hint
