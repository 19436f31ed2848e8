"""Random textures."""

import numpy as np
import pytest

from pipelines.segmentation.synthesis.noise_bank import TEXTURES, NoiseBank


@pytest.fixture(scope="module")
def bank():
    return NoiseBank(1)


def correlation(texture, axis):
    neighbours = np.roll(texture, -3, axis)
    return np.corrcoef(texture[:-3, :-3].ravel(), neighbours[:-3, :-3].ravel())[0, 1]


def test_same_seed_gives_the_same_window(bank):
    first = bank.draw("patch", (50, 40), np.random.default_rng(2))
    again = NoiseBank(1).draw("patch", (50, 40), np.random.default_rng(2))
    assert first.shape == (50, 40)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", [name for name in TEXTURES if name not in ("warp",)])
def test_textures_are_standard_normal(bank, name):
    texture = bank.draw(name, (600, 600), np.random.default_rng(0))
    assert texture.mean() == pytest.approx(0, abs=0.15)
    assert texture.std() == pytest.approx(1, abs=0.1)


def test_uniform_textures_fill_zero_to_one(bank):
    texture = bank.draw_uniform("fine", (400, 400), np.random.default_rng(0))
    counts, _ = np.histogram(texture, bins=10, range=(0, 1))
    np.testing.assert_allclose(counts / texture.size, 0.1, atol=0.01)


def test_streaks_have_a_direction(bank):
    texture = bank.draw("streak_x", (500, 500), np.random.default_rng(0))
    assert correlation(texture, 0) > correlation(texture, 1) + 0.2
