"""Build a model's networks with nnU-Net and load their weights (imports torch)."""

import contextlib
import io
import logging
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pipelines.errors import ModelError
from pipelines.segmentation.model_files import ModelFiles
from pipelines.segmentation.plans import check_configuration

logger = logging.getLogger(__name__)

_GIT_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Network:
    """An architecture with the weights of every fold.

    Attributes
    ----------
    plans_manager, configuration_manager, label_manager
        nnU-Net's own views of the plans and labels.
    configuration : str
        Name of the configuration, e.g. ``2d``.
    folds : tuple of torch.nn.Module
        One network per fold, in evaluation mode; empty if the weights were not asked for.
    n_channels, n_classes : int
        Input channels; output classes with background.
    """

    plans_manager: Any
    configuration_manager: Any
    label_manager: Any
    configuration: str
    folds: tuple[torch.nn.Module, ...]
    n_channels: int
    n_classes: int

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Tile of the sliding window, in the network's axis order."""
        return tuple(int(n) for n in self.configuration_manager.patch_size)


def build_network(files: ModelFiles, *, with_weights: bool = True) -> Network:
    """Build the networks of a model.

    The architecture comes from the plans, never from a trainer class, so that models trained with
    any trainer load with the packages installed here.

    Parameters
    ----------
    files : ModelFiles
        A model that may be loaded.
    with_weights : bool
        False if another backend brings the weights; needs a known configuration.

    Raises
    ------
    ModelError
        If a checkpoint is damaged or does not fit the plans, or the architecture is unknown to
        the installed nnU-Net.
    """
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    configuration = files.configuration
    checkpoints: list[Mapping[str, Any]] = []
    if with_weights or configuration is None:
        checkpoints = [_load_checkpoint(path) for path in files.checkpoints]
    if configuration is None:
        configuration = _configuration_of(checkpoints[0], files)
        check_configuration(files.plans, configuration, str(files.folder))
    plans_manager = PlansManager(dict(files.plans))
    with warnings.catch_warnings():
        # Plans of nnU-Net 2.0 to 2.3 are translated with a warning; the result is the same.
        warnings.simplefilter("ignore")
        configuration_manager = plans_manager.get_configuration(configuration)
    label_manager = plans_manager.get_label_manager(dict(files.dataset))
    n_channels = len(files.channels)
    n_classes = int(label_manager.num_segmentation_heads)
    folds = []
    if with_weights:
        for path, checkpoint in zip(files.checkpoints, checkpoints, strict=True):
            module = _architecture(configuration_manager, n_channels, n_classes, files)
            _load_weights(module, checkpoint, path)
            folds.append(module.eval())
    return Network(
        plans_manager,
        configuration_manager,
        label_manager,
        configuration,
        tuple(folds),
        n_channels,
        n_classes,
    )


def _architecture(
    configuration_manager: Any, n_channels: int, n_classes: int, files: ModelFiles
) -> torch.nn.Module:
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module: torch.nn.Module = get_network_from_plans(
                configuration_manager.network_arch_class_name,
                configuration_manager.network_arch_init_kwargs,
                configuration_manager.network_arch_init_kwargs_req_import,
                n_channels,
                n_classes,
                allow_init=False,
                deep_supervision=False,
            )
    except Exception as error:
        # pydoc raises classes of its own for packages that fail to import
        raise ModelError(
            f"The architecture {configuration_manager.network_arch_class_name} of {files.folder} "
            f"cannot be built: {error}.",
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


def _configuration_of(checkpoint: Mapping[str, Any], files: ModelFiles) -> str:
    configuration = checkpoint.get("init_args", {}).get("configuration")
    if not isinstance(configuration, str):
        raise ModelError(
            f"Neither the folder name nor the checkpoint of {files.folder} names a configuration.",
            "Name the folder <trainer>__<plans>__<configuration>, as nnU-Net does.",
        )
    return configuration


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
