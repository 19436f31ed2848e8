import numpy as np
import pytest
from scipy import stats

from pipelines.water_fat.body import body_mask
from pipelines.water_fat.noise import (
    RAYLEIGH_QUARTILE_RATIO,
    background_belt,
    estimate_noise,
    ff_noise_floor,
    rayleigh_sigma,
    rician_mean,
)
from tests.pipelines.water_fat.limb_phantom import Scene, make_phantom


def magnitude(true: float, sigma: float, n: int, rng: np.random.Generator) -> np.ndarray:
    return np.hypot(true + sigma * rng.standard_normal(n), sigma * rng.standard_normal(n))


# Mean of |F| / (|W| + |F|) in percent for tissue without fat, as a simulation of three-echo scans
# with a full separation gave it; there the noise of the fat image is signal / SNR.
@pytest.mark.parametrize(("snr", "separated"), [(10, 11.1), (20, 5.9), (30, 4.0), (50, 2.5)])
def test_floor_agrees_with_simulation_and_separated_echoes(snr: float, separated: float) -> None:
    rng = np.random.default_rng(0)
    water, fat = magnitude(snr, 1.0, 400_000, rng), magnitude(0.0, 1.0, 400_000, rng)
    simulated = (100 * fat / (water + fat)).mean()
    floor = float(ff_noise_floor(snr, 1.0))
    assert floor == pytest.approx(simulated, abs=0.25)
    assert floor == pytest.approx(separated, abs=0.06)


def test_floor_of_each_voxel_falls_with_its_signal() -> None:
    floors = ff_noise_floor(np.array([0.0, 10.0, 100.0, 1000.0]), 1.0)
    np.testing.assert_allclose(floors, [50.0, 11.09, 1.238, 0.1252], rtol=1e-3)


def test_noisier_water_hardly_moves_the_floor() -> None:
    assert float(ff_noise_floor(20.0, 1.0, 2.0)) == pytest.approx(5.86, abs=0.02)


def test_rician_mean_agrees_with_an_independent_implementation() -> None:
    for signal in (0.0, 0.5, 2.0, 10.0):
        expected = stats.rice(signal / 3.0, scale=3.0).mean()
        assert float(rician_mean(signal, 3.0)) == pytest.approx(expected, rel=1e-6)
    assert float(rician_mean(1e6, 1.0)) == pytest.approx(1e6)


def test_quartile_ratio_is_that_of_the_rayleigh_distribution() -> None:
    low, high = stats.rayleigh.ppf([0.25, 0.75])
    assert pytest.approx(high / low) == RAYLEIGH_QUARTILE_RATIO


@pytest.mark.parametrize("sigma", [0.8, 5.0, 20.0])
def test_noise_of_a_phantom_is_recovered(sigma: float) -> None:
    phantom = make_phantom(Scene(sigma=sigma))
    noise = estimate_noise(phantom.water, phantom.fat, phantom.limb > 0, phantom.affine)
    assert noise.sigma_water == pytest.approx(sigma, rel=0.04)
    assert noise.sigma_fat == pytest.approx(sigma, rel=0.04)
    assert noise.signal == pytest.approx(400, rel=0.05)
    assert noise.snr == pytest.approx(400 / sigma, rel=0.07)
    assert noise.ff_floor == pytest.approx(float(ff_noise_floor(400, sigma)), rel=0.07)
    assert noise.reason == ""


def test_rounding_to_integers_does_not_spoil_the_estimate() -> None:
    phantom = make_phantom(Scene(sigma=1.0))
    belt = background_belt(phantom.limb > 0, phantom.affine)
    sigma, _ = rayleigh_sigma(np.round(phantom.fat).astype(np.int16), belt)
    assert sigma == pytest.approx(1.0, rel=0.08)


def test_ghosts_in_a_part_of_the_background_hardly_matter() -> None:
    phantom = make_phantom(Scene(sigma=10.0))
    body = phantom.limb > 0
    ghosted = phantom.fat.copy()
    ghosted[60:75][~body[60:75]] += 60.0
    ghosted[165:180][~body[165:180]] += 60.0
    sigma, _ = rayleigh_sigma(ghosted, background_belt(body, phantom.affine))
    assert sigma == pytest.approx(10.0, rel=0.15)


def test_attenuated_far_background_does_not_matter() -> None:
    phantom = make_phantom(Scene(sigma=10.0))
    body = phantom.limb > 0
    image = phantom.fat.copy()
    image[:, :8] *= 0.1
    image[:, -8:] = 0
    sigma, _ = rayleigh_sigma(image, background_belt(body, phantom.affine))
    assert sigma == pytest.approx(10.0, rel=0.05)


def test_zeroed_background_gives_no_value() -> None:
    phantom = make_phantom(Scene(sigma=15.0, zero_background=True))
    noise = estimate_noise(phantom.water, phantom.fat, phantom.limb > 0, phantom.affine)
    assert noise.sigma_fat is None
    assert noise.ff_floor is None
    assert noise.snr is None
    assert noise.reason == "the background was set to zero"


def test_mostly_zeroed_background_gives_no_value() -> None:
    phantom = make_phantom(Scene(sigma=15.0))
    body = phantom.limb > 0
    image = np.where(np.random.default_rng(0).random(body.shape) < 0.8, 0, phantom.fat)
    sigma, reason = rayleigh_sigma(image, background_belt(body, phantom.affine))
    assert sigma is None
    assert reason == "most of the background was set to zero"


def test_signed_background_gives_no_value() -> None:
    body = make_phantom(Scene()).limb > 0
    image = np.random.default_rng(0).normal(0, 5, body.shape)
    sigma, reason = rayleigh_sigma(image, background_belt(body, np.diag([1.6, 1.6, 10, 1])))
    assert sigma is None
    assert "negative values" in reason


def test_background_that_is_no_noise_gives_no_value() -> None:
    body = make_phantom(Scene()).limb > 0
    image = 10 + np.random.default_rng(0).normal(0, 0.5, body.shape)
    sigma, reason = rayleigh_sigma(image, background_belt(body, np.diag([1.6, 1.6, 10, 1])))
    assert sigma is None
    assert reason == "the background is not noise: it is filtered or full of artefacts"


def test_image_without_air_gives_no_value() -> None:
    body = np.ones((40, 40, 3), bool)
    image = np.full(body.shape, 100.0, np.float32)
    noise = estimate_noise(image, image, body, np.diag([2.0, 2.0, 8.0, 1.0]))
    assert noise.ff_floor is None
    assert noise.reason == "the image shows too little air around the body"


def test_signal_of_end_stage_muscle_is_that_of_the_body() -> None:
    water, fat = np.full((60, 60, 3), 5.0), np.full((60, 60, 3), 95.0)
    body = np.zeros((60, 60, 3), bool)
    body[20:40, 20:40] = True
    assert estimate_noise(water, fat, body, np.eye(4)).signal == pytest.approx(100.0)


# Measured in the belt by this method and inside subcutaneous fat by local differences.
def test_noise_of_real_scans(shared_data) -> None:  # type: ignore[no-untyped-def]
    import nibabel as nib

    for name, low, high in (("siemensthigh", 1.6, 2.6), ("gethigh", 9.0, 13.0)):
        folder = shared_data / "three-echo" / f"sub-{name}" / "mr-anat"
        scan = nib.load(folder / f"sub-{name}_MEGRE.nii.gz")
        image = np.asarray(scan.dataobj[..., 1], np.float32)
        sigma, reason = rayleigh_sigma(
            image, background_belt(body_mask(image, scan.affine), scan.affine)
        )
        assert sigma is not None, reason
        assert low < sigma < high
