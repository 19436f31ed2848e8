"""Networks are named exactly, by nnU-Net's names; nothing in plans is looked up by path."""

import copy
import warnings

import pytest
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from pipelines.errors import ModelError
from pipelines.segmentation.plans.architecture import read_architecture
from tests.pipelines.segmentation import tiny_models as models

OLD = {
    "UNet_base_num_features": 8,
    "unet_max_num_features": 12,
    "n_conv_per_stage_encoder": [1, 2],
    "n_conv_per_stage_decoder": [1],
    "num_pool_per_axis": [1, 1],
    "pool_op_kernel_sizes": [[1, 1], [2, 2]],
    "conv_kernel_sizes": [[3, 3], [3, 3]],
}


def test_network_and_operations_have_our_names():
    found = read_architecture(models.plans()["configurations"]["2d"], "m")
    assert found.network == "PlainConvUNet"
    assert found.operations == {
        "conv_op": "Conv2d",
        "norm_op": "InstanceNorm2d",
        "dropout_op": None,
        "nonlin": "LeakyReLU",
    }
    assert found.sizes["features_per_stage"] == [8, 16]
    assert found.sizes["nonlin_kwargs"] == {"inplace": True}


@pytest.mark.parametrize("name", ["PlainConvUNet", "ResidualEncoderUNet"])
def test_old_plans_are_translated_as_nnunet_does(name):
    content = models.plans()
    del content["configurations"]["2d"]["architecture"]
    content["configurations"]["2d"] |= {"UNet_class_name": name, **OLD}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = PlansManager(copy.deepcopy(content)).get_configuration("2d")
    found = read_architecture(content["configurations"]["2d"], "m")
    kwargs = dict(theirs.network_arch_init_kwargs)
    operations = {key: kwargs.pop(key) for key in theirs.network_arch_init_kwargs_req_import}
    assert found.network == theirs.network_arch_class_name.rpartition(".")[2]
    assert found.operations == {
        key: value and value.rpartition(".")[2] for key, value in operations.items()
    }
    assert {"dropout_op_kwargs": None, **found.sizes} == kwargs
    # Plans that nnU-Net has translated and stored are read the same.
    assert read_architecture(theirs.configuration, "m").operations == found.operations


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("network_class_name", "os.system"),
        ("network_class_name", "dynamic_network_architectures.architectures.primus.PrimusM"),
        ("network_class_name", "dynamic_network_architectures.architectures.unet.torch.os.system"),
        ("network_class_name", "PlainConvUNet"),
        ("conv_op", "subprocess.Popen"),
        ("conv_op", "torch.nn.Conv3d"),
        ("norm_op", "torch.nn.functional.torch.os.system"),
        ("norm_op", "torch.nn.GroupNorm"),
        ("nonlin", "torch.nn.modules.module.torch.load"),
        ("nonlin", ""),
    ],
)
def test_plans_cannot_name_other_code(key, value):
    configuration = models.plans()["configurations"]["2d"]
    architecture = configuration["architecture"]
    place = architecture if key == "network_class_name" else architecture["arch_kwargs"]
    place[key] = value
    what = "network" if key == "network_class_name" else key
    with pytest.raises(ModelError) as caught:
        read_architecture(configuration, "m")
    assert caught.value.message == (
        f"The plans of m name {value!r}, which is no {what} that is known here."
    )
    assert "Known are: " in caught.value.hint


def test_a_patch_must_be_divided_evenly_by_the_strides():
    configuration = models.plans()["configurations"]["2d"]
    configuration["patch_size"] = [48, 63]
    with pytest.raises(
        ModelError, match=r"patches of 63 voxels, which the strides \(1, 2\) do not"
    ):
        read_architecture(configuration, "m")
