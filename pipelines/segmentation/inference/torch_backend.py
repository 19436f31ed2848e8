"""Run a network with PyTorch, on the CPU or a GPU (imports torch)."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from pipelines.arrays import Float32
from pipelines.errors import DeviceError
from pipelines.segmentation.catalogue.model_files import ModelFiles
from pipelines.segmentation.inference.network import build_network
from pipelines.segmentation.plans.network_plan import NetworkPlan


class TorchNetwork:
    """Computes the logits of tiles; see :class:`~.sliding_window.TileNetwork`."""

    def __init__(self, module: torch.nn.Module, device: str) -> None:
        self._module = module.to(device)
        self._device = torch.device(device)

    def __call__(self, tiles: Iterable[Float32]) -> Iterator[Float32]:
        """Give the logits of each tile, in order."""
        for tile in tiles:
            yield self._logits(tile)

    @torch.inference_mode()
    def _logits(self, tile: Float32) -> Float32:
        image = torch.from_numpy(np.ascontiguousarray(tile[np.newaxis]))
        try:
            with torch.autocast(self._device.type, enabled=self._device.type == "cuda"):
                logits = self._module(image.to(self._device))[0]
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"The memory of {self._device} does not suffice: {error}.",
                "Free it, or choose --device cpu.",
            ) from error
        result: Float32 = logits.float().cpu().numpy()
        return result


def load_folds(
    files: ModelFiles, plan: NetworkPlan, *, device: str, threads: int
) -> tuple[TorchNetwork, ...]:
    """Load the networks of a model, one per fold."""
    torch.set_num_threads(threads)
    return tuple(
        TorchNetwork(build_network(files, plan, checkpoint), device)
        for checkpoint in files.checkpoints
    )
