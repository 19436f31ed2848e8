import numpy as np
import pytest

from pipelines.water_fat.separation.to_real import percent, phase_offset, to_real


def noisy(share: float, noise: float, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    start = np.exp(2j * np.pi * rng.uniform(0, 1, 200_000))
    scatter = noise * rng.normal(size=(4, start.size))
    water = (1 - share) * start + scatter[0] + 1j * scatter[1]
    fat = share * np.exp(1j * offset) * start + scatter[2] + 1j * scatter[3]
    return water.astype(np.complex64), fat.astype(np.complex64)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_mean_fat_fraction_is_unbiased_where_magnitudes_are_not(share: float) -> None:
    water, fat = noisy(share, 0.05)
    real_water, real_fat, _ = to_real(water, fat)
    assert percent(real_water, real_fat).mean() == pytest.approx(100 * share, abs=0.1)
    if share == 0:
        magnitude = percent(np.abs(water), np.abs(fat))
        assert magnitude.mean() > 5


def test_a_common_phase_between_fat_and_water_is_found_and_does_not_cost_fat() -> None:
    water, fat = noisy(0.3, 0.02, offset=0.9)
    assert phase_offset(water, fat) == pytest.approx(0.9, abs=0.01)
    real_water, real_fat, offset = to_real(water, fat)
    assert offset == pytest.approx(0.9, abs=0.01)
    assert percent(real_water, real_fat).mean() == pytest.approx(30, abs=0.2)


def test_percent_is_not_clipped_and_unknown_without_signal() -> None:
    water = np.array([105.0, 0.0, -4.0, 0.0], np.float32)
    fat = np.array([-5.0, 0.0, 104.0, -1.0], np.float32)
    np.testing.assert_allclose(percent(water, fat), [-5, np.nan, 104, np.nan])
