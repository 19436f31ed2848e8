"""Complete samples from a thigh of known geometry."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from pipelines.segmentation.channels import MISSING_CHANNEL, normalize_dixon
from pipelines.segmentation.synthesis.deformation import PoseRange
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.sampler import (
    RECTUS_FEMORIS,
    SINGLE_CONTRASTS,
    TRAINING_RANGES,
    Sampler,
    SamplerRange,
    majority,
    make_contrast,
)
from pipelines.segmentation.synthesis.scanner import ScannerRange
from pipelines.segmentation.synthesis.selective_growth import Growth
from pipelines.segmentation.synthesis.tissues import CLASS_NAMES, MUSCLES

CALM = SamplerRange(
    shape=(288, 176),
    single_leg=0.0,
    cut_field=0.0,
    missing_channel=0.0,
    atrophy=0.0,
    growth=0.0,
    appendage=0.0,
    pose=PoseRange((1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0),
    scanner=ScannerRange((0.0, 0.01), (0.0, 0.3), 0.1, 0.0, 0.0, 0.0),
)


@pytest.fixture(scope="module")
def bank():
    return NoiseBank(6)


def sampler(thigh, bank, seed=0, **changes):
    return Sampler([thigh], bank, seed, replace(CALM, **changes))


def test_same_seed_same_samples(simple_thigh, bank):
    first, again = (Sampler([simple_thigh], bank, 5).draw() for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.classes, again.classes)


def test_seeds_differ(simple_thigh, bank):
    first, second = (Sampler([simple_thigh], bank, seed).draw() for seed in (1, 2))
    assert (first.classes != second.classes).any()


def test_sample_has_all_classes_and_finite_channels(simple_thigh, bank):
    sample = sampler(simple_thigh, bank).draw()
    assert sample.image.shape == (2, 288, 176)
    assert sample.image.dtype == np.float32
    assert np.isfinite(sample.image).all()
    assert set(np.unique(sample.classes)) >= {0, *MUSCLES, 12, 14}
    assert sample.classes.max() < len(CLASS_NAMES)


def test_muscles_keep_their_area(simple_thigh, bank):
    sample = sampler(simple_thigh, bank).draw()
    expected = (simple_thigh.tissue[:, :, 0] == 4).sum()
    # Each leg's size varies by 3 %.
    assert (sample.classes == 4).sum() == pytest.approx(expected, rel=0.2)


def test_flip_mirrors_image_and_classes_together(simple_thigh, bank):
    drawer = sampler(simple_thigh, bank)
    scene = drawer.draw_scene(simple_thigh)
    samples = []
    for flipped in (False, True):
        drawer = sampler(simple_thigh, bank, seed=11)
        samples.append(drawer.draw_slice(replace(scene, flipped=flipped), 4))
    np.testing.assert_array_equal(samples[1].image, samples[0].image[:, ::-1])
    np.testing.assert_array_equal(samples[1].classes, samples[0].classes[::-1])


def test_one_leg_field_of_view_shows_one_leg(simple_thigh, bank):
    sample = sampler(simple_thigh, bank, single_leg=1.0).draw()
    halves = [(half > 0).sum() for half in np.array_split(sample.classes, 2)]
    assert min(halves) < 0.05 * max(halves)


def test_cut_field_of_view_is_empty_outside(simple_thigh, bank):
    samples = [sampler(simple_thigh, bank, seed, cut_field=1.0).draw() for seed in range(6)]
    cut = [(s.classes > 0).any(axis=1).sum() for s in samples]
    assert min(cut) < 200


def test_missing_channel_is_marked(simple_thigh, bank):
    for seed in range(4):
        image = sampler(simple_thigh, bank, seed, missing_channel=1.0).draw().image
        assert (image == MISSING_CHANNEL).all(axis=(1, 2)).sum() == 1


def test_atrophy_makes_muscles_smaller(simple_thigh, bank):
    drawer = sampler(simple_thigh, bank)
    scene = drawer.draw_scene(simple_thigh)
    full = drawer.draw_slice(scene, 4).classes
    thin = drawer.draw_slice(replace(scene, atrophy={4: 3.0}, rim_inside=False), 4).classes
    assert (thin == 4).sum() < 0.85 * (full == 4).sum()
    assert (thin == 7).sum() == (full == 7).sum()


def test_fat_inside_the_fascia_belongs_to_the_muscle(simple_thigh, bank):
    drawer = sampler(simple_thigh, bank)
    scene = replace(drawer.draw_scene(simple_thigh), contrast="dixon")
    full, rimmed = (
        drawer.draw_slice(replace(scene, atrophy=atrophy, rim_inside=True), 4)
        for atrophy in ({}, {4: 3.0})
    )
    np.testing.assert_array_equal(rimmed.classes, full.classes)
    inside = full.classes == 4
    edge = inside & (ndimage.distance_transform_edt(inside) <= 2.5)
    water, fat = rimmed.image
    assert np.median((fat / (water + fat))[edge]) > 0.6


def test_wasted_rectus_femoris_keeps_the_outline_of_its_fascia(simple_thigh, bank):
    drawer = sampler(simple_thigh, bank)
    scene = replace(drawer.draw_scene(simple_thigh), contrast="dixon", rim_inside=False)
    full, hollow = (drawer.draw_slice(replace(scene, hollow=pixels), 4) for pixels in (0.0, 5.0))
    np.testing.assert_array_equal(hollow.classes, full.classes)
    inside = full.classes == RECTUS_FEMORIS
    edge = inside & (ndimage.distance_transform_edt(inside) <= 4)
    water, fat = hollow.image
    assert np.median((fat / (water + fat))[edge]) > 0.6


def test_what_only_a_training_draws_is_off_by_default(simple_thigh, bank):
    default = Sampler([simple_thigh], bank, 3).draw_scene(simple_thigh)
    assert default.hollow == 0
    assert default.wrapping.pads == ()
    ranges = replace(SamplerRange(), hollow=1.0, pads=1.0)
    scene = Sampler([simple_thigh], bank, 3, ranges).draw_scene(simple_thigh)
    assert scene.hollow > 0
    assert len(scene.wrapping.pads) == 2
    assert TRAINING_RANGES.hollow > 0
    assert TRAINING_RANGES.pads > 0
    assert TRAINING_RANGES.replaced > 0


def test_growth_changes_the_size_of_one_muscle(simple_thigh, bank):
    drawer = sampler(simple_thigh, bank)
    scene = drawer.draw_scene(simple_thigh)
    growth = [Growth(4, right, -0.5, 1.0) for right in (False, True)]
    before, after = (
        drawer.draw_slice(replace(scene, growth=changes), 4).classes for changes in ([], growth)
    )
    assert (after == 4).sum() > 1.3 * (before == 4).sum()


def test_slices_of_a_scene_share_their_pose(simple_thigh, bank):
    drawer = sampler(simple_thigh, bank)
    scene = drawer.draw_scene(simple_thigh)
    classes = [drawer.draw_slice(scene, z).classes for z in (3, 5)]
    agreement = (classes[0] == classes[1]).mean()
    assert agreement > 0.97


def test_majority_takes_the_most_frequent_and_the_middle_on_a_tie():
    sections = [np.array([[a, b]], np.uint8) for a, b in ((1, 4), (2, 5), (1, 6))]
    np.testing.assert_array_equal(majority(sections), [[1, 5]])


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.uniform(0.1, 1.0, (2, 30, 20)).astype(np.float32)


def test_dixon_keeps_both(pair):
    expected = normalize_dixon(pair[0][..., None], pair[1][..., None])[..., 0]
    np.testing.assert_array_equal(make_contrast(pair, "dixon"), expected)


@pytest.mark.parametrize(
    ("contrast", "image"),
    [
        ("water", lambda w, f: w),
        ("in_phase", lambda w, f: w + f),
        ("opposed_phase", lambda w, f: abs(w - f)),
        ("t1", lambda w, f: w + 3 * f),
    ],
)
def test_single_image_takes_the_first_channel(pair, contrast, image):
    expected = normalize_dixon(image(*pair)[..., None], None)[..., 0]
    made = make_contrast(pair, contrast, fat_weight=3)
    np.testing.assert_allclose(made, expected, rtol=1e-6)
    assert (made[1] == MISSING_CHANNEL).all()


def test_fat_alone_takes_the_second_channel(pair):
    made = make_contrast(pair, "fat")
    assert (made[0] == MISSING_CHANNEL).all()
    assert made[1].max() > 0.5


def test_every_single_contrast_has_one_channel_missing(pair):
    for contrast in SINGLE_CONTRASTS:
        missing = (make_contrast(pair, contrast) == MISSING_CHANNEL).all(axis=(1, 2))
        assert missing.sum() == 1
