"""Images a site has, from a water and fat pair."""

import numpy as np
import pytest

from pipelines.segmentation.normalization import MISSING_CHANNEL, normalize_dixon
from pipelines.segmentation.synthesis.contrast import SINGLE_CONTRASTS, make_contrast


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
