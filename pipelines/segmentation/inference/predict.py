"""Predict the labels of a scan, in one process and with bounded memory.

The steps are nnU-Net's: its preparation of images, tiles and weights. Around them: no worker
processes, no shared memory, no environment variables, no mirroring, the volume cut to the body,
two-dimensional networks fed a few slices at a time, and labels chosen slice by slice; adjacent
slices have a say where the model's entry in the registry says so. Importing torch takes longer than
segmenting a scan, so only the torch backend does.
"""

import functools
import math
import operator
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipelines.arrays import Affine, Float32, Float64, Floating
from pipelines.errors import DataError, DeviceError, ModelError
from pipelines.geometry import check_affine
from pipelines.progress import Progress
from pipelines.segmentation.catalogue.model_files import ModelFiles
from pipelines.segmentation.inference.device import resolve_device
from pipelines.segmentation.inference.export import Prediction, empty_volume, write_slices
from pipelines.segmentation.inference.nnunet_extra import require_nnunet
from pipelines.segmentation.inference.preparation import CANONICAL, from_network_order, prepare
from pipelines.segmentation.inference.sliding_window import (
    BYTES_PER_LOGIT,
    TileNetwork,
    count_tiles,
    mix_neighbours,
    slide,
)
from pipelines.segmentation.plans.network_plan import NetworkPlan

Backend = Literal["auto", "torch", "openvino"]

# Tiles advance by this share of their size. nnU-Net's 0.5 places them alike in a body of up to one
# and a half tiles, as nearly every thigh is for the default model; beyond, it costs up to twice as
# many in each direction.
TILE_STEP = 0.7
# Logits of one block of slices of a two-dimensional network; up to three blocks are held at a time
# (one that waits for its neighbour, the sum over folds and the fold that is added to it).
BLOCK_BYTES = 128 * 1024**2


@dataclass(frozen=True)
class Segmenter:
    """A model that is loaded and ready, for any number of scans.

    Attributes
    ----------
    files : ModelFiles
        The model.
    plan : NetworkPlan
        Its configuration.
    folds : tuple of TileNetwork
        What computes logits, one per fold.
    device : str
        ``cpu`` or ``cuda:N``.
    backend : {'torch', 'openvino'}
        What runs the networks.
    precision : {'f32', 'bf16', 'f16'}
        Arithmetic of the networks.
    tile_step : float
        Step of the sliding window as a share of the tile.
    body_cut : bool
        Whether images are cut to the body, which then often fits into one tile.
    neighbour_weight : float
        What the logits of adjacent slices count beside those of a slice (1).
    """

    files: ModelFiles
    plan: NetworkPlan
    folds: tuple[TileNetwork, ...]
    device: str
    backend: str
    precision: str
    tile_step: float
    body_cut: bool
    neighbour_weight: float

    def provenance(self) -> dict[str, Any]:
        """Return what a sidecar says about the model and how it was run."""
        return {
            "Model": self.files.name,
            "ModelVersion": self.files.version,
            "ModelSHA256": self.files.checksum,
            "Configuration": self.plan.configuration,
            "Folds": len(self.folds),
            "Backend": self.backend,
            "Precision": self.precision,
            "Device": self.device,
            "PatchSize": list(self.plan.patch_size),
            "NetworkSpacing": list(self.plan.spacing),
            "TileStep": self.tile_step,
            "BodyCut": self.body_cut,
            "Mirroring": False,
            "NeighbourWeight": self.neighbour_weight,
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
    body_cut: bool = True,
    neighbours: bool = True,
) -> Segmenter:
    """Load a model for prediction.

    With `tile_step` 0.5 and without `body_cut` and `neighbours`, labels are those of nnU-Net's own
    command without mirroring.

    Parameters
    ----------
    files : ModelFiles
        From :func:`pipelines.segmentation.catalogue.model_files.open_model`.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    backend : {'auto', 'torch', 'openvino'}
        ``auto``: OpenVINO on the CPU, PyTorch on a GPU.
    precision : {'auto', 'f32', 'bf16'}
        Arithmetic on the CPU; see :func:`~.openvino_backend.choose_precision`.
    threads : int or None
        CPU threads of the network; None for all CPUs that this process may use.
    cache_dir : pathlib.Path or None
        Where converted networks are kept.
    tile_step : float
        Step of the sliding window as a share of the tile, above 0 and at most 1.
    body_cut : bool
        Whether images are cut to the body.
    neighbours : bool
        Whether adjacent slices have a say, if the model gives them one.

    Raises
    ------
    DeviceError
        If the device, or the precision on it, cannot be had.
    MissingPackageError
        If the model needs PyTorch and nnU-Net and they are not installed.
    ModelError
        If the model cannot be loaded.
    """
    device = resolve_device(device)
    threads = threads or len(os.sched_getaffinity(0))
    if backend == "auto":
        backend = "openvino" if device == "cpu" else "torch"
    plan = _plan(files)
    folds: tuple[TileNetwork, ...]
    arithmetic: str
    if backend == "openvino":
        if device != "cpu":
            raise DeviceError(
                f"The OpenVINO backend runs on the CPU, not on {device}.",
                "Choose --device cpu, or the torch backend.",
            )
        from pipelines.segmentation.inference.openvino_backend import (
            choose_precision,
            compile_folds,
        )

        arithmetic = choose_precision(precision, verified=files.bf16_verified)
        folds = compile_folds(
            files, plan, precision=arithmetic, threads=threads, cache_dir=cache_dir
        )
    else:
        if precision == "bf16":
            raise DeviceError(
                "The torch backend does not compute in bfloat16.",
                "Choose precision auto or f32, or the openvino backend.",
            )
        require_nnunet("The torch backend")
        from pipelines.segmentation.inference.torch_backend import load_folds

        folds = load_folds(files, plan, device=device, threads=threads)
        arithmetic = "f32" if device == "cpu" else "f16"  # nnU-Net uses autocast on GPUs
    return Segmenter(
        files=files,
        plan=plan,
        folds=folds,
        device=device,
        backend=backend,
        precision=arithmetic,
        tile_step=tile_step,
        body_cut=body_cut,
        neighbour_weight=files.neighbour_weight if neighbours else 0.0,
    )


