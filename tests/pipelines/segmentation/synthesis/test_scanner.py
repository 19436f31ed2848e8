"""Imperfections of the scanner against their analytic effect."""

import numpy as np
import pytest

from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.scanner import (
    ScannerRange,
    add_rician_noise,
    ghost,
    scan,
    shading,
    smear,
    swap,
)

SHAPE = (2, 128, 96)


@pytest.fixture(scope="module")
def bank():
    return NoiseBank(4)


def test_background_noise_is_rayleigh():
    noisy = add_rician_noise(np.zeros(SHAPE, np.float32), 0.05, np.random.default_rng(0))
    assert noisy.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.02)
    assert noisy.std() == pytest.approx(0.05 * np.sqrt(2 - np.pi / 2), rel=0.02)


def test_noise_on_strong_signal_has_the_asked_deviation():
    noisy = add_rician_noise(np.ones(SHAPE, np.float32), 0.05, np.random.default_rng(0))
    assert noisy.std() == pytest.approx(0.05, rel=0.02)
    assert noisy.mean() == pytest.approx(1 + 0.05**2 / 2, abs=1e-3)


def test_shading_has_the_asked_strength(bank):
    rng = np.random.default_rng(0)
    logarithms = np.stack([np.log(shading(bank, (256, 256), 0.3, rng)) for _ in range(40)])
    assert logarithms.std() == pytest.approx(0.3, rel=0.15)


def test_swap_exchanges_only_the_region():
    image = np.stack([np.full(SHAPE[1:], 0.9), np.full(SHAPE[1:], 0.1)]).astype(np.float32)
    region = np.zeros(SHAPE[1:], bool)
    region[:10] = True
    swapped = swap(image, region)
    np.testing.assert_allclose(swapped[:, 0, 0], (0.1, 0.9), rtol=1e-6)
    np.testing.assert_allclose(swapped[:, 20, 0], (0.9, 0.1), rtol=1e-6)


def test_ghosts_are_displaced_copies():
    image = np.zeros(SHAPE, np.float32)
    image[:, 64, 40] = 1
    ghosts = ghost(image, 30, axis=1)
    assert ghosts[0, 94, 40] == 1
    assert ghosts[0, 34, 40] == 1
    assert ghosts.sum() == 4


def test_smear_blurs_only_where_asked():
    rng = np.random.default_rng(0)
    image = rng.random(SHAPE).astype(np.float32)
    weight = np.zeros(SHAPE[1:], np.float32)
    weight[64:] = 1.0
    smeared = smear(image, weight, 3.0)
    np.testing.assert_array_equal(smeared[:, :60], image[:, :60])
    assert smeared[:, 80:].std() < 0.2 * image[:, 80:].std()


def test_perfect_scanner_changes_nothing(bank):
    perfect = ScannerRange((0.0, 0.0), (0.0, 0.0), 0.0, 0.0, 0.0, 0.0)
    pair = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    np.testing.assert_allclose(scan(pair, bank, np.random.default_rng(2), perfect), pair, rtol=1e-6)


def test_scan_repeats_with_its_seed(bank):
    pair = np.random.default_rng(1).random(SHAPE).astype(np.float32)
    first, again = (scan(pair, bank, np.random.default_rng(9), ScannerRange()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
