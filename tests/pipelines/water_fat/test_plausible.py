"""Fat fractions that are none have no value, whichever way they were made; none is clipped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipelines.water_fat.dixon import fat_fraction_from_map, fat_fraction_from_water_fat
from pipelines.water_fat.plausible import check_missing, is_noise, without_impossible
from tests.pipelines.water_fat.limb_phantom import Scene, make_phantom

SCENE = Scene(sigma=6.0, shape=(120, 72, 2), voxel_mm=(3.2, 3.2, 10.0))


@given(hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-3e5, 3e5, width=32)))
def test_a_value_stays_as_it_is_or_is_missing(ff: np.ndarray) -> None:
    kept = without_impossible(ff)
    plausible = (ff >= -50) & (ff <= 150)
    np.testing.assert_array_equal(kept[plausible], ff[plausible])
    assert np.isnan(kept[~plausible]).all()


def test_water_plus_fat_within_three_sd_is_noise() -> None:
    assert is_noise(np.array([-4.0, 5.9, 6.0, 6.1]), 2.0).tolist() == [True, True, True, False]


def test_a_hole_of_noise_in_a_limb_has_no_fat_fraction_and_muscle_keeps_all() -> None:
    phantom = make_phantom(SCENE)
    result = fat_fraction_from_water_fat(phantom.water, phantom.fat, phantom.affine)
    sigma = np.hypot(result.noise.sigma_water, result.noise.sigma_fat)
    signal = phantom.total > 3 * sigma
    assert np.isnan(result.ff[result.body & ~signal]).all()
    assert np.isfinite(result.ff[result.body & signal]).all()
    muscle = result.body & (phantom.ff == 5.0)
    assert np.isfinite(result.ff[muscle]).all()


def test_a_map_loses_what_no_tissue_has() -> None:
    phantom = make_phantom(SCENE)
    stored = np.nan_to_num(phantom.ff)
    place = tuple(np.argwhere(phantom.ff == 5.0)[100])
    for value in (-296516.0, -51.0, 151.0, 216.0):
        stored[place] = value
        result = fat_fraction_from_map(stored, phantom.affine, "percent", signal=phantom.total)
        assert np.isnan(result.ff[place])
        assert np.nanmin(result.ff) >= -50
        assert np.nanmax(result.ff) <= 150


def test_an_undecided_scan_has_nothing_to_measure() -> None:
    from dataclasses import replace

    phantom = make_phantom(SCENE)
    result = fat_fraction_from_water_fat(phantom.water, phantom.fat, phantom.affine)
    assert result.measurable_ff is result.ff
    assert np.isnan(replace(result, decided=False).measurable_ff).all()


@pytest.mark.parametrize(("missing", "level"), [(0, "pass"), (10, "pass"), (11, "warn")])
def test_share_of_the_body_without_a_value_is_judged(missing: int, level: str) -> None:
    ff = np.zeros((10, 10, 2), np.float32)
    body = np.zeros(ff.shape, np.bool_)
    body[:, :, 0] = True
    ff.ravel()[np.flatnonzero(body)[:missing]] = np.nan
    ff[:, :, 1] = np.nan
    check = check_missing(ff, body)
    assert (check.name, check.level, check.value) == ("no_fat_fraction", level, float(missing))
