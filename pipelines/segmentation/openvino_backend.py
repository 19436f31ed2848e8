"""Run a network on the CPU with OpenVINO instead of PyTorch: same weights, several times faster.

A network is converted once and kept in a cache folder, or comes converted with the model. The
conversion goes through OpenVINO's PyTorch front end directly: ``openvino.convert_model`` would
report every use to its makers over the network.
"""

import contextlib
import logging
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openvino as ov
import torch

from pipelines.errors import DeviceError
from pipelines.segmentation.model_files import ModelFiles
from pipelines.segmentation.network import Network, build_network

logger = logging.getLogger(__name__)

Precision = Literal["f32", "bf16"]

# Folder of a model that holds networks converted beforehand, one <fold>.xml and .bin each.
SHIPPED_FOLDER = "openvino"


class CompiledNetwork(torch.nn.Module):
    """A compiled OpenVINO network that nnU-Net's predictor can call like any other.

    Parameters
    ----------
    compiled : openvino.CompiledModel
        Network with one input (1, c, *patch) and one output (1, classes, *patch).
    """

    def __init__(self, compiled: Any) -> None:
        super().__init__()
        self._request = compiled.create_infer_request()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits of one tile."""
        result = self._request.infer([np.ascontiguousarray(image.numpy())], share_inputs=True)
        # infer() reuses its output memory; the sliding window changes what it gets in place.
        return torch.from_numpy(np.array(result[0], np.float32))


def choose_precision(requested: str, *, verified: bool) -> Precision:
    """Choose the arithmetic of the network.

    Parameters
    ----------
    requested : {'auto', 'f32', 'bf16'}
        ``auto``: bfloat16 where this CPU computes in it and the model is known to give the same
        labels, else float32.
    verified : bool
        Whether bfloat16 was verified for this model.

    Raises
    ------
    DeviceError
        If bfloat16 was asked for and this CPU has no instructions for it.
    """
    if requested == "f32":
        return "f32"
    capable = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if requested == "bf16":
        if not capable:
            raise DeviceError(
                "This CPU has no bfloat16 instructions (AVX512-BF16 or AMX).",
                "Choose precision f32 or auto.",
            )
        return "bf16"
    return "bf16" if capable and verified else "f32"


def compile_folds(
    files: ModelFiles, *, precision: Precision, threads: int | None, cache_dir: Path | None
) -> tuple[Network, tuple[CompiledNetwork, ...]]:
    """Compile the networks of a model for this CPU.

    Parameters
    ----------
    files : ModelFiles
        A model that may be loaded.
    precision : {'f32', 'bf16'}
        Arithmetic of the network.
    threads : int or None
        Number of threads; None for OpenVINO's own choice.
    cache_dir : pathlib.Path or None
        Where converted networks are kept between runs; None converts every time.

    Returns
    -------
    network : Network
        Description of the network; without weights where they were converted before.
    folds : tuple of CompiledNetwork
        One per fold.
    """
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    converted = [_find_converted(files, checkpoint, cache_dir) for checkpoint in files.checkpoints]
    complete = all(path is not None for path in converted) and files.configuration is not None
    network = build_network(files, with_weights=not complete)
    core = ov.Core()
    folds = []
    for fold, path in enumerate(converted):
        model = core.read_model(path) if complete else _convert(network.folds[fold], network)
        if not complete and cache_dir is not None:
            _keep(model, _cached_path(files, files.checkpoints[fold], cache_dir))
        model.reshape([1, network.n_channels, *network.patch_size])
        folds.append(CompiledNetwork(core.compile_model(model, "CPU", options)))
    return network, tuple(folds)


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
    network = build_network(files)
    written = []
    for checkpoint, module in zip(files.checkpoints, network.folds, strict=True):
        path = folder / f"{checkpoint.parent.name}.xml"
        _keep(_convert(module, network), path)
        written += [path, path.with_suffix(".bin")]
    return written


def _convert(module: torch.nn.Module, network: Network) -> Any:
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(1, network.n_channels, *network.patch_size)
    front_end = FrontEndManager().load_by_framework("pytorch")
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns of itself and of size checks that are constant here.
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(module, example_input=example)
        return front_end.convert(front_end.load(decoder))


def _find_converted(files: ModelFiles, checkpoint: Path, cache_dir: Path | None) -> Path | None:
    relative = f"{SHIPPED_FOLDER}/{checkpoint.parent.name}"
    if {f"{relative}.xml", f"{relative}.bin"} <= set(files.checksums):
        return files.folder / f"{relative}.xml"
    if cache_dir is not None:
        path = _cached_path(files, checkpoint, cache_dir)
        if path.is_file():
            return path
    return None


def _cached_path(files: ModelFiles, checkpoint: Path, cache_dir: Path) -> Path:
    release = ov.__version__.split("-", maxsplit=1)[0]
    name = f"openvino-{release}-{files.checksum[:16]}"
    return cache_dir / name / f"{checkpoint.parent.name}.xml"


def _keep(model: Any, path: Path) -> None:
    """Write a converted network so that another process never sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent))
    except OSError as error:
        logger.info("The converted network is not kept: %s", error)
        return
    try:
        # Weights stay in float32: halving them would change labels at muscle borders.
        ov.save_model(model, temporary / path.name, compress_to_fp16=False)
        for suffix in (".bin", ".xml"):  # the .xml is what a reader looks for
            (temporary / path.name).with_suffix(suffix).replace(path.with_suffix(suffix))
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary)
