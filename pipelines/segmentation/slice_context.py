"""Let the slices above and below have a say in what a two-dimensional network sees in a slice."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


def mix_neighbours(
    blocks: Iterable[tuple[int, Array]], weight: float
) -> Iterator[tuple[int, Array]]:
    """Mix each slice's logits with those of the slices above and below.

    A muscle goes on from slice to slice, and a network that sees each slice alone does not know.
    The mean of logits is a product of probabilities: where the slice itself is clear, its
    neighbours change nothing.

    Parameters
    ----------
    blocks : iterable of (int, ndarray of float32, shape (classes, a, b, d))
        Position of a block's first slice along the first axis, and its logits; all slices, in
        order. The arrays are changed in place.
    weight : float
        What each neighbour counts, against 1 for the slice itself.

    Yields
    ------
    first : int
        As given.
    logits : ndarray of float32, shape (classes, a, b, d)
        Weighted mean over the slice and its neighbours; the first and the last slice have one.
    """
    before: Array | None = None
    waiting: tuple[int, Array] | None = None
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


def _mix(logits: Array, before: Array | None, after: Array | None, weight: float) -> None:
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
