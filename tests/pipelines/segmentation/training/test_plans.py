"""nnU-Net's plan for the synthesized slices."""

import pytest

from pipelines.segmentation.synthesis.tissues import CLASS_NAMES, MUSCLES
from pipelines.segmentation.training.plans import (
    dataset_description,
    make_plans,
    with_patch_shape,
)


@pytest.fixture(scope="module")
def dataset_json():
    return dataset_description("Dataset011_Thigh11", 21)


@pytest.fixture(scope="module")
def plans(dataset_json):
    return make_plans(dataset_json, (256, 160), base_features=16, max_features=256, batch_size=8)


def test_patch_is_the_sample_in_nnunet_order(plans):
    assert plans["configurations"]["2d"]["patch_size"] == [160, 256]
    assert plans["configurations"]["2d"]["spacing"] == [1.25, 1.25]
    assert plans["configurations"]["2d"]["batch_size"] == 8


def test_network_is_as_wide_as_asked(plans):
    kwargs = plans["configurations"]["2d"]["architecture"]["arch_kwargs"]
    assert kwargs["features_per_stage"] == [16, 32, 64, 128, 256, 256]
    assert kwargs["strides"][1:] == [[2, 2]] * 5


def test_images_come_normalized_and_in_ras(plans):
    assert plans["configurations"]["2d"]["normalization_schemes"] == ["NoNormalization"] * 2
    assert plans["image_reader_writer"] == "NibabelIOWithReorient"


def test_labels_are_the_muscles_in_their_order(dataset_json):
    labels = dataset_json["labels"]
    assert labels["background"] == 0
    assert [name for name, value in labels.items() if value in MUSCLES] == list(CLASS_NAMES[1:12])
    assert len(labels) == 15
    assert list(dataset_json["channel_names"].values()) == ["water", "fat"]


def test_patch_can_be_changed_without_touching_the_rest(plans):
    changed = with_patch_shape(plans, (320, 192))
    assert changed["configurations"]["2d"]["patch_size"] == [192, 320]
    assert plans["configurations"]["2d"]["patch_size"] == [160, 256]
    changed["configurations"]["2d"]["patch_size"] = [160, 256]
    assert changed == plans
