import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.body_from_map import body_mask_from_ff
from pipelines.water_fat.fat_fraction import fat_fraction
from tests.pipelines.water_fat.limb_phantom import Limb, Phantom, Scene, dice, make_phantom

BACKGROUNDS = {"zero": 0.0, "nan": np.nan, "marker": 1e4, "negative marker": -1.0}


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(Scene(sigma=15))


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_masked_maps(phantom: Phantom, background: str, scale: float) -> None:
    truth = phantom.limb > 0
    ff = np.where(truth, fat_fraction(phantom.water, phantom.fat) * scale, BACKGROUNDS[background])
    assert dice(body_mask_from_ff(ff, phantom.affine), truth) > 0.99


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0])
def test_noisy_background(phantom: Phantom, scale: float) -> None:
    ff = fat_fraction(phantom.water, phantom.fat) * scale
    assert dice(body_mask_from_ff(ff, phantom.affine), phantom.limb > 0) > 0.94


def test_unclipped_noise_in_the_background(phantom: Phantom) -> None:
    rng = np.random.default_rng(0)
    truth = phantom.limb > 0
    w, f = rng.normal(0, 1, (2, *truth.shape))
    noise = np.clip(100 * f / (w + f), -1e4, 1e4)
    ff = np.where(truth, fat_fraction(phantom.water, phantom.fat), noise)
    assert dice(body_mask_from_ff(ff, phantom.affine), truth) > 0.94


def test_end_stage_muscle() -> None:
    phantom = make_phantom(Scene((Limb(-85, muscle_ff=90), Limb(85, muscle_ff=90)), sigma=15))
    ff = fat_fraction(phantom.water, phantom.fat)
    assert dice(body_mask_from_ff(ff, phantom.affine), phantom.limb > 0) > 0.94


@pytest.mark.parametrize(
    "ff",
    [
        np.zeros((40, 40, 3)),
        np.full((40, 40, 3), np.nan),
        np.random.default_rng(0).normal(0, 50, (40, 40, 3)),
    ],
)
def test_maps_without_a_body_are_refused(ff: np.ndarray) -> None:
    with pytest.raises(DataError, match="holds no smooth region with fat") as caught:
        body_mask_from_ff(ff, np.diag([1.6, 1.6, 8.0, 1.0]))
    assert "in-phase image" in caught.value.hint


# Against the mask from the magnitude images of the same real scan.
def test_real_map_with_noise_around_the_body(shared_data) -> None:  # type: ignore[no-untyped-def]
    import nibabel as nib

    from pipelines.water_fat.body import body_mask

    folder = shared_data / "ideal-thigh" / "sub-003" / "mr-quant"
    scans = [nib.load(folder / f"sub-003_{kind}.nii.gz") for kind in ("WATER", "FAT")]
    water, fat = (np.asarray(scan.dataobj[:, :, 5:8], np.float32) for scan in scans)
    truth = body_mask(water + fat, scans[0].affine)
    found = body_mask_from_ff(fat_fraction(water, fat), scans[0].affine)
    assert dice(found, truth) > 0.93
