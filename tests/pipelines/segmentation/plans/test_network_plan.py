"""What is read from the plans agrees with nnU-Net's own view; what cannot be run is refused."""

import pytest
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from pipelines.errors import ModelError
from pipelines.segmentation.plans.network_plan import read_network_plan
from tests.pipelines.segmentation import tiny_models as models


@pytest.mark.parametrize("three_dimensional", [False, True])
def test_plan_agrees_with_nnunet(three_dimensional):
    content = models.plans(three_dimensional=three_dimensional)
    content["transpose_forward"] = [2, 0, 1]
    labels = {**models.LABELS, "bone": 4, "ignore": 5}
    dataset = models.dataset(labels)
    name = "3d_fullres" if three_dimensional else "2d"
    plan = read_network_plan(content, dataset, name, "model")
    manager = PlansManager(content)
    configuration = manager.get_configuration(name)
    assert plan.configuration == name
    assert list(plan.patch_size) == configuration.patch_size
    assert list(plan.spacing) == configuration.spacing
    assert list(plan.transpose) == manager.transpose_forward
    assert [scheme.name for scheme in plan.schemes] == configuration.normalization_schemes
    assert plan.n_channels == 2
    assert plan.n_classes == manager.get_label_manager(dataset).num_segmentation_heads == 4


def test_inherited_configuration_is_read():
    content = models.plans()
    content["configurations"]["2d_fine"] = {"inherits_from": "2d", "spacing": [0.5, 0.5]}
    plan = read_network_plan(content, models.dataset(), "2d_fine", "model")
    assert plan.spacing == (0.5, 0.5)
    assert plan.patch_size == models.PATCH


def test_preprocessor_from_elsewhere_is_refused():
    content = models.plans()
    content["configurations"]["2d"]["preprocessor_name"] = "OurPreprocessor"
    with pytest.raises(ModelError, match="model prepare images with 'OurPreprocessor'") as caught:
        read_network_plan(content, models.dataset(), "2d", "model")
    assert "DefaultPreprocessor" in caught.value.hint


@pytest.mark.parametrize("key", ["patch_size", "preprocessor_name", "resampling_fn_data"])
def test_missing_entry_is_named(key):
    content = models.plans()
    del content["configurations"]["2d"][key]
    with pytest.raises(ModelError, match=f"plans of model say nothing of '{key}'"):
        read_network_plan(content, models.dataset(), "2d", "model")


def test_cascades_are_refused():
    content = models.plans()
    content["configurations"]["2d"]["previous_stage"] = "3d_lowres"
    with pytest.raises(ModelError, match="second stage of a cascade"):
        read_network_plan(content, models.dataset(), "2d", "m")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"patch_size": [48, -64]}, "patch_size/1: -64 is less than the minimum"),
        ({"patch_size": [48, 10**6]}, "patch_size/1: 1000000 is greater than the maximum"),
        ({"patch_size": ["48", 64]}, "patch_size/0: '48' is not of type 'integer'"),
        ({"patch_size": []}, "patch_size: .* non-empty|too short"),
        ({"spacing": [0.0, 1.5]}, "spacing/0: 0.0 is less than the minimum"),
        ({"spacing": [float("inf"), 1.5]}, "spacing/0: inf is greater than the maximum"),
        ({"use_mask_for_norm": ["no", "no"]}, "use_mask_for_norm/[01]: 'no' is not of type"),
        ({"resampling_fn_data_kwargs": {"order": 9}}, "order: 9 is greater than the maximum"),
        ({"architecture": {"network_class_name": 3}}, "architecture.*(required|not of type)"),
    ],
)
def test_types_and_bounds_are_checked_before_use(change, problem):
    content = models.plans()
    content["configurations"]["2d"] |= change
    message = f"Configuration 2d of m does not describe a model that can be run: .*({problem})"
    with pytest.raises(ModelError, match=message):
        read_network_plan(content, models.dataset(), "2d", "m")


def test_a_patch_must_fit_the_voxel_size_and_the_memory():
    content = models.plans(three_dimensional=True)
    configuration = content["configurations"]["3d_fullres"]
    configuration["patch_size"] = [1024, 1024, 1024]
    with pytest.raises(ModelError, match="1024 x 1024 x 1024 voxels; at most 67108864 can be"):
        read_network_plan(content, models.dataset(), "3d_fullres", "m")
    configuration["patch_size"] = [48, 64]
    with pytest.raises(ModelError, match="patches of 2 axes and 3 voxel sizes"):
        read_network_plan(content, models.dataset(), "3d_fullres", "m")


@pytest.mark.parametrize("key", ["normalization_schemes", "use_mask_for_norm"])
def test_every_channel_needs_its_normalization(key):
    content = models.plans()
    content["configurations"]["2d"][key].pop()
    with pytest.raises(ModelError, match="do not say how each of 2 channels is normalized"):
        read_network_plan(content, models.dataset(), "2d", "m")
