from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.dixon import (
    DixonResult,
    fat_fraction_from_map,
    fat_fraction_from_water_fat,
)
from tests.pipelines.water_fat.limb_phantom import Limb, Phantom, Scene, exchanged, make_phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(Scene(sigma=8))


def levels(result: DixonResult) -> dict[str, str]:
    return {check.name: check.level for check in result.checks}


def test_fat_fraction_of_a_phantom_is_its_truth(phantom: Phantom) -> None:
    result = fat_fraction_from_water_fat(phantom.water, phantom.fat, phantom.affine)
    for truth, tolerance in ((90.0, 0.3), (5.0, 0.6)):
        found = result.ff[(phantom.ff == truth) & result.body]
        assert np.nanmean(found) == pytest.approx(truth, abs=tolerance)
    assert np.isnan(result.ff[~result.body]).all()
    assert result.ff.dtype == np.float32
    assert result.limbs.names == ("left", "right")
    assert result.water is phantom.water
    assert result.units is None
    assert set(levels(result).values()) == {"pass"}


def test_swaps_are_repaired_and_recorded(phantom: Phantom) -> None:
    expected = fat_fraction_from_water_fat(phantom.water, phantom.fat, phantom.affine)
    where = np.zeros(phantom.limb.shape, bool)
    where[:120, :, 3] = True
    water, fat = exchanged(phantom, where)
    result = fat_fraction_from_water_fat(water, fat, phantom.affine)
    np.testing.assert_array_equal(result.ff, expected.ff)
    np.testing.assert_array_equal(result.water, phantom.water)
    np.testing.assert_array_equal(result.fat, phantom.fat)
    changed = result.swaps[result.swaps["action"] == "exchanged"]
    assert list(zip(changed["slice"], changed["limb"], strict=True)) == [(3, "left")]
    assert levels(result)["water_fat_swap"] == "warn"


def test_integers_and_missing_values(phantom: Phantom) -> None:
    water, fat = (np.round(image).astype(np.uint16) for image in (phantom.water, phantom.fat))
    from_integers = fat_fraction_from_water_fat(water, fat, phantom.affine)
    assert np.nanmedian(np.abs(from_integers.ff - expected_ff(phantom))) < 0.1
    holed = phantom.water.copy()
    holed[66, 72, 2], holed[67, 72, 2] = np.nan, -4.0
    result = fat_fraction_from_water_fat(holed, phantom.fat, phantom.affine)
    assert np.isnan(result.ff[66, 72, 2])
    assert result.ff[67, 72, 2] == 100.0
    values = {check.name: check.value for check in result.checks}
    assert values["non_finite"] == values["negative"] == pytest.approx(100 / result.body.sum())


def expected_ff(phantom: Phantom) -> np.ndarray:
    return fat_fraction_from_water_fat(phantom.water, phantom.fat, phantom.affine).ff


@pytest.mark.parametrize(
    ("units", "scale"), [("fraction", 0.01), ("percent", 1.0), ("permille", 10.0)]
)
@pytest.mark.parametrize("background", [0.0, np.nan, -1.0])
def test_masked_maps_of_any_unit(
    phantom: Phantom, units: str, scale: float, background: float
) -> None:
    stored = np.where(phantom.limb > 0, phantom.ff * scale, background)
    result = fat_fraction_from_map(stored, phantom.affine)
    assert result.units == units
    np.testing.assert_allclose(result.ff, phantom.ff, atol=1e-3)
    assert (result.water, result.fat, result.noise) == (None, None, None)
    assert levels(result) == {
        "body_mask": "pass",
        "limbs": "pass",
        "ff_units": "pass",
        "water_fat_swap": "pass",
        "noise_floor": "warn",
        "no_fat_fraction": "pass",
        "left_right_difference": "pass",
        "limb_cut": "pass",
        "slice_coverage": "pass",
    }


def test_a_magnitude_image_gives_the_body_of_a_map(phantom: Phantom) -> None:
    expected = fat_fraction_from_water_fat(phantom.water, phantom.fat, phantom.affine)
    stored = 100 * phantom.fat / (phantom.water + phantom.fat)  # noise around the body
    result = fat_fraction_from_map(stored, phantom.affine, signal=phantom.total)
    np.testing.assert_array_equal(result.body, expected.body)
    # Cortical bone is noise: two images tell it, a map alone does not.
    known = np.isfinite(expected.ff)
    assert known[np.isin(phantom.ff, (5.0, 90.0))].all()
    np.testing.assert_allclose(result.ff[known], expected.ff[known], atol=1e-3)


def test_muscle_of_a_map_with_noise_around_the_body_is_kept(phantom: Phantom) -> None:
    stored = phantom.fat / (phantom.water + phantom.fat)
    result = fat_fraction_from_map(stored, phantom.affine)
    assert np.isfinite(result.ff[phantom.limb > 0]).all()
    assert np.isnan(result.ff[:, :3]).all()


