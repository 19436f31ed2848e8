"""A scan's images find their way into a model's channels, or a clear refusal."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.errors import DataError, ModelError
from pipelines.segmentation.channels import (
    CEILING,
    MISSING_CHANNEL,
    normalize_dixon,
    stack_channels,
)


def model(channels, *, missing=False, normalization="nnunet"):
    return SimpleNamespace(
        name="m", channels=channels, missing_channels=missing, normalization=normalization
    )


WATER_FAT = (("water", "in_phase", "t1"), ("fat",))


def image(value, shape=(4, 3, 2)):
    return np.full(shape, value, np.int16)


def test_channels_come_in_the_order_of_the_model():
    stack = stack_channels({"water": image(1), "fat": image(2)}, model((("fat",), ("water",))))
    assert stack.kinds == ("fat", "water")
    assert stack.data.dtype == np.float32
    assert stack.data[:, 0, 0, 0].tolist() == [2.0, 1.0]


def test_best_kind_wins():
    stack = stack_channels({"t1": image(1), "in_phase": image(2)}, model((("in_phase", "t1"),)))
    assert stack.kinds == ("in_phase",)
    assert stack.data.max() == 2.0


def test_no_image_is_used_twice():
    with pytest.raises(ModelError, match=r"needs 2 channels \(t1, t1 or fat\); the scan has t1"):
        stack_channels({"t1": image(1)}, model((("t1",), ("t1", "fat"))))


def test_wrong_number_of_channels_names_both():
    with pytest.raises(ModelError) as caught:
        stack_channels({"fat": image(1), "in_phase": image(1)}, model((("water",),)))
    assert caught.value.message == ("Model m needs 1 channel (water); the scan has fat, in_phase.")
    assert "--list models" in caught.value.hint


def test_no_images_at_all():
    with pytest.raises(ModelError, match="the scan has no images"):
        stack_channels({}, model(WATER_FAT, missing=True, normalization="dixon_joint"))


def test_missing_channel_only_where_the_model_was_trained_for_it():
    images = {"water": np.random.default_rng(0).uniform(10, 20, (8, 8, 2))}
    with pytest.raises(ModelError, match="the scan has water"):
        stack_channels(images, model(WATER_FAT))
    stack = stack_channels(images, model(WATER_FAT, missing=True, normalization="dixon_joint"))
    assert stack.kinds == ("water", None)
    assert (stack.data[1] == MISSING_CHANNEL).all()


def test_joint_normalization_is_that_of_the_training():
    water, fat = np.random.default_rng(0).uniform(10, 20, (2, 8, 8, 2))
    stack = stack_channels(
        {"fat": fat, "water": water}, model(WATER_FAT, missing=True, normalization="dixon_joint")
    )
    np.testing.assert_array_equal(stack.data, normalize_dixon(water, fat))


def test_shapes_must_agree():
    images = {"water": image(1), "fat": image(1, (4, 3, 3))}
    with pytest.raises(DataError, match=r"water \(4, 3, 2\), fat \(4, 3, 3\)"):
        stack_channels(images, model((("water",), ("fat",))))


def test_values_that_are_no_numbers_become_zero():
    water = np.array([[[np.nan, np.inf, -np.inf, 3.0]]])
    stack = stack_channels({"water": water}, model((("water",),)))
    assert stack.data.ravel().tolist() == [0.0, 0.0, 0.0, 3.0]


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A body of muscle (left half) and fat (right half) in air, three slices."""
    water, fat = np.zeros((2, 40, 40, 3))
    water[5:20, 5:35], fat[5:20, 5:35] = 90, 10
    water[20:35, 5:35], fat[20:35, 5:35] = 5, 95
    return water, fat


def test_sum_of_a_uniform_body_becomes_one(pair):
    water, fat = normalize_dixon(*pair)
    np.testing.assert_allclose((water + fat)[5:35, 5:35], 1.0, rtol=1e-6)
    assert (water + fat)[0, 0, 0] == 0


def test_fat_fraction_is_kept(pair):
    water, fat = normalize_dixon(*pair)
    np.testing.assert_allclose(fat[10, 10] / (fat + water)[10, 10], 0.10, rtol=1e-6)
    np.testing.assert_allclose(fat[30, 10] / (fat + water)[30, 10], 0.95, rtol=1e-6)


def test_units_do_not_matter(pair):
    water, fat = pair
    np.testing.assert_allclose(
        normalize_dixon(water * 37, fat * 37), normalize_dixon(water, fat), rtol=1e-6
    )


def test_each_slice_has_its_own_scale(pair):
    fall_off = np.array([1.0, 0.5, 0.3])
    water, fat = (image * fall_off for image in pair)
    normalized = normalize_dixon(water, fat)
    np.testing.assert_allclose(normalized[..., 1], normalized[..., 0], rtol=1e-6)
    np.testing.assert_allclose(normalized[..., 2], normalized[..., 0], rtol=1e-6)


def test_a_nearly_empty_slice_stays_dark(pair):
    water, fat = (image.copy() for image in pair)
    water[..., 2] *= 0.001
    fat[..., 2] *= 0.001
    assert normalize_dixon(water, fat)[..., 2].max() == pytest.approx(0.95 * 0.01, rel=0.01)


def test_bright_vessel_is_clipped(pair):
    water, fat = pair
    water[10, 10] = 1e6
    assert normalize_dixon(water, fat)[0, 10, 10, 0] == CEILING


@pytest.mark.parametrize("channel", [0, 1])
def test_missing_channel_is_marked_and_the_other_scaled_alone(pair, channel):
    given = [None, None]
    given[channel] = pair[channel]
    normalized = normalize_dixon(*given)
    assert (normalized[1 - channel] == MISSING_CHANNEL).all()
    assert normalized[channel].max() == pytest.approx(1.0, rel=1e-6)


def test_undefined_voxels_count_as_no_signal(pair):
    water, fat = pair
    water[0, 0] = np.nan
    fat[0, 1] = np.inf
    normalized = normalize_dixon(water, fat)
    assert normalized[0, 0, 0, 0] == 0
    assert normalized[1, 0, 1, 0] == 0


def test_integers_are_accepted(pair):
    water, fat = (image.astype(np.int16) for image in pair)
    np.testing.assert_allclose(normalize_dixon(water, fat), normalize_dixon(*pair))


def test_no_image_is_an_error():
    with pytest.raises(DataError, match="Neither a water nor a fat image"):
        normalize_dixon(None, None)


def test_different_shapes_are_an_error(pair):
    with pytest.raises(DataError, match=r"\(40, 40, 3\) and fat \(40, 40, 2\)"):
        normalize_dixon(pair[0], pair[1][..., :2])


def test_empty_images_are_an_error():
    with pytest.raises(DataError, match="hold no signal"):
        normalize_dixon(np.zeros((8, 8, 2)), np.zeros((8, 8, 2)))
