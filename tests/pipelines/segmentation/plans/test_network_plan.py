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
