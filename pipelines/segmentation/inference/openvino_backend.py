"""Run a network on the CPU with OpenVINO: the weights of PyTorch, several times faster.

Networks come converted with the model, or are converted once and kept in a cache folder. Only that
conversion imports torch.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipelines.arrays import Float32
from pipelines.errors import DeviceError
from pipelines.segmentation.catalogue.model_files import ModelFiles
from pipelines.segmentation.catalogue.trust import CONVERTED_FOLDER
from pipelines.segmentation.inference.nnunet_extra import require_nnunet
from pipelines.segmentation.inference.openvino_runtime import ov
from pipelines.segmentation.plans.network_plan import NetworkPlan

Precision = Literal["f32", "bf16"]

# Slices worked on side by side at most: each holds its own activations, tens of MB for the default
# model and hundreds for large ones.
MAX_STREAMS = 16


class CompiledNetwork:
    """Computes the logits of tiles; see :class:`~.sliding_window.TileNetwork`."""

    def __init__(self, compiled: Any) -> None:
        # One more than run side by side, so that none waits while a result is fetched.
        count = int(compiled.get_property("NUM_STREAMS")) + 1
        self._requests = [compiled.create_infer_request() for _ in range(count)]

    def __call__(self, tiles: Iterable[Float32]) -> Iterator[Float32]:
        """Give the logits of each tile, in order."""
        running: deque[Any] = deque()
        try:
            for tile, request in zip(tiles, itertools.cycle(self._requests), strict=False):
                if len(running) == len(self._requests):
                    yield _logits(running.popleft())
                request.start_async([np.ascontiguousarray(tile[np.newaxis])])
                running.append(request)
            while running:
                yield _logits(running.popleft())
        finally:  # also if nobody asks for the rest
            for request in running:
                request.wait()


def _logits(request: Any) -> Float32:
    request.wait()
    logits: Float32 = request.get_output_tensor().data[0]
    return logits


def choose_precision(requested: str, *, verified: bool) -> Precision:
    """Choose the arithmetic of the network.

    ``auto`` is bfloat16 where this CPU computes in it and the model is verified to give the same
    labels, else float32.
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
    files: ModelFiles,
    plan: NetworkPlan,
    *,
    precision: Precision,
    threads: int,
    cache_dir: Path | None,
) -> tuple[CompiledNetwork, ...]:
    """Compile the networks of a model for this CPU, one per fold.

    A two-dimensional network computes each slice with one thread, as many slices side by side as
    there are threads: its logits then do not depend on their number. The tiles of a
    three-dimensional one hold gigabytes of activations and are computed one by one. Without a cache
    folder they are converted every time.
    """
    streams = min(threads, MAX_STREAMS) if len(plan.patch_size) == 2 else 1
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": streams if len(plan.patch_size) == 2 else threads,
        "NUM_STREAMS": streams,
        # Sessions that run side by side would be bound to the same CPUs.
        "ENABLE_CPU_PINNING": False,
    }
    core = ov.Core()
    folds = []
    for checkpoint in files.checkpoints:
        model = _read_or_convert(core, files, plan, checkpoint, cache_dir)
        model.reshape([1, plan.n_channels, *plan.patch_size])
        folds.append(CompiledNetwork(core.compile_model(model, "CPU", options)))
    return tuple(folds)


def _read_or_convert(
    core: Any, files: ModelFiles, plan: NetworkPlan, checkpoint: Path, cache_dir: Path | None
) -> Any:
    fold = checkpoint.parent.name
    shipped = f"{CONVERTED_FOLDER}/{fold}"
    if {f"{shipped}.xml", f"{shipped}.bin"} <= set(files.checksums):
        return core.read_model(files.folder / f"{shipped}.xml")
    release = ov.__version__.split("-", maxsplit=1)[0]
    name = f"openvino-{release}-{files.checksum[:16]}"
    kept = None if cache_dir is None else cache_dir / name / f"{fold}.xml"
    if kept is not None and kept.is_file():
        return core.read_model(kept)
    require_nnunet(f"Converting model {files.name} for OpenVINO")
    from pipelines.segmentation.inference.openvino_conversion import convert, keep

    model = convert(files, plan, checkpoint)
    if kept is not None:
        keep(model, kept)
    return model
