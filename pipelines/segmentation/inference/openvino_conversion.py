"""Convert a network from PyTorch to OpenVINO, with its PyTorch front end (imports torch)."""

import logging
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from pipelines.files import folder_beside
from pipelines.segmentation.catalogue.model_files import ModelFiles
from pipelines.segmentation.inference.network import build_network, plan_of_checkpoint
from pipelines.segmentation.inference.openvino_runtime import ov
from pipelines.segmentation.plans.network_plan import NetworkPlan

logger = logging.getLogger(__name__)


def convert(files: ModelFiles, plan: NetworkPlan, checkpoint: Path) -> Any:
    """Return the network of one of a model's checkpoints as an ``openvino.Model``."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    module = build_network(files, plan, checkpoint)
    example = torch.zeros(1, plan.n_channels, *plan.patch_size)
    front_end = FrontEndManager().load_by_framework("pytorch")
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns of itself and of size checks that are constant here.
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(module, example_input=example)
        return front_end.convert(front_end.load(decoder))


def convert_to_folder(files: ModelFiles, folder: Path) -> list[Path]:
    """Convert a model's networks for shipping with it.

    Parameters
    ----------
    files : ModelFiles
        A model that may be loaded.
    folder : pathlib.Path
        Where ``<fold>.xml`` and ``<fold>.bin`` are written.

    Returns
    -------
    list of pathlib.Path
        The files written.
    """
    plan = files.plan or plan_of_checkpoint(files)
    written = []
    for checkpoint in files.checkpoints:
        path = folder / f"{checkpoint.parent.name}.xml"
        keep(convert(files, plan, checkpoint), path)
        written += [path, path.with_suffix(".bin")]
    return written


def keep(model: Any, path: Path) -> None:
    """Write a converted network (``.xml``, weights beside it) so that no other process sees half.

    Where the folder cannot be written to, the network is not kept.
    """
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(folder_beside(path))
        except OSError as error:
            logger.info("The converted network is not kept: %s", error)
            return
        # Weights stay in float32: halving them would change labels at muscle borders.
        ov.save_model(model, temporary / path.name, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):  # the .xml is what a reader looks for
            (temporary / path.name).with_suffix(suffix).replace(path.with_suffix(suffix))
