"""SHAP values and interactions of the trees of one class, for a tile of rows."""

import numpy as np
import numpy.typing as npt

from pipelines.diagnosis.explanation.flat_trees import FlatTrees
from pipelines.diagnosis.explanation.tree_kernel import POINTS, walk_trees

Float32 = npt.NDArray[np.float32]


def quadrature(depth: int) -> tuple[Float32, Float32]:
    """Return Gauss-Legendre nodes and weights on (0, 1), enough for trees of a depth.

    Parameters
    ----------
    depth : int
        Largest number of edges from the root to a leaf.

    Returns
    -------
    nodes, weights : ndarray of float32, shape (passes, 3)
        One row per pass through the trees.
    """
    passes = max(1, -(-depth // (2 * POINTS)))
    nodes, weights = np.polynomial.legendre.leggauss(POINTS * passes)
    shape = (passes, POINTS)
    return (
        ((nodes + 1) / 2).astype(np.float32).reshape(shape),
        (weights / 2).astype(np.float32).reshape(shape),
    )


def explain_tile(trees: FlatTrees, group: int, rows: Float32, values: Float32) -> None:
    """Add the SHAP values of one class's trees for a tile of rows.

    Parameters
    ----------
    trees : FlatTrees
        Trees of a booster.
    group : int
        Index of the class.
    rows : ndarray of float32, shape (2 * features, n), n <= 512, C order
        Features as :func:`pipelines.diagnosis.explanation.flat_trees.tile_rows` lays them out.
    values : ndarray of float32, shape (features, n)
        Changed in place.
    """
    _run(trees, group, rows, values, None)


def explain_pairs_tile(
    trees: FlatTrees, group: int, rows: Float32, values: Float32, interactions: Float32
) -> None:
    """Add SHAP values and interactions of one class's trees for a tile of rows.

    Parameters
    ----------
    trees, group, rows, values
        As for :func:`explain_tile`.
    interactions : ndarray of float32, shape (features, features, n)
        Changed in place: ``[i, j]`` with i < j gains phi_ij, half the joint effect of both
        features; the rest is left alone.
    """
    _run(trees, group, rows, values, interactions)


def _run(
    trees: FlatTrees,
    group: int,
    rows: Float32,
    values: Float32,
    interactions: Float32 | None,
) -> None:
    first, last = trees.class_start[group], trees.class_start[group + 1]
    nodes, weights = quadrature(trees.depth)
    for t, w in zip(nodes, weights, strict=True):
        walk_trees(
            trees.roots[first:last],
            trees.feature,
            trees.value,
            trees.right,
            trees.left_share,
            trees.right_share,
            trees.above,
            trees.depth,
            rows,
            t,
            w,
            values,
            interactions,
        )
