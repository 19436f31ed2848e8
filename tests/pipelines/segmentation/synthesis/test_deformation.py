"""Where pixels of a new section come from."""

import numpy as np
import pytest

from pipelines.segmentation.synthesis.deformation import (
    PoseRange,
    add_swelling,
    draw_source_positions,
    nearest_indices,
)
from pipelines.segmentation.synthesis.noise_bank import NoiseBank

STILL = PoseRange((1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0)


@pytest.fixture(scope="module")
def bank():
    return NoiseBank(2)


def positions(bank, pose, seed=0):
    """Draw a section of 100 x 60 pixels from a source of 120 x 80."""
    rng = np.random.default_rng(seed)
    return draw_source_positions((100, 60), (120, 80), 59.5, bank, rng, pose=pose)


def test_no_pose_is_a_centred_copy(bank):
    # Each leg's size varies by 3 %, which no range turns off; along the middle row it is small.
    x, y = positions(bank, STILL)
    np.testing.assert_allclose(x[:, 30], np.arange(100) + 10, atol=6)
    np.testing.assert_allclose(y[50], np.arange(60) + 10, atol=4)


def test_size_scales_the_section(bank):
    x, _ = positions(bank, PoseRange((2.0, 2.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0))
    assert np.diff(x[5:30, 30]).mean() == pytest.approx(0.5, rel=0.1)


def test_pose_repeats_with_its_seed(bank):
    np.testing.assert_array_equal(
        positions(bank, PoseRange(), seed=3), positions(bank, PoseRange(), seed=3)
    )


def test_nearest_indices_clip_to_the_source():
    where = np.array([[[-5.0, 1.4]], [[0.0, 99.0]]], np.float32)
    np.testing.assert_array_equal(nearest_indices(where, (4, 10)), [0, 19])


@pytest.mark.parametrize("gain", [-0.45, 0.5, 2.0])
def test_swelling_changes_the_size_at_its_centre_and_nothing_far_away(gain):
    still = np.stack(np.meshgrid(np.arange(100.0), np.arange(80.0), indexing="ij"))
    swollen = still.astype(np.float32)
    add_swelling(swollen, np.array([50.0, 40.0]), 10.0, gain)
    np.testing.assert_allclose(swollen[:, 50, 40], (50, 40), atol=1e-4)
    size = (swollen[0, 51, 40] - swollen[0, 49, 40]) / 2
    assert size == pytest.approx(1 + gain, rel=0.02)
    np.testing.assert_array_equal(swollen[:, :15], still[:, :15])
    assert (np.diff(swollen[0], axis=0) > 0).all()
    assert (np.diff(swollen[1], axis=1) > 0).all()


def test_swelling_follows_turned_axes():
    x, y = np.meshgrid(np.arange(60.0), np.arange(60.0), indexing="ij")
    turned = np.stack([-y, x]).astype(np.float32)
    add_swelling(turned, np.array([30.0, 30.0]), 8.0, 0.5)
    np.testing.assert_allclose(turned[:, 31, 30] - turned[:, 30, 30], (0, 1.5), atol=0.02)


def test_swelling_at_the_edge_stays_inside():
    still = np.stack(np.meshgrid(np.arange(30.0), np.arange(30.0), indexing="ij"))
    positions = still.astype(np.float32)
    add_swelling(positions, np.array([0.2, 29.9]), 6.0, -0.4)
    assert np.isfinite(positions).all()
