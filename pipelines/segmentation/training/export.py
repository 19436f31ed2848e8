"""Turn a training checkpoint into a model folder that nnU-Net v2's own tools load, and load it."""

from pathlib import Path
from typing import Any

import torch

from pipelines.files import write_json
from pipelines.segmentation.catalogue.model_archive import CHECKPOINT
from pipelines.segmentation.inference.network import empty_network, load_weights
from pipelines.segmentation.plans.description import read_plans
from pipelines.segmentation.plans.network_plan import read_network_plan
from pipelines.segmentation.training.plans import CONFIGURATION, with_patch_shape

# nnU-Net looks trainers up by name to build the network; ours builds the stock network.
STOCK_TRAINER = "nnUNetTrainer"


def export_model(
    checkpoint: Path,
    plans: dict[str, Any],
    dataset_json: dict[str, Any],
    folder: Path,
    patch_shape: tuple[int, int],
) -> Path:
    """Write plans.json, dataset.json and fold_0/checkpoint_final.pth.

    The checkpoint holds the averaged weights in half precision and what nnU-Net needs to rebuild
    the network, but no optimizer state and no object beyond plain containers and tensors, so it
    loads with ``torch.load(..., weights_only=True)``.
    """
    stored = torch.load(checkpoint, map_location="cpu", weights_only=False)
    weights = _half_precision(stored["average_weights"])
    target = folder / "fold_0" / CHECKPOINT
    target.parent.mkdir(parents=True, exist_ok=True)
    contents = {"plans.json": with_patch_shape(plans, patch_shape), "dataset.json": dataset_json}
    for name, content in contents.items():
        write_json(folder / name, content)
    torch.save(
        {
            "network_weights": weights,
            "trainer_name": STOCK_TRAINER,
            "init_args": {"configuration": CONFIGURATION, "fold": 0},
            "inference_allowed_mirroring_axes": None,
            "current_epoch": stored["current_epoch"],
        },
        target,
    )
    return target


def _half_precision(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Round weights to half the size; loading converts back, and no outline moves by it.

    nnU-Net's networks list some tensors under several names; they stay one tensor, stored once.
    """
    halves: dict[tuple[int, torch.Size], torch.Tensor] = {}
    rounded = {}
    for name, tensor in weights.items():
        place = (tensor.data_ptr(), tensor.shape)
        rounded[name] = halves.setdefault(place, tensor.half())
    return rounded


def load_network(folder: Path) -> torch.nn.Module:
    """Load the network of a model folder for prediction."""
    dataset_json, plans = read_plans(folder)
    return network_from_checkpoint(plans, dataset_json, folder / "fold_0" / CHECKPOINT)


def network_from_checkpoint(
    plans: dict[str, Any], dataset_json: dict[str, Any], checkpoint: Path
) -> torch.nn.Module:
    """Build the network of nnU-Net plans for prediction, with the weights of a checkpoint.

    The checkpoint is one of a training (its averaged weights count) or an exported one.
    """
    plan = read_network_plan(plans, dataset_json, CONFIGURATION, str(checkpoint))
    network = empty_network(plan, str(checkpoint))
    load_weights(network, read_weights(checkpoint), checkpoint)
    return network.eval()


def read_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Return the averaged weights of a training's checkpoint or of an exported one."""
    stored = torch.load(checkpoint, map_location="cpu", weights_only=False)
    weights: dict[str, torch.Tensor] = stored.get("average_weights", stored["network_weights"])
    return weights
