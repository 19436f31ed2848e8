"""Muscles that swell beside neighbours that waste."""

import numpy as np
import pytest

from pipelines.segmentation.synthesis.deformation import nearest_indices
from pipelines.segmentation.synthesis.selective_growth import (
    NEIGHBOURS,
    REPLACED_FAT,
    SPARED_FAT,
    Growth,
    draw_growth,
    follow_growth,
    grow,
)
from pipelines.segmentation.synthesis.tissues import MUSCLES

SHAPE = (120, 80)
RIGHT = np.arange(SHAPE[0])[:, None] >= np.full(SHAPE[1], 60)


@pytest.fixture
def section():
    """Two disks of muscles 1 and 2 on each side; their radius is 10 pixels."""
    x, y = np.ogrid[: SHAPE[0], : SHAPE[1]]
    tissue = np.zeros(SHAPE, np.uint8)
    for center in (30, 90):
        for value, row in ((1, 25), (2, 52)):
            tissue[(x - center) ** 2 + (y - row) ** 2 <= 100] = value
    return tissue


def grown(section, growth):
    still = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in SHAPE), indexing="ij"))
    positions = grow(still, section, RIGHT, growth)
    return section.ravel()[nearest_indices(positions, SHAPE)].reshape(SHAPE)


@pytest.mark.parametrize(("gain", "low", "high"), [(-0.6, 1.5, 2.2), (1.4, 0.1, 0.4)])
def test_only_the_chosen_muscle_and_side_change_much(section, gain, low, high):
    after = grown(section, [Growth(1, True, gain, 1.0)])

    def ratio(value, side):
        return ((after == value) & side).sum() / ((section == value) & side).sum()

    assert low < ratio(1, RIGHT) < high
    assert ratio(1, ~RIGHT) == 1
    assert ratio(2, ~RIGHT) == 1
    assert 0.7 < ratio(2, RIGHT) < 1.3


def test_muscles_that_are_not_shown_change_nothing(section):
    np.testing.assert_array_equal(grown(section, [Growth(7, False, -0.5, 1.0)]), section)


def test_positions_handed_in_stay_as_they_are(section):
    positions = np.zeros((2, *SHAPE), np.float32)
    grow(positions, section, RIGHT, [Growth(1, True, -0.5, 1.0)])
    assert not positions.any()


def test_drawn_pairs_are_neighbours_one_of_which_swells():
    for seed in range(50):
        growth = draw_growth(np.random.default_rng(seed))
        swollen = {change.muscle for change in growth if change.gain < 0}
        wasted = {change.muscle for change in growth if change.gain > 0}
        assert len(swollen | wasted) <= 6
        for muscle in swollen | wasted:
            assert any(muscle in pair for pair in NEIGHBOURS)
    drawn = {c.muscle for s in range(50) for c in draw_growth(np.random.default_rng(s))}
    assert drawn == set(MUSCLES)


def test_fat_follows_size_in_more_than_half_of_the_draws():
    fractions = np.full((2, 256), 0.3, np.float32)
    growth = [Growth(1, True, -0.4, 1.0), Growth(2, False, 1.0, 1.0)]
    draws = [follow_growth(fractions, growth, np.random.default_rng(s)) for s in range(200)]
    for place, (low, high) in (((1, 1), SPARED_FAT), ((0, 2), REPLACED_FAT)):
        values = np.array([draw[place] for draw in draws])
        changed = values != fractions[place]
        assert 0.5 < changed.mean() < 0.7
        assert ((values[changed] >= low) & (values[changed] <= high)).all()
    untouched = np.ones((2, 256), np.bool_)
    untouched[1, 1] = untouched[0, 2] = False
    assert (np.array(draws)[:, untouched] == fractions[0, 0]).all()