def test_the_user_may_overrule_the_unit(phantom: Phantom) -> None:
    stored = np.where(phantom.limb > 0, phantom.ff, 0)
    result = fat_fraction_from_map(stored, phantom.affine, "permille")
    np.testing.assert_allclose(result.ff, phantom.ff / 10, atol=1e-3)
    units = next(check for check in result.checks if check.name == "ff_units")
    assert units.level == "warn"
    assert units.value == pytest.approx(9.0, abs=0.1)


def test_a_swapped_map_is_flagged_and_left(phantom: Phantom) -> None:
    stored = np.where(phantom.limb > 0, 100 - phantom.ff, 0)
    result = fat_fraction_from_map(stored, phantom.affine)
    np.testing.assert_allclose(result.ff, 100 - phantom.ff, atol=1e-3)
    assert levels(result)["water_fat_swap"] == "fail"
    assert (result.swaps["action"] == "flagged").all()


def test_a_difference_between_the_legs_is_shown() -> None:
    phantom = make_phantom(Scene((Limb(-85, muscle_ff=85), Limb(85)), sigma=8))
    result = fat_fraction_from_water_fat(phantom.water, phantom.fat, phantom.affine)
    assert levels(result)["left_right_difference"] == "warn"
    assert levels(result)["water_fat_swap"] == "pass"


def test_errors_of_the_steps_are_passed_on(phantom: Phantom) -> None:
    with pytest.raises(DataError, match="Water has shape"):
        fat_fraction_from_water_fat(phantom.water, phantom.fat[1:], phantom.affine)
    nothing = np.zeros_like(phantom.water)
    with pytest.raises(DataError, match="holds no signal"):
        fat_fraction_from_water_fat(nothing, nothing, phantom.affine)
    with pytest.raises(DataError, match="unit of the fat fraction map cannot be told"):
        fat_fraction_from_map(
            np.where(phantom.limb > 0, phantom.ff * 30, 0), phantom.affine, signal=phantom.total
        )


# Real scans of two patients with muscular dystrophy, thigh to pelvis.


@pytest.fixture(scope="module", params=["001", "003"])
def patient(request, shared_data: Path):  # type: ignore[no-untyped-def]
    import nibabel as nib

    from pipelines.geometry import to_canonical

    folder = shared_data / "ideal-thigh" / f"sub-{request.param}" / "mr-quant"
    images = []
    for kind in ("WATER", "FAT"):
        scan = nib.load(folder / f"sub-{request.param}_{kind}.nii.gz")
        data, affine, _ = to_canonical(np.asarray(scan.dataobj), scan.affine)
        images.append(data[:, :, ::3])
    affine = affine @ np.diag([1.0, 1.0, 3.0, 1.0])
    return (*images, affine, fat_fraction_from_water_fat(*images, affine))


def test_real_scans_pass_every_check(patient) -> None:  # type: ignore[no-untyped-def]
    *_, result = patient
    assert set(levels(result).values()) == {"pass"}
    assert result.limbs.names == ("left", "right")
    assert (result.swaps["status"] == "normal").all()
    assert len(result.swaps) == 12
    assert result.swaps["shell_ff"].min() > 65
    assert 0.8 < result.noise.ff_floor < 1.8


def test_swaps_planted_in_real_scans_are_repaired(patient) -> None:  # type: ignore[no-untyped-def]
    water, fat, affine, expected = patient
    where = np.zeros(water.shape, bool)
    where[:, :, 1:3] = expected.limbs.labels[:, :, 1:3] == 2
    result = fat_fraction_from_water_fat(
        np.where(where, fat, water), np.where(where, water, fat), affine
    )
    changed = result.swaps[result.swaps["action"] == "exchanged"]
    assert list(zip(changed["slice"], changed["limb"], strict=True)) == [(1, "right"), (2, "right")]
    known = np.isfinite(result.ff)
    # The noise is measured in the repaired air, a little differently: a few voxels at its limit.
    assert (known != np.isfinite(expected.ff))[expected.body].mean() < 1e-3
    known &= np.isfinite(expected.ff)
    np.testing.assert_array_equal(result.ff[known], expected.ff[known])
    np.testing.assert_array_equal(result.water[expected.body], water[expected.body])


def test_global_swap_of_real_scans_is_repaired(patient) -> None:  # type: ignore[no-untyped-def]
    water, fat, affine, expected = patient
    result = fat_fraction_from_water_fat(fat, water, affine)
    assert (result.swaps["action"] == "exchanged").all()
    np.testing.assert_array_equal(result.water, water)
    np.testing.assert_array_equal(result.ff, expected.ff)
