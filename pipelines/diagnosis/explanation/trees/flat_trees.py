"""Trees of a booster in the order in which they are walked."""

# ruff: noqa: PLR0917
# Compiled functions take their arrays one by one.
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.arrays import Float32, Float64, Int32, Int64
from pipelines.diagnosis.explanation.trees.booster_file import read_booster
from pipelines.diagnosis.explanation.trees.compiled import compiled
from pipelines.errors import ModelError

# Deeper trees than any search makes; a longer path in a file means that it is damaged.
MAX_DEPTH = 64


@dataclass(frozen=True)
class FlatTrees:
    """All trees of a booster, depth first: the left child of a node follows it.

    Attributes
    ----------
    feature : ndarray of int32, shape (N,)
        Row of :func:`tile_rows` that a node compares; -1 at a leaf.
    value : ndarray of float32, shape (N,)
        Threshold of a node (smaller goes left), or value of a leaf.
    right : ndarray of int32, shape (N,)
        Position of the right child.
    left_share, right_share : ndarray of float32, shape (N,)
        Share of a node's training weight (sum of Hessians) in each child.
    above : ndarray of int8, shape (N,)
        Nearest edge above with the same feature, 2 x its depth + its side; -1 if there is none.
    roots : ndarray of int32, shape (T,)
        Position of each tree's root; trees of a class are neighbours.
    class_start : ndarray of int64, shape (K + 1,)
        Where the trees of each class begin in ``roots``.
    depth : int
        Largest number of edges from a root to a leaf.
    features : int
        Number of features.
    expected : ndarray of float64, shape (K,)
        Mean margin over the training weight: the base value of the explanation.
    """

    feature: Int32
    value: Float32
    right: Int32
    left_share: Float32
    right_share: Float32
    above: npt.NDArray[np.int8]
    roots: Int32
    class_start: Int64
    depth: int
    features: int
    expected: Float64


def flatten_booster(data: bytes, source: str, *, classes: int, features: int) -> FlatTrees:
    """Read the trees of a stored booster.

    Parameters
    ----------
    data : bytes
        UBJ.
    source : str
        How messages name it.
    classes, features : int
        Numbers it must have.

    Raises
    ------
    ModelError
        If it cannot be read, is no tree booster, has other numbers of classes or features,
        categorical splits, broken trees, or values in them that are no numbers or no weights.
    """
    booster = read_booster(data, source)
    if (len(booster.base), booster.features) != (classes, features):
        raise ModelError(
            f"{source} knows {len(booster.base)} classes and {booster.features} features, "
            f"the model {classes} and {features}.",
            "Store the model again.",
        )
    order = np.argsort(booster.tree_class, kind="stable")
    counts = booster.counts[order, 0]
    starts = np.concatenate([[0], np.cumsum(counts)])
    total = int(starts[-1])
    words = np.empty((5, total), np.uint32)
    flags = np.empty((2, total), np.uint8)
    _copy_arrays(booster.content, booster.offsets[order], starts, words, flags)
    if flags[1].any():
        raise ModelError(f"{source} splits on categories, which the explanation does not know.")
    feature, right = np.full(total, -1, np.int32), np.zeros(total, np.int32)
    value = np.zeros(total, np.float32)
    shares = np.zeros((2, total), np.float32)
    above = np.full(total, -1, np.int8)
    expected = np.zeros(len(order))
    numbers = words[3:].view(np.float32)
    if not np.isfinite(numbers).all() or not (numbers[1] > 0).all():
        # A share of no weight would make explanations of their own.
        raise ModelError(
            f"{source} has a tree with thresholds, values or weights that no training gives.",
            "The file is damaged or was made by other software; do not use it.",
        )
    depth = _order_nodes(
        starts,
        words[:3].view(np.int32),
        numbers,
        flags[0],
        booster.features,
        feature,
        value,
        right,
        shares,
        above,
        expected,
    )
    if depth < 0:
        raise ModelError(
            f"{source} has a tree whose nodes do not hang together.",
            "The file is damaged or was made by other software; do not use it.",
        )
    tree_class = booster.tree_class[order]
    return FlatTrees(
        feature,
        value,
        right,
        shares[0],
        shares[1],
        above,
        starts[:-1].astype(np.int32),
        np.searchsorted(tree_class, np.arange(classes + 1)),
        depth,
        booster.features,
        booster.base + np.bincount(tree_class, weights=expected, minlength=classes),
    )


