"""Samples from labelled slices of real scans."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.segmentation.channels import MISSING_CHANNEL
from pipelines.segmentation.synthesis import real_sampler
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE
from pipelines.segmentation.synthesis.deformation import PoseRange
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.real_sampler import RealSampler, RealSlice, replace_by_fat
from pipelines.segmentation.synthesis.sampler import SamplerRange
from pipelines.segmentation.synthesis.scanner import ScannerRange

CALM = SamplerRange(
    shape=CANVAS_SHAPE,
    single_leg=0.0,
    cut_field=0.0,
    missing_channel=0.0,
    atrophy=0.0,
    growth=0.0,
    pose=PoseRange((1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0),
)
LEAN = 0.1


@pytest.fixture(scope="module")
def bank():
    return NoiseBank(6)


@pytest.fixture(scope="module")
def case():
    """Two round legs of one lean muscle each, number 4, in fat; nothing in the second slice."""
    x, y = np.ogrid[: CANVAS_SHAPE[0], : CANVAS_SHAPE[1]]
    radius = np.minimum(np.hypot(x - 96, y - 120), np.hypot(x - 287, y - 120))
    classes = np.where(radius < 40, 4, np.where(radius < 60, 14, 0)).astype(np.uint8)
    fat = np.select([classes == 4, classes == 14], [LEAN, 0.9]).astype(np.float32)
    water = ((classes > 0) - fat).astype(np.float32)
    middle = (CANVAS_SHAPE[0] - 1) / 2
    return [RealSlice(np.stack([water, fat]), classes, middle)]


@pytest.fixture
def quiet(monkeypatch):
    """A scanner that leaves the image as it is, and no change of fat."""
    monkeypatch.setattr(
        real_sampler, "REAL_SCANNER", ScannerRange((0.0, 0.0), (0.0, 0.0), 0.0, 0.0, 0.0, 0.0)
    )
    monkeypatch.setattr(real_sampler, "CHANGE_CHANCE", 0.0)
    monkeypatch.setattr(real_sampler, "FAT_BRIGHTNESS_SPREAD", 0.0)


def fat_fraction(sample):
    water, fat = sample.image
    return fat / np.maximum(water + fat, 1e-6)


def test_same_seed_same_samples(case, bank):
    first, again = (RealSampler([case], bank, 5).draw() for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.classes, again.classes)
    other = RealSampler([case], bank, 6).draw()
    assert (first.classes != other.classes).any()


def test_an_unchanged_sample_shows_the_slice(case, bank, quiet):
    sample = RealSampler([case], bank, 1, CALM).draw()
    assert sample.image.shape == (2, *CANVAS_SHAPE)
    assert set(np.unique(sample.classes)) == {0, 4, 14}
    assert np.median(fat_fraction(sample)[sample.classes == 4]) == pytest.approx(LEAN, abs=0.01)
    # Each leg's size varies by 3 %.
    assert (sample.classes == 4).sum() == pytest.approx((case[0].classes == 4).sum(), rel=0.2)


def test_painted_fat_lies_in_the_muscles_and_spares_the_rest(case, bank, quiet, monkeypatch):
    sampler = RealSampler([case], bank, 3, CALM)
    plain = [sampler.draw() for _ in range(12)]
    monkeypatch.setattr(real_sampler, "CHANGE_CHANCE", 1.0)
    monkeypatch.setattr(real_sampler, "CHANGED_SHARE", (1.0, 1.0))
    monkeypatch.setattr(real_sampler, "LEANER_CHANCE", 0.0)
    sampler = RealSampler([case], bank, 3, CALM)
    painted = [sampler.draw() for _ in range(12)]
    means = [fat_fraction(sample)[sample.classes == 4].mean() for sample in painted]
    assert max(means) > 0.5
    assert min(means) > 0.95 * LEAN
    for sample in painted:
        assert np.median(fat_fraction(sample)[sample.classes == 14]) == pytest.approx(0.9, abs=0.02)
    assert max(fat_fraction(sample)[sample.classes == 4].mean() for sample in plain) < 0.15


def test_a_wasted_muscle_keeps_its_outline(case, bank, quiet, monkeypatch):
    monkeypatch.setattr(real_sampler, "CHANGE_CHANCE", 1.0)
    monkeypatch.setattr(real_sampler, "CHANGED_SHARE", (0.0, 0.0))
    monkeypatch.setattr(real_sampler, "ATROPHY_PIXELS", (6.0, 6.0))
    monkeypatch.setattr(real_sampler, "MUSCLES", (4, 5, 6, 7))
    sampler = RealSampler([case], bank, 2, replace(CALM, atrophy=1.0))
    shares = []
    for sample in [sampler.draw() for _ in range(12)]:
        muscle = sample.classes == 4
        assert muscle.sum() == pytest.approx((case[0].classes == 4).sum(), rel=0.2)
        fraction = fat_fraction(sample)[muscle]
        assert np.median(fraction) < 0.2
        shares.append((fraction > 0.6).mean())
    # The rim of 6 pixels is some 28 % of the area of a leg of 40 pixels' radius, where it wastes.
    assert max(shares) == pytest.approx(0.28, abs=0.1)
    assert min(shares) < 0.02


def test_other_fields_of_view_and_single_images_are_drawn(case, bank):
    one_leg = RealSampler([case], bank, 1, replace(CALM, single_leg=1.0)).draw().classes
    assert (one_leg > 0).sum() < 0.6 * (case[0].classes > 0).sum()
    ranges = replace(CALM, missing_channel=1.0)
    image = RealSampler([case], bank, 1, ranges).draw().image
    assert (image == MISSING_CHANNEL).all(axis=(1, 2)).sum() == 1


def test_water_gives_way_to_fat():
    pair = np.array([[[0.8]], [[0.4]]], np.float32)
    wanted, none = np.full((1, 1), 0.6, np.float32), np.zeros((1, 1), np.float32)
    # With a gain of 2 the fat fraction of the tissue is 0.2; it rises to 0.6.
    np.testing.assert_allclose(replace_by_fat(pair, wanted, none, 2.0)[:, 0, 0], [0.4, 1.2], 1e-6)
    # Where there is more fat than wanted nothing happens.
    np.testing.assert_allclose(replace_by_fat(pair, none + 0.1, none, 2.0), pair, 1e-6)


def test_fat_gives_way_to_water():
    pair = np.array([[[0.8]], [[0.4]]], np.float32)
    half, none = np.full((1, 1), 0.5, np.float32), np.zeros((1, 1), np.float32)
    np.testing.assert_allclose(replace_by_fat(pair, none, half, 2.0)[:, 0, 0], [0.9, 0.2], 1e-6)
    assert np.isfinite(replace_by_fat(0 * pair, half, half, 2.0)).all()