def _plan(files: ModelFiles) -> NetworkPlan:
    """Return a model's configuration, which its weight of adjacent slices must fit."""
    plan = files.plan
    if plan is None:
        require_nnunet(f"Model {files.name}, whose folder names no configuration,")
        from pipelines.segmentation.inference.network import plan_of_checkpoint

        plan = plan_of_checkpoint(files)
    if files.neighbour_weight > 0 and len(plan.patch_size) == 3:
        raise ModelError(
            f"Model {files.name} is three-dimensional and sees adjacent slices already; its "
            "neighbour_weight is for two-dimensional models.",
            "Remove neighbour_weight from the model registry.",
        )
    return plan


def predict_labels(
    channels: Floating,
    affine: Affine,
    segmenter: Segmenter,
    progress: Progress | None = None,
) -> Prediction:
    """Label every voxel of a scan.

    Voxel sizes may be anything: the scan is resampled to the network's voxel size, and logits are
    interpolated linearly back to the scan's voxels before the label is chosen. Two-dimensional
    networks see each slice alone and leave the slice distance as it is; adjacent slices count
    afterwards, by the segmenter's `neighbour_weight`.

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
    files, plan = segmenter.files, segmenter.plan
    if channels.ndim != 4 or len(channels) != plan.n_channels:
        raise ModelError(
            f"Model {files.name} has {plan.n_channels} input channels; "
            f"{len(channels) if channels.ndim == 4 else 'an array without'} channels were given.",
            "Choose a model that fits the images.",
        )
    if min(channels.shape) == 0:
        raise DataError(f"The images are empty (shape {channels.shape[1:]}).")
    orientation = files.orientation or CANONICAL
    prepared = prepare(channels, affine, plan, orientation, body_cut=segmenter.body_cut)
    volume = empty_volume(prepared.axes, plan.n_classes)
    blocks = _logits(prepared.data, segmenter, progress)
    if segmenter.neighbour_weight > 0:
        blocks = mix_neighbours(blocks, segmenter.neighbour_weight)
    for first, logits in blocks:
        write_slices(volume, logits, prepared.axes, first)
    labels, probability, entropy = (
        from_network_order(array, orientation, plan.transpose)
        for array in (volume.labels, volume.probability, volume.entropy)
    )
    soft = {
        value: _per_slice(slices, orientation, plan.transpose)
        for value, slices in enumerate(volume.soft_voxels)
        if value > 0
    }
    return Prediction(labels, probability, entropy, soft)  # type: ignore[arg-type]


def _per_slice(slices: Float64, orientation: str, transpose: Sequence[int]) -> Float64:
    """Return sums of the network's slices along z; added up if they lie along another axis."""
    soft = from_network_order(slices[:, None, None], orientation, transpose).astype(np.float64)
    return soft if soft.shape[:2] == (1, 1) else soft.sum(keepdims=True)


def _logits(
    data: Float32, segmenter: Segmenter, progress: Progress | None
) -> Iterator[tuple[int, Float32]]:
    """Yield blocks of logits along the first axis averaged over folds, with their start."""
    plan, folds = segmenter.plan, segmenter.folds
    per_slice = plan.n_classes * math.prod(data.shape[2:]) * BYTES_PER_LOGIT
    length = max(1, BLOCK_BYTES // per_slice) if len(plan.patch_size) == 2 else data.shape[1]
    tiles = count_tiles(data.shape[1:], plan.patch_size, segmenter.tile_step) * len(folds)
    counter = _TileCounter(tiles, progress)
    for first in range(0, data.shape[1], length):
        block = data[:, first : first + length]
        of_folds = (
            slide(
                block,
                fold,
                plan.patch_size,
                plan.n_classes,
                step=segmenter.tile_step,
                done=counter,
            )
            for fold in folds
        )
        total = functools.reduce(operator.iadd, of_folds)
        total /= len(folds)
        yield first, total


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
