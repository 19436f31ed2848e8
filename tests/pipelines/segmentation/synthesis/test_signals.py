"""Ideal water and fat signals of known tissue."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.signals import (
    add_vessels,
    boundaries,
    draw_look,
    is_muscle,
    paint,
    shrink_muscle,
)
from pipelines.segmentation.synthesis.tissues import (
    BACKGROUND,
    CORTEX,
    FAT,
    FATTY_RIM,
    MARROW,
    SKIN,
    VESSEL,
)

SHAPE = (120, 80)


@pytest.fixture(scope="module")
def bank():
    return NoiseBank(8)


@pytest.fixture
def section():
    """Muscle 3 in the left half, fat in the right half, air around."""
    tissue = np.zeros(SHAPE, np.uint8)
    tissue[10:60, 10:70] = 3
    tissue[60:110, 10:70] = FAT
    return tissue


def uniform_look(fraction, fat_gain=1.5):
    """A look without texture, in which muscles have one fat fraction and fat is pure."""
    look = draw_look(np.random.default_rng(0))
    values = np.full(512, fraction, np.float32)
    values[[FAT, 256 + FAT]] = 1.0
    flat = replace(look.replacement, mean=values, low=values, high=values)
    brightness = np.ones(512, np.float32)
    brightness[[BACKGROUND, 256]] = 0
    return replace(look, replacement=flat, brightness=brightness, fat_gain=fat_gain, fascia=0.0)


@pytest.mark.parametrize("fraction", [0.0, 0.05, 0.37, 0.9])
def test_muscle_has_the_drawn_fat_fraction(bank, section, fraction):
    right = np.zeros(SHAPE, bool)
    water, fat = paint([section], right, uniform_look(fraction), bank, np.random.default_rng(1))
    muscle = section == 3
    np.testing.assert_allclose(fat[muscle] / (fat + water)[muscle], fraction, atol=1e-5)
    assert (water + fat)[section == 0].max() == 0


def test_fat_is_brighter_by_its_gain(bank, section):
    right = np.zeros(SHAPE, bool)
    pairs = [
        paint([section], right, uniform_look(0.0, gain), bank, np.random.default_rng(1))
        for gain in (1.0, 2.5)
    ]
    bright = section == FAT
    np.testing.assert_allclose(pairs[1][1][bright] / pairs[0][1][bright], 2.5, rtol=1e-5)
    np.testing.assert_allclose(pairs[1][0], pairs[0][0], rtol=1e-5)


def test_sides_have_their_own_disease(bank, section):
    look = uniform_look(0.1)
    look.replacement.low[256 + 3] = look.replacement.high[256 + 3] = 0.7
    right = np.zeros(SHAPE, bool)
    right[35:] = True
    water, fat = paint([section], right, look, bank, np.random.default_rng(1))
    fraction = fat / np.maximum(fat + water, 1e-6)
    np.testing.assert_allclose(fraction[20, 20:60], 0.1, atol=1e-5)
    np.testing.assert_allclose(fraction[50, 20:60], 0.7, atol=1e-5)


def test_thin_sections_average(bank, section):
    other = np.where(section == 3, FAT, section).astype(np.uint8)
    right = np.zeros(SHAPE, bool)
    look = uniform_look(0.0, fat_gain=1.0)
    water, fat = paint([section, other, other], right, look, bank, np.random.default_rng(1))
    muscle = section == 3
    fraction = fat[muscle] / (fat + water)[muscle]
    assert fraction.mean() == pytest.approx(2 / 3, abs=0.02)


def test_boundaries_only_where_a_muscle_meets_something(section):
    section[70:80, 30:40] = MARROW
    lines = boundaries(section)
    assert lines[59, 30] == 1
    assert lines[9, 30] == 1
    assert lines[30, 30] == 0
    assert lines[69, 35] == 0


def test_unlabelled_muscles_are_muscles():
    tissue = np.array([[BACKGROUND, 1, 11, CORTEX, FAT, SKIN, 20, 250]], np.uint8)
    np.testing.assert_array_equal(
        is_muscle(tissue)[0], [False, True, True, False, False, False, True, True]
    )


def test_vessels_replace_fat_only(section):
    depth = np.where(section == FAT, 5.0, -5.0).astype(np.float32)
    drawn = add_vessels([section, section], depth, np.random.default_rng(4))
    changed = drawn[0] != section
    assert changed.any()
    assert (section[changed] == FAT).all()
    assert (drawn[0][changed] == VESSEL).all()
    np.testing.assert_array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("filling", [FAT, FATTY_RIM])
def test_shrunk_muscle_gives_its_room_to_fat(section, filling):
    before = section.copy()
    shrunk = shrink_muscle(section, 3, 2.0, filling)
    left = shrunk == 3
    assert left.sum() == (50 - 4) * (60 - 4)
    assert (shrunk[(before == 3) & ~left] == filling).all()
    np.testing.assert_array_equal(section, before)


def test_shrinking_an_absent_muscle_changes_nothing(section):
    np.testing.assert_array_equal(shrink_muscle(section, 7, 2.0, FAT), section)


def test_fascia_encloses_the_fat_of_a_wasted_muscle(section):
    rimmed = shrink_muscle(section, 3, 2.0, FATTY_RIM)
    lines = boundaries(rimmed)
    np.testing.assert_array_equal(lines[58:60, 20:60].any(axis=0), True)
    assert boundaries(shrink_muscle(section, 3, 2.0, FAT))[58:60, 20:60].sum() == 0


def test_drawn_looks_keep_bone_dark_and_fat_fatty():
    for seed in range(20):
        look = draw_look(np.random.default_rng(seed))
        assert look.brightness[[CORTEX, 256 + CORTEX]].max() <= 0.15
        assert look.replacement.mean[FAT] >= 0.78
        assert look.replacement.mean[FATTY_RIM] >= 0.65
        assert look.replacement.mean[MARROW] >= 0.4
