"""A scan's images find their way into a model's channels, or a clear refusal."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.errors import DataError, ModelError
from pipelines.segmentation.channels import stack_channels
from pipelines.segmentation.normalization import MISSING_CHANNEL, normalize_dixon


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
