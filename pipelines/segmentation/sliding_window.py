"""Run a network over data larger than its tile, as nnU-Net does (imports torch).

Same tiles and weights as nnU-Net's predictor, whose import takes a second because it brings the
compiler of PyTorch along. Logits are added up in float32, and tiles that nothing overlaps are
taken as they are.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from nnunetv2.inference.sliding_window_prediction import (
    compute_gaussian,
    compute_steps_for_sliding_window,
)

BYTES_PER_LOGIT = 4

Index = int | slice


def tile_starts(shape: Sequence[int], patch: Sequence[int], step: float) -> list[tuple[int, ...]]:
    """Return where the tiles of one slice (2D network) or of the volume (3D) begin.

    Parameters
    ----------
    shape : sequence of int
        Size of the data along the axes of the tile; what is smaller than the tile is padded.
    patch : sequence of int
        Size of the tile.
    step : float
        Step as a share of the tile.
    """
    padded = tuple(max(n, p) for n, p in zip(shape, patch, strict=True))
    return list(itertools.product(*compute_steps_for_sliding_window(padded, tuple(patch), step)))


def count_tiles(shape: Sequence[int], patch: Sequence[int], step: float) -> int:
    """Return the number of tiles of data of `shape` (three axes) for a 2D or a 3D network."""
    axes = len(patch)
    slices = math.prod(shape[: len(shape) - axes])
    return slices * len(tile_starts(shape[len(shape) - axes :], patch, step))


def slide(
    data: torch.Tensor,
    network: torch.nn.Module,
    patch: Sequence[int],
    *,
    step: float,
    device: torch.device,
    results: torch.device,
    done: Callable[[], None] | None = None,
) -> torch.Tensor:
    """Return the logits of a block.

    Parameters
    ----------
    data : torch.Tensor of shape (c, a, b, d)
        Prepared channels.
    network : torch.nn.Module
        Maps (1, c, *patch) to (1, classes, *patch).
    patch : sequence of int
        Size of the tile; with two numbers each slice along the first axis is seen alone.
    step : float
        Step as a share of the tile.
    device, results : torch.device
        Where the network runs, where logits are added up.
    done : callable, optional
        Called after each tile.

    Returns
    -------
    torch.Tensor of shape (classes, a, b, d)
        Mean over the tiles that cover a voxel, weighted with nnU-Net's Gaussian; on `results`.
    """
    axes = len(patch)
    padding = [max(0, p - n) for p, n in zip(patch, data.shape[-axes:], strict=True)]
    before = [missing // 2 for missing in padding]
    pairs = [(low, total - low) for low, total in zip(before, padding, strict=True)]
    padded = torch.nn.functional.pad(data, [n for pair in reversed(pairs) for n in pair])
    starts = tile_starts(padded.shape[-axes:], patch, step)
    weight = compute_gaussian(tuple(patch), value_scaling_factor=10, device=results).float()
    total, cover = None, torch.zeros(padded.shape[-axes:], device=results)
    for start in starts:
        cover[_window(start, patch)] += weight
    everything = slice(None)
    planes: list[tuple[Index, ...]] = [(z,) for z in range(padded.shape[1])] if axes == 2 else [()]
    with torch.autocast(device.type, enabled=device.type == "cuda"):
        for plane, start in itertools.product(planes, starts):
            window = (everything, *plane, *_window(start, patch))
            tile = padded[window].to(device).contiguous()
            logits = network(tile[None])[0].to(results, torch.float32)
            if done is not None:
                done()
            if total is None:
                total = torch.zeros((len(logits), *padded.shape[1:]), device=results)
            if len(starts) == 1:
                total[window] = logits
            else:
                total[window] += logits * weight
    if total is None:
        raise ValueError("There are no slices to predict.")
    if len(starts) > 1:
        total /= cover
    inner = _window(before, data.shape[-axes:])
    return total[(*[everything] * (4 - axes), *inner)]


def _window(start: Sequence[int], patch: Sequence[int]) -> tuple[Index, ...]:
    return tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
