"""Build a model's networks and load their weights (imports torch)."""

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch

from pipelines.errors import ModelError
from pipelines.segmentation.catalogue.model_files import ModelFiles
from pipelines.segmentation.inference.checkpoint import read_checkpoint
from pipelines.segmentation.plans.network_plan import NetworkPlan, read_network_plan


def build_network(files: ModelFiles, plan: NetworkPlan, checkpoint: Path) -> torch.nn.Module:
    """Build the network of one of a model's checkpoints, in evaluation mode.

    The architecture comes from the plans, never from a trainer class, so that models trained with
    any trainer load with the packages installed here.
    """
    module = empty_network(plan, str(files.folder))
    load_weights(module, read_checkpoint(files, checkpoint)["network_weights"], checkpoint)
    return module.eval()


def plan_of_checkpoint(files: ModelFiles) -> NetworkPlan:
    """Read the configuration that the first checkpoint of a model names."""
    given = read_checkpoint(files, files.checkpoints[0]).get("init_args")
    configuration = given.get("configuration") if isinstance(given, dict) else None
    if not isinstance(configuration, str):
        raise ModelError(
            f"Neither the folder name nor the checkpoint of {files.folder} names a configuration.",
            "Name the folder <trainer>__<plans>__<configuration>, as nnU-Net does.",
        )
    return read_network_plan(files.plans, files.dataset, configuration, str(files.folder))


def empty_network(plan: NetworkPlan, source: str) -> torch.nn.Module:
    """Return the network of a plan without memory for its weights, however many there are.

    It is one that makes logits of a tile.
    """
    from dynamic_network_architectures.architectures import unet

    architecture = plan.architecture
    operations = {
        keyword: None if name is None else getattr(torch.nn, name)
        for keyword, name in architecture.operations.items()
    }
    try:
        with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module: torch.nn.Module = getattr(unet, architecture.network)(
                input_channels=plan.n_channels,
                num_classes=plan.n_classes,
                **{**architecture.sizes, "deep_supervision": False},
                **operations,
            )
            tile = torch.empty(1, plan.n_channels, *plan.patch_size)
            found = module.eval()(tile).shape  # computes shapes only
        if found != (1, plan.n_classes, *plan.patch_size):
            raise ValueError(f"it makes {tuple(found)} of {tuple(tile.shape)}")
    except Exception as error:
        raise ModelError(
            f"The architecture {architecture.network} of {source} cannot be built: {error}.",
            "It may need another version of dynamic-network-architectures than "
            f"{version('dynamic-network-architectures')}.",
        ) from error
    return module


def load_weights(module: torch.nn.Module, stored: Mapping[str, torch.Tensor], source: Path) -> None:
    """Give a network the weights of a checkpoint, as float32."""
    # Weights saved from a compiled or distributed network carry a prefix.
    weights = {
        key.removeprefix("module.").removeprefix("_orig_mod."): value
        for key, value in stored.items()
    }
    try:
        module.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise ModelError(
            f"The weights in {source} do not fit the network of plans.json: "
            f"{' '.join(str(error).split())[:300]}",
            "plans.json, dataset.json and checkpoint must come from the same training.",
        ) from error
    module.float()
