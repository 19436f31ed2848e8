"""Drawn fat fractions and the patterns that realize them."""

import numpy as np
import pytest

from pipelines.segmentation.synthesis.disease import (
    HIGHEST_FAT_FRACTION,
    PATTERNS,
    draw_fat_fractions,
    draw_patterns,
    draw_replacement,
    fat_fraction_map,
    replace_muscles,
)
from pipelines.segmentation.synthesis.noise_bank import NoiseBank

SHAPE = (200, 200)


@pytest.fixture(scope="module")
def bank():
    return NoiseBank(3)


def test_fractions_are_within_bounds_and_sides_agree_mostly():
    draws = np.stack([draw_fat_fractions(np.random.default_rng(seed)) for seed in range(60)])
    assert draws.min() >= 0.005
    assert draws.max() == pytest.approx(HIGHEST_FAT_FRACTION)
    assert np.median(abs(draws[:, 0] - draws[:, 1])) < 0.08


def test_the_whole_range_of_severity_is_drawn():
    means = [draw_fat_fractions(np.random.default_rng(s))[:, 1:12].mean() for s in range(100)]
    assert min(means) < 0.1
    assert max(means) > 0.7


def test_replaced_muscles_are_mostly_fat_on_both_sides():
    lean = np.full((2, 256), 0.05, np.float32)
    fractions = replace_muscles(lean, np.random.default_rng(0))
    replaced = fractions[0] > 0.3
    assert 0.15 < replaced.mean() < 0.75
    np.testing.assert_array_equal(fractions[1] > 0.3, replaced)
    assert np.median(fractions[:, replaced]) == pytest.approx(0.775, abs=0.05)
    assert fractions.max() <= np.float32(HIGHEST_FAT_FRACTION)
    np.testing.assert_array_equal(fractions[:, ~replaced], lean[:, ~replaced])


@pytest.mark.parametrize("wanted", [0.03, 0.2, 0.5, 0.8, 0.94])
def test_pattern_has_the_drawn_mean(bank, wanted):
    rng = np.random.default_rng(5)
    replacement = draw_replacement(np.full((2, 256), wanted, np.float32), rng)
    uniform = (np.arange(40_000) + 0.5) / 40_000
    patterns = np.tile(uniform.astype(np.float32), (len(PATTERNS), 1))
    for tissue in range(1, 12):
        rows = np.full(40_000, tissue)
        assert fat_fraction_map(rows, replacement, patterns).mean() == pytest.approx(
            wanted, abs=2e-3
        )


def test_textures_keep_the_mean_on_a_large_muscle(bank):
    rng = np.random.default_rng(6)
    replacement = draw_replacement(np.full((2, 256), 0.4, np.float32), rng)
    rows = np.full(SHAPE[0] * SHAPE[1], 4)
    means = [
        fat_fraction_map(rows, replacement, draw_patterns(bank, SHAPE, rng)).mean()
        for _ in range(20)
    ]
    assert np.mean(means) == pytest.approx(0.4, abs=0.03)


def test_fractions_stay_between_spared_and_replaced(bank):
    rng = np.random.default_rng(7)
    replacement = draw_replacement(draw_fat_fractions(rng), rng)
    rows = rng.integers(0, 512, SHAPE[0] * SHAPE[1])
    fraction = fat_fraction_map(rows, replacement, draw_patterns(bank, SHAPE, rng))
    assert (fraction >= replacement.low[rows] - 1e-6).all()
    assert (fraction <= replacement.high[rows] + 1e-6).all()
    assert fraction.min() >= 0
    assert fraction.max() <= 1
