"""A small nnU-Net v2 model, trained in seconds on bright discs, and scans it can segment."""

import json
from pathlib import Path
from typing import Any

import numpy as np

LABELS = {"background": 0, "rectus_femoris": 1, "gracilis": 2}
CHANNELS = {"0": "water", "1": "fat"}
SPACING = 1.5
PATCH = (48, 64)


def plans(*, three_dimensional: bool = False, normalization: str = "NoNormalization") -> Any:
    """Plans of a two-stage network, in the form nnU-Net 2.8 writes."""
    dim = 3 if three_dimensional else 2
    name = "3d_fullres" if three_dimensional else "2d"
    spacing = [6.0, SPACING, SPACING] if three_dimensional else [SPACING, SPACING]
    resampling = {"is_seg": False, "force_separate_z": None}
    seg_resampling = {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": f"nnUNetPlans_{name}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [8, *PATCH] if three_dimensional else list(PATCH),
        "median_image_size_in_voxels": [64.0] * dim,
        "spacing": spacing,
        "normalization_schemes": [normalization] * 2,
        "use_mask_for_norm": [False, False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {**resampling, "order": 1, "order_z": 0},
        "resampling_fn_seg_kwargs": seg_resampling,
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**resampling, "order": 1, "order_z": 0},
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": 2,
                "features_per_stage": [8, 16],
                "conv_op": f"torch.nn.modules.conv.Conv{dim}d",
                "kernel_sizes": [[3] * dim] * 2,
                "strides": [[1] * dim, [2] * dim],
                "n_conv_per_stage": [1, 1],
                "n_conv_per_stage_decoder": [1],
                "conv_bias": True,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dim}d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "batch_dice": True,
    }
    return {
        "dataset_name": "Dataset001_Discs",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "NibabelIOWithReorient",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {name: configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}, "1": {}},
    }


def dataset(labels: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "channel_names": CHANNELS,
        "labels": labels or LABELS,
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }


def disc_scan(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grey limb with a disc bright in water (label 1) and one bright in fat (label 2).

    Returns channels (2, x, y, z), affine and labels; the discs taper and drift along z, and
    nothing about them is symmetric.
    """
    generator = np.random.default_rng(seed)
    x, y, z = ((np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True))
    grid_x, grid_y, grid_z = np.meshgrid(x, y, z, indexing="ij")
    width, depth, length = (n * s for n, s in zip(shape, spacing, strict=True))
    position = grid_z / length
    limb = np.hypot(grid_x - width / 2, grid_y - depth / 2) < 0.45 * min(width, depth)
    labels = np.zeros(shape, np.uint8)
    radius = 9 + 3 * position
    labels[np.hypot(grid_x - 0.35 * width, grid_y - (0.6 - 0.1 * position) * depth) < radius] = 1
    labels[np.hypot(grid_x - 0.62 * width, grid_y - 0.42 * depth) < 1.2 * radius] = 2
    water = np.where(limb, 0.3, 0.0) + 0.7 * (labels == 1)
    fat = np.where(limb, 0.3, 0.0) + 0.7 * (labels == 2)
    channels = np.stack([water, fat]) + generator.normal(0, 0.02, (2, *shape))
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-40.0, 25.0, -300.0)
    return np.abs(channels).astype(np.float32), affine, labels


def write_model(
    folder: Path, checkpoint: Any, *, configuration: str = "2d", **description: Any
) -> Path:
    """Write an nnU-Net results folder; returns it."""
    import torch

    target = folder / f"nnUNetTrainer__nnUNetPlans__{configuration}"
    (target / "fold_0").mkdir(parents=True)
    content = {"plans.json": plans(), "dataset.json": dataset(), **description}
    for name, value in content.items():
        (target / name).write_text(json.dumps(value))
    torch.save(checkpoint, target / "fold_0" / "checkpoint_final.pth")
    return target


def train(three_dimensional: bool) -> dict[str, Any]:
    """Fit the network to discs: a few dozen steps suffice."""
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    torch.manual_seed(1)
    name = "3d_fullres" if three_dimensional else "2d"
    architecture = plans(three_dimensional=three_dimensional)["configurations"][name][
        "architecture"
    ]
    network = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        2,
        3,
        deep_supervision=False,
    )
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for step in range(15 if three_dimensional else 40):
        image, _, label = disc_scan((64, 48, 8), (SPACING, SPACING, 6.0), seed=step)
        # nnU-Net's order: (z, y, x); a slice is an item of the batch for the 2D network
        inputs = torch.from_numpy(image.transpose(0, 3, 2, 1).copy())
        target = torch.from_numpy(label.transpose(2, 1, 0).astype(np.int64))
        if three_dimensional:
            inputs, target = inputs[None], target[None]
        else:
            inputs = inputs.transpose(0, 1)
        loss = torch.nn.functional.cross_entropy(network(inputs), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {
        "network_weights": network.state_dict(),
        "init_args": {"configuration": name},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    }
