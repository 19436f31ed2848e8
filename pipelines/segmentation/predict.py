"""Predict labels with nnU-Net v2, in one process and with bounded memory (imports torch).

nnU-Net's own preprocessor does the work, and tiles and their weights are nnU-Net's. Around them: no
worker processes, no shared memory, no environment variables, no mirroring, the volume cut to the
body, two-dimensional networks fed a few slices at a time, and labels chosen slice by slice.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from pipelines.errors import DataError, DeviceError, ModelError
from pipelines.geometry import Affine, check_affine
from pipelines.segmentation.device import resolve_device
from pipelines.segmentation.export import empty_volume, write_slices
from pipelines.segmentation.model_files import ModelFiles
from pipelines.segmentation.network import Network, build_network
from pipelines.segmentation.prediction import Prediction
from pipelines.segmentation.preparation import CANONICAL, from_network_order, prepare

logger = logging.getLogger(__name__)

Backend = Literal["auto", "torch", "openvino"]
Progress = Callable[[int, int], None]

# Tiles advance by this share of their size. nnU-Net's 0.5 costs about twice as many tiles; the
# weights fall off towards tile borders, so a thinner overlap changes little.
TILE_STEP = 0.7
# Logits held at a time for a two-dimensional network.
BLOCK_BYTES = 256 * 1024**2
# Share of the free GPU memory that the logits of a whole volume may take.
_GPU_SHARE = 0.4


@dataclass(frozen=True)
class Segmenter:
    """A model that is loaded and ready, for any number of scans.

    Attributes
    ----------
    files : ModelFiles
        The model.
    network : Network
        Its description.
    folds : tuple of torch.nn.Module
        What computes logits, one per fold.
    device : str
        ``cpu`` or ``cuda:N``.
    backend : {'torch', 'openvino'}
        What runs the networks.
    precision : {'f32', 'bf16', 'f16'}
        Arithmetic of the networks.
    tile_step : float
        Step of the sliding window as a share of the tile.
    """

    files: ModelFiles
    network: Network
    folds: tuple[torch.nn.Module, ...]
    device: str
    backend: str
    precision: str
    tile_step: float

    def provenance(self) -> dict[str, Any]:
        """Return what a sidecar says about the model and how it was run."""
        return {
            "Model": self.files.name,
            "ModelVersion": self.files.version,
            "ModelSHA256": self.files.checksum,
            "Configuration": self.network.configuration,
            "Folds": len(self.folds),
            "Backend": self.backend,
            "Precision": self.precision,
            "Device": self.device,
            "PatchSize": list(self.network.patch_size),
            "NetworkSpacing": [float(s) for s in self.network.configuration_manager.spacing],
            "TileStep": self.tile_step,
            "Mirroring": False,
        }


def load_segmenter(
    files: ModelFiles,
    *,
    device: str = "auto",
    backend: Backend = "auto",
    precision: str = "auto",
    threads: int | None = None,
    cache_dir: Path | None = None,
    tile_step: float = TILE_STEP,
) -> Segmenter:
    """Load a model for prediction.

    Parameters
    ----------
    files : ModelFiles
        From :func:`pipelines.segmentation.model_files.open_model`.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    backend : {'auto', 'torch', 'openvino'}
        ``auto``: OpenVINO on the CPU, PyTorch on a GPU.
    precision : {'auto', 'f32', 'bf16'}
        Arithmetic on the CPU; see :func:`pipelines.segmentation.openvino_backend.choose_precision`.
    threads : int or None
        CPU threads of the network; None leaves the libraries' choice.
    cache_dir : pathlib.Path or None
        Where converted networks are kept.
    tile_step : float
        Step of the sliding window as a share of the tile, above 0 and at most 1.

    Raises
    ------
    DeviceError
        If the device, or the precision on it, cannot be had.
    ModelError
        If the model cannot be loaded.
    """
    device = resolve_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    if backend == "auto":
        backend = "openvino" if device == "cpu" else "torch"
    if backend == "openvino":
        if device != "cpu":
            raise DeviceError(
                f"The OpenVINO backend runs on the CPU, not on {device}.",
                "Choose --device cpu, or the torch backend.",
            )
        from pipelines.segmentation.openvino_backend import choose_precision, compile_folds

        chosen = choose_precision(precision, verified=files.bf16_verified)
        network, folds = compile_folds(
            files, precision=chosen, threads=threads, cache_dir=cache_dir
        )
        return Segmenter(files, network, folds, device, backend, chosen, tile_step)
    if precision == "bf16":
        raise DeviceError(
            "The torch backend does not compute in bfloat16.",
            "Choose precision auto or f32, or the openvino backend.",
        )
    network = build_network(files)
    modules = tuple(module.to(device) for module in network.folds)
    arithmetic = "f32" if device == "cpu" else "f16"  # nnU-Net uses autocast on GPUs
    return Segmenter(files, network, modules, device, backend, arithmetic, tile_step)


@torch.inference_mode()
def predict_labels(
    channels: npt.NDArray[np.floating],
    affine: Affine,
    segmenter: Segmenter,
    progress: Progress | None = None,
) -> Prediction:
    """Label every voxel of a scan.

    Voxel sizes may be anything: the scan is resampled to the network's voxel size, and logits are
    interpolated linearly back to the scan's voxels before the label is chosen. Two-dimensional
    networks see each slice alone and leave the slice distance as it is.

    Parameters
    ----------
    channels : ndarray of shape (c, x, y, z)
        From :func:`pipelines.segmentation.channels.stack_channels`.
    affine : ndarray of shape (4, 4)
        Affine of the scan, mm.
    segmenter : Segmenter
        A loaded model.
    progress : callable, optional
        Called with the number of tiles done and the number of all tiles.

    Returns
    -------
    Prediction

    Raises
    ------
    DataError
        If the affine is not usable or the images hold no signal.
    ModelError
        If the number of channels is not the model's.
    DeviceError
        If the GPU runs out of memory.
    """
    check_affine(affine)
    files, network = segmenter.files, segmenter.network
    if channels.ndim != 4 or len(channels) != network.n_channels:
        raise ModelError(
            f"Model {files.name} has {network.n_channels} input channels; "
            f"{len(channels) if channels.ndim == 4 else 'an array without'} channels were given.",
            "Choose a model that fits the images.",
        )
    if min(channels.shape) == 0:
        raise DataError(f"The images are empty (shape {channels.shape[1:]}).")
    orientation = files.orientation or CANONICAL
    prepared = prepare(channels, affine, network, dict(files.dataset), orientation)
    volume = empty_volume(prepared.axes, network.n_classes)
    try:
        for first, logits in _logits(prepared.data, segmenter, progress):
            write_slices(volume, logits, prepared.axes, first)
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            f"The memory of {segmenter.device} does not suffice: {error}.",
            "Free it, or choose --device cpu.",
        ) from error
    transpose = network.plans_manager.transpose_forward
    labels, probability, entropy = (
        from_network_order(array, orientation, transpose)
        for array in (volume.labels, volume.probability, volume.entropy)
    )
    soft = {value: float(v) for value, v in enumerate(volume.soft_voxels) if value > 0}
    return Prediction(labels, probability, entropy, soft)  # type: ignore[arg-type]


def _logits(
    data: npt.NDArray[np.float32], segmenter: Segmenter, progress: Progress | None
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield blocks of logits along the first axis, averaged over folds, with their start."""
    from pipelines.segmentation.sliding_window import BYTES_PER_LOGIT, count_tiles, slide

    network, device = segmenter.network, torch.device(segmenter.device)
    patch = network.patch_size
    per_slice = network.n_classes * math.prod(data.shape[2:]) * BYTES_PER_LOGIT
    step = max(1, BLOCK_BYTES // per_slice) if len(patch) == 2 else data.shape[1]
    results = _results_device(device, per_slice * min(step, data.shape[1]))
    tiles = count_tiles(data.shape[1:], patch, segmenter.tile_step) * len(segmenter.folds)
    counter = _TileCounter(tiles, progress)
    for first in range(0, data.shape[1], step):
        block = torch.from_numpy(data[:, first : first + step]).to(results)
        total: torch.Tensor | None = None
        for fold in segmenter.folds:
            logits = slide(
                block,
                fold,
                patch,
                step=segmenter.tile_step,
                device=device,
                results=results,
                done=counter,
            ).to("cpu")
            total = logits if total is None else total.add_(logits)
        if total is not None:
            yield first, total.div_(len(segmenter.folds))


def _results_device(device: torch.device, logits_bytes: int) -> torch.device:
    """Choose where logits are added up: on the GPU if they fit, else in main memory."""
    fits = device.type == "cuda" and (
        logits_bytes < _GPU_SHARE * torch.cuda.mem_get_info(device)[0]
    )
    return device if fits else torch.device("cpu")


class _TileCounter:
    """Reports progress tile by tile."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
