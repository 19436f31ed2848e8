import numpy as np
import pytest

from bids_example.code.cross_section import Tissue
from bids_example.code.dixon_signal import (
    APPEARANCES,
    FAT_SIGNAL,
    MUSCLE_SIGNAL,
    coil_shading,
    magnitude_with_noise,
    muscle_total,
)


def test_every_tissue_but_muscle_has_an_appearance():
    assert set(APPEARANCES) == set(Tissue) - {Tissue.MUSCLE, Tissue.NEIGHBOUR_MUSCLE}


def test_muscle_mixes_protons_of_water_and_fat():
    share = np.array([0.0, 0.25, 0.5, 1.0])
    water, fat = (1 - share) * MUSCLE_SIGNAL, share * FAT_SIGNAL
    total = muscle_total(100 * fat / (water + fat))
    np.testing.assert_allclose(total, water + fat)


def test_noise_is_rician():
    rng = np.random.default_rng(0)
    background = magnitude_with_noise(np.zeros(200_000), 8.0, rng)
    assert background.mean() == pytest.approx(8.0 * np.sqrt(np.pi / 2), rel=0.01)
    assert background.std() == pytest.approx(8.0 * np.sqrt(2 - np.pi / 2), rel=0.01)
    signal = magnitude_with_noise(np.full(200_000, 80.0), 8.0, rng)
    # The lift of a magnitude is sigma^2 / (2 S) for S well above sigma.
    assert signal.mean() == pytest.approx(80 + 64 / 160, abs=0.06)
    assert signal.std() == pytest.approx(8.0, rel=0.02)


def test_no_noise_leaves_the_signal_alone():
    signal = np.array([0.0, 3.0, 1000.0])
    found = magnitude_with_noise(signal, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(found, signal)


def test_shading_is_smooth_and_stays_near_one():
    shading = coil_shading((40, 30, 10), np.random.default_rng(3))
    assert 0.55 < shading.min() < shading.max() < 1.35
    assert np.abs(np.diff(shading, axis=0)).max() < 0.01