def tile_rows(features: Float32) -> Float32:
    """Lay out samples for the walk.

    Parameters
    ----------
    features : ndarray of float32, shape (n, p)
        NaN where missing.

    Returns
    -------
    ndarray of float32, shape (2 * p, n)
        Features twice: a missing value is -inf in the first copy, for nodes that send it left, and
        +inf in the second, for nodes that send it right.
    """
    columns = np.ascontiguousarray(features.T, dtype=np.float32)
    missing = np.isnan(columns)
    low, high = np.float32(-np.inf), np.float32(np.inf)
    return np.concatenate([np.where(missing, low, columns), np.where(missing, high, columns)])


@compiled
def _copy_arrays(content, offsets, starts, words, flags):  # type: ignore[no-untyped-def]
    """Copy the big-endian arrays of every tree behind one another."""
    for tree in range(offsets.shape[0]):
        for node in range(starts[tree + 1] - starts[tree]):
            to = starts[tree] + node
            for row in range(5):
                at = offsets[tree, row] + 4 * node
                words[row, to] = (
                    (np.uint32(content[at]) << np.uint32(24))
                    | (np.uint32(content[at + 1]) << np.uint32(16))
                    | (np.uint32(content[at + 2]) << np.uint32(8))
                    | np.uint32(content[at + 3])
                )
            for row in range(2):
                flags[row, to] = content[offsets[tree, 5 + row] + node]


@compiled
def _order_nodes(  # type: ignore[no-untyped-def]
    starts,
    integers,
    numbers,
    default_left,
    features,
    feature,
    value,
    right,
    shares,
    above,
    expected,
):
    """Write every tree depth first; return the largest depth, or -1 if a tree is broken."""
    deepest = 0
    # Of the path to the node in hand: source node, side taken, position, feature, weight.
    source = np.zeros(MAX_DEPTH + 1, np.int64)
    side = np.zeros(MAX_DEPTH + 1, np.int64)
    place = np.zeros(MAX_DEPTH + 1, np.int64)
    used = np.zeros(MAX_DEPTH + 1, np.int64)
    weight = np.ones(MAX_DEPTH + 1, np.float64)
    seen = np.full(integers.shape[1], -1, np.int64)
    for tree in range(starts.size - 1):
        first, count = starts[tree], starts[tree + 1] - starts[tree]
        at = first
        d, source[0], side[0], weight[0] = 0, 0, -1, 1.0
        while d >= 0:
            here = first + source[d]
            if side[d] < 0:
                place[d] = at
                at += 1
                value[place[d]] = numbers[0, here]
                if integers[0, here] < 0:
                    expected[tree] += weight[d] * numbers[0, here]
                    d -= 1
                    continue
                column = integers[2, here]
                if d == MAX_DEPTH or not 0 <= column < features:
                    return -1
                deepest = max(deepest, d + 1)
                used[d] = column
                for e in range(d - 1, -1, -1):
                    if used[e] == column:
                        above[place[d]] = 2 * e + side[e]
                        break
                feature[place[d]] = column if default_left[here] else column + features
            side[d] += 1
            if side[d] == 2:
                d -= 1
                continue
            child = integers[side[d], here]
            if not 0 < child < count or seen[child] == tree:
                return -1
            seen[child] = tree
            if side[d] == 1:
                right[place[d]] = at
            share = numbers[1, first + child] / numbers[1, here]
            shares[side[d], place[d]] = share
            source[d + 1], side[d + 1], weight[d + 1] = child, -1, weight[d] * share
            d += 1
        if at != first + count:
            return -1
    return deepest
