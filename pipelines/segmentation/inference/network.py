"""Build a model's networks with nnU-Net and load their weights (imports torch)."""

import contextlib
import io
import logging
import pickle
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pipelines.errors import ModelError
from pipelines.segmentation.catalogue.model_files import ModelFiles
from pipelines.segmentation.plans.network_plan import NetworkPlan, read_network_plan

logger = logging.getLogger(__name__)

_GIT_LFS_POINTER = b"version https://git-lfs"


def build_network(files: ModelFiles, plan: NetworkPlan, checkpoint: Path) -> torch.nn.Module:
    """Build the network of one of a model's checkpoints, in evaluation mode.

    The architecture comes from the plans, never from a trainer class, so that models trained with
    any trainer load with the packages installed here.
    """
    stored = _load_checkpoint(checkpoint)
    module = _architecture(files, plan)
    _load_weights(module, stored, checkpoint)
    return module.eval()


def plan_of_checkpoint(files: ModelFiles) -> NetworkPlan:
    """Read the configuration that the first checkpoint of a model names."""
    checkpoint = _load_checkpoint(files.checkpoints[0])
    configuration = checkpoint.get("init_args", {}).get("configuration")
    if not isinstance(configuration, str):
        raise ModelError(
            f"Neither the folder name nor the checkpoint of {files.folder} names a configuration.",
            "Name the folder <trainer>__<plans>__<configuration>, as nnU-Net does.",
        )
    return read_network_plan(files.plans, files.dataset, configuration, str(files.folder))


def _architecture(files: ModelFiles, plan: NetworkPlan) -> torch.nn.Module:
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    with warnings.catch_warnings():
        # Plans of nnU-Net 2.0 to 2.3 are translated with a warning; the result is the same.
        warnings.simplefilter("ignore")
        configuration = PlansManager(dict(files.plans)).get_configuration(plan.configuration)
    name = configuration.network_arch_class_name
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module: torch.nn.Module = get_network_from_plans(
                name,
                configuration.network_arch_init_kwargs,
                configuration.network_arch_init_kwargs_req_import,
                plan.n_channels,
                plan.n_classes,
                allow_init=False,
                deep_supervision=False,
            )
    except Exception as error:
        # pydoc raises classes of its own for packages that fail to import
        raise ModelError(
            f"The architecture {name} of {files.folder} cannot be built: {error}.",
            f"It may need another version than nnunetv2 {version('nnunetv2')} with "
            f"dynamic-network-architectures {version('dynamic-network-architectures')}, or a "
            "package that is not installed (transformer networks need timm).",
        ) from error
    return module


def _load_checkpoint(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as stream:
        if stream.read(len(_GIT_LFS_POINTER)) == _GIT_LFS_POINTER:
            raise ModelError(
                f"{path} is a Git LFS pointer, not the checkpoint itself.",
                "Run `git lfs pull` where you got the model.",
            )
    try:
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError:
            # nnU-Net stores its training log beside the weights. The file is one of those that
            # open_model lets pass: its checksum is registered, or the user vouches for it.
            logger.info("%s holds more than weights; reading all of it.", path)
            checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Download it again.") from error
    if not isinstance(checkpoint, dict) or "network_weights" not in checkpoint:
        raise ModelError(
            f"{path} holds no 'network_weights': it is not a checkpoint of nnU-Net v2."
        )
    return checkpoint


def _load_weights(module: torch.nn.Module, checkpoint: Mapping[str, Any], path: Path) -> None:
    # Weights saved from a compiled or distributed network carry a prefix.
    weights = {
        key.removeprefix("module.").removeprefix("_orig_mod."): value
        for key, value in checkpoint["network_weights"].items()
    }
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            f"The weights in {path} do not fit the network of plans.json: "
            f"{' '.join(str(error).split())[:300]}",
            "plans.json, dataset.json and checkpoint must come from the same training.",
        ) from error
