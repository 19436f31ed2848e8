"""Run a network over data larger than its tile: nnU-Net's tiles and weights, in numpy.

Logits are added up in float32, and tiles that nothing overlaps are taken as they are.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.arrays import Float32, Float64

Index = int | slice

BYTES_PER_LOGIT = 4

# Weights of a tile fall off like a Gaussian with this share of its size as standard deviation;
# nnU-Net scales them to this value in the middle and keeps them in half precision.
_SIGMA_SHARE = 1 / 8
_MIDDLE_WEIGHT = 10


class TileNetwork(Protocol):
    """A network, on any backend."""

    def __call__(self, tiles: Iterable[Float32]) -> Iterator[Float32]:
        """Give the logits (classes, *patch) of each tile (c, *patch), in order.

        An array that is given holds only until the next one is asked for.
        """


def tile_starts(shape: Sequence[int], patch: Sequence[int], step: float) -> list[tuple[int, ...]]:
    """Return where the tiles of one slice (2D network) or of the volume (3D) begin.

    What is smaller than the tile is padded; `step` is the largest step as a share of the tile.
    """
    starts = []
    for length, size in zip(shape, patch, strict=True):
        room = max(0, length - size)
        steps = math.ceil(room / (size * step))
        starts.append([round(room / steps * k) for k in range(steps + 1)] if steps else [0])
    return list(itertools.product(*starts))


def tile_weights(patch: Sequence[int]) -> Float32:
    """Return how much each voxel of a tile counts; never 0."""
    falls = []
    for size in patch:
        impulse = np.zeros(size)
        impulse[size // 2] = 1.0
        falls.append(ndimage.gaussian_filter1d(impulse, size * _SIGMA_SHARE, mode="constant"))
    weights: Float64 = functools.reduce(np.multiply.outer, falls)
    halved: npt.NDArray[np.float16] = (_MIDDLE_WEIGHT * weights / weights.max()).astype(np.float16)
    halved[halved == 0] = halved[halved > 0].min()
    return halved.astype(np.float32)


def count_tiles(shape: Sequence[int], patch: Sequence[int], step: float) -> int:
    """Return the number of tiles of data of `shape` (three axes) for a 2D or a 3D network."""
    axes = len(patch)
    slices = math.prod(shape[: len(shape) - axes])
    return slices * len(tile_starts(shape[len(shape) - axes :], patch, step))


def slide(
    data: Float32,
    network: TileNetwork,
    patch: Sequence[int],
    n_classes: int,
    *,
    step: float,
    done: Callable[[], None] | None = None,
) -> Float32:
    """Return the logits (classes, a, b, d) of a block (c, a, b, d) of prepared channels.

    The mean over the tiles that cover a voxel, weighted with nnU-Net's Gaussian. With a patch of
    two numbers each slice along the first axis is seen alone; `done` is called after each tile.
    """
    axes = len(patch)
    missing = [max(0, p - n) for p, n in zip(patch, data.shape[-axes:], strict=True)]
    before = [n // 2 for n in missing]
    pairs = [(low, total - low) for low, total in zip(before, missing, strict=True)]
    padded = np.pad(data, [(0, 0)] * (4 - axes) + pairs)
    starts = tile_starts(padded.shape[-axes:], patch, step)
    planes: list[tuple[Index, ...]] = [(z,) for z in range(padded.shape[1])] if axes == 2 else [()]
    windows = [
        (slice(None), *plane, *_window(start, patch))
        for plane, start in itertools.product(planes, starts)
    ]
    total = np.zeros((n_classes, *padded.shape[1:]), np.float32)
    weights = tile_weights(patch)
    logits = network(padded[window] for window in windows)
    for window, tile in zip(windows, logits, strict=True):
        if len(starts) == 1:
            total[window] = tile
        else:
            total[window] += tile * weights
        if done is not None:
            done()
    if len(starts) > 1:
        cover = np.zeros(padded.shape[-axes:], np.float32)
        for start in starts:
            cover[_window(start, patch)] += weights
        total /= cover
    inner = _window(before, data.shape[-axes:])
    return total[(*[slice(None)] * (4 - axes), *inner)]


def _window(start: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(s, s + n) for s, n in zip(start, size, strict=True))


def mix_neighbours(
    blocks: Iterable[tuple[int, Float32]], weight: float
) -> Iterator[tuple[int, Float32]]:
    """Mix each slice's logits with those of the slices above and below.

    A muscle goes on from slice to slice, and a network that sees each slice alone does not know.
    The mean of logits is a product of probabilities: where the slice itself is clear, its
    neighbours change nothing. Each neighbour counts `weight`, against 1 for the slice itself.
    Blocks (classes, a, b, d) come in order with the position of their first slice, and are changed
    in place.
    """
    before: Float32 | None = None
    waiting: tuple[int, Float32] | None = None
    for first, logits in blocks:
        if waiting is not None:
            last = waiting[1][:, -1].copy()
            _mix(waiting[1], before, logits[:, 0], weight)
            yield waiting
            before = last
        waiting = (first, logits)
    if waiting is not None:
        _mix(waiting[1], before, None, weight)
        yield waiting


def _mix(logits: Float32, before: Float32 | None, after: Float32 | None, weight: float) -> None:
    """Mix the slices of a block, given those next to it."""
    length = logits.shape[1]
    below = before
    for k in range(length):
        own = logits[:, k].copy()
        above = logits[:, k + 1] if k + 1 < length else after
        neighbours = [slice_ for slice_ in (below, above) if slice_ is not None]
        for neighbour in neighbours:
            logits[:, k] += weight * neighbour
        logits[:, k] /= 1 + weight * len(neighbours)
        below = own
