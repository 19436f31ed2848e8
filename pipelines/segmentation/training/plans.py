"""Let nnU-Net v2 plan its 2D configuration for the synthesized slices, and describe the data set.

Nothing is stored on disk for nnU-Net to fingerprint: the samples are made as they are needed and
all have one shape and pixel size. The planner gets those facts directly.
"""

import json
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (
    ExperimentPlanner,
)
from nnunetv2.utilities.json_export import recursive_fix_for_json_export

from pipelines.segmentation.synthesis.canvas import PIXEL_MM
from pipelines.segmentation.synthesis.tissues import CLASS_NAMES

CONFIGURATION = "2d"
# Nominal distance between slices. The 2D configuration never resamples along the leg.
SLICE_SPACING_MM = 24.0
CHANNEL_NAMES = {"0": "water", "1": "fat"}


class SliceNetworkPlanner(ExperimentPlanner):  # type: ignore[misc]
    """nnU-Net's planner for slices of known size, with a network that trains without a GPU.

    Parameters
    ----------
    base_features, max_features : int
        Feature maps of the first stage and at most.
    dataset_json : dict
        nnU-Net's description of the data set.
    """

    def __init__(self, base_features: int, max_features: int, dataset_json: dict[str, Any]) -> None:
        # The base class reads images from nnU-Net's folders here; only its constants are wanted.
        self.__dict__.update(_planner_constants())
        self.UNet_base_num_features = base_features
        self.UNet_max_features_2d = max_features
        self.dataset_json = dataset_json

    def determine_normalization_scheme_and_whether_mask_is_used_for_norm(
        self,
    ) -> tuple[list[str], list[bool]]:
        """Tell nnU-Net to leave intensities alone: normalize_dixon has set them already."""
        channels = len(self.dataset_json["channel_names"])
        return ["NoNormalization"] * channels, [False] * channels


def _planner_constants() -> dict[str, Any]:
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    return {
        "UNet_class": PlainConvUNet,
        "UNet_reference_val_2d": 85_000_000,
        "UNet_reference_val_3d": 560_000_000,
        "UNet_reference_val_corresp_GB": 8,
        "UNet_reference_val_corresp_bs_2d": 12,
        "UNet_reference_val_corresp_bs_3d": 2,
        "UNet_featuremap_min_edge_length": 4,
        "UNet_blocks_per_stage_encoder": (2,) * 14,
        "UNet_blocks_per_stage_decoder": (2,) * 13,
        "UNet_min_batch_size": 2,
        "UNet_max_features_3d": 320,
        "UNet_vram_target_GB": 8,
        "max_dataset_covered": 0.05,
        "preprocessor_name": "DefaultPreprocessor",
    }


def dataset_description(name: str, cases: int) -> dict[str, Any]:
    """Return the content of nnU-Net's dataset.json for the synthesized data."""
    return {
        "name": name,
        "description": "Water and fat images of thighs, synthesized from label maps",
        "channel_names": CHANNEL_NAMES,
        "labels": {label: value for value, label in enumerate(CLASS_NAMES)},
        "numTraining": cases,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "NibabelIOWithReorient",
    }


def make_plans(
    dataset_json: dict[str, Any],
    shape: tuple[int, int],
    *,
    base_features: int,
    max_features: int,
    batch_size: int,
) -> dict[str, Any]:
    """Return nnU-Net plans with one 2D configuration."""
    planner = SliceNetworkPlanner(base_features, max_features, dataset_json)
    size = [shape[1], shape[0]]
    spacing = [PIXEL_MM, PIXEL_MM]
    configuration = planner.get_plans_for_configuration(
        spacing, size, f"nnUNetPlans_{CONFIGURATION}", 1e9, {}
    )
    configuration |= {"batch_dice": True, "batch_size": batch_size}
    plans = {
        "dataset_name": dataset_json["name"],
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [SLICE_SPACING_MM, *spacing],
        "original_median_shape_after_transp": [16, *size],
        "image_reader_writer": "NibabelIOWithReorient",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {CONFIGURATION: configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        # nnU-Net looks the channels up even where its normalization uses none of the numbers.
        "foreground_intensity_properties_per_channel": {
            channel: {"mean": 0.0, "std": 1.0, "min": 0.0, "max": 1.0} for channel in CHANNEL_NAMES
        },
    }
    recursive_fix_for_json_export(plans)
    # What is read back from plans.json has lists where the planner has tuples.
    written: dict[str, Any] = json.loads(json.dumps(plans))
    return written


def with_patch_shape(plans: dict[str, Any], shape: tuple[int, int]) -> dict[str, Any]:
    """Return plans whose patches have another shape (left-right, posterior-anterior pixels)."""
    configuration = {**plans["configurations"][CONFIGURATION], "patch_size": [shape[1], shape[0]]}
    return {**plans, "configurations": {CONFIGURATION: configuration}}
