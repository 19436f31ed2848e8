"""Exact SHAP values and interactions of decision trees, many rows at a time (numba).

The game of path-dependent TreeSHAP (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9) gives a
leaf of value v, reached through conditions on the features j, the worth
``v * prod_{j in S} s_j * prod_{j not in S} r_j`` for a set S of known features: s_j is 1 if the row
meets every condition on j, r_j the share of training rows that do. Its Shapley values are an
integral over t in (0, 1)::

    phi_j = v * int (s_j - r_j) * prod_{k != j} g_k(t) dt,   g_k(t) = r_k (1 - t) + s_k t
    phi_ij = v/2 * int (s_i - r_i) (s_j - r_j) * prod_{k != i,j} g_k(t) dt

The integrand is a polynomial, so Gauss-Legendre nodes give the integral exactly. A walk through the
tree carries the products of g down and their sums over leaves up, for all nodes of a quadrature and
all rows of a tile at once; every arithmetic step is a loop over contiguous rows.

An edge that repeats a feature of an earlier edge replaces that edge's factor, so every step is
written with the state of the earlier edge: ``known`` (1 if the row meets it, and 1 where there is
none) and ``old`` (its share r, 1 where there is none).
"""

import numpy as np

from pipelines.arrays import Float32
from pipelines.diagnosis.explanation.trees.compiled import compiled
from pipelines.diagnosis.explanation.trees.flat_trees import FlatTrees

# ruff: noqa: PLR0917
# Compiled functions take their arrays one by one.

# Most rows handled together: loops long enough to hide their start (512 measured faster than 256
# and 1024), buffers that stay in the cache.
TILE = 512
# Quadrature nodes handled together; three are exact for paths of up to six features.
POINTS = 3
_WIDE = POINTS * TILE
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_ZERO = np.float32(0)


@compiled
def _edge_constants(old, share, value, t, w, edge):  # type: ignore[no-untyped-def]
    """Fill constants of one edge, per quadrature node.

    Rows of ``edge``: 0-2 the factor from the parent's product to the child's (times ``value`` at a
    leaf) as ``[0] + known * [1] + met * [2]``; 3-4 the weighted coefficient of the SHAP value as
    ``known * [3] + met * [4]``; 5-6 the same without the weight.
    """
    merged = old * share
    for q in range(POINTS):
        before = old * (_ONE - t[q]) + t[q]
        after = merged * (_ONE - t[q]) + t[q]
        unmet = -_ONE / (_ONE - t[q]) - (_ONE - old) / before
        met = (_ONE - merged) / after + _ONE / (_ONE - t[q])
        edge[0, q] = value * share
        edge[1, q] = value * share * (old * (_ONE - t[q]) / before - _ONE)
        edge[2, q] = value * t[q] / before
        edge[3, q] = w[q] * unmet
        edge[4, q] = w[q] * met
        edge[5, q] = unmet
        edge[6, q] = met


@compiled
def _descend(x, threshold, product, known, met, below, left, right):  # type: ignore[no-untyped-def]
    """Split a node: who meets the left and the right edge, and the products below both."""
    l00, l01, l02 = left[0, 0], left[0, 1], left[0, 2]
    l10, l11, l12 = left[1, 0], left[1, 1], left[1, 2]
    l20, l21, l22 = left[2, 0], left[2, 1], left[2, 2]
    r00, r01, r02 = right[0, 0], right[0, 1], right[0, 2]
    r10, r11, r12 = right[1, 0], right[1, 1], right[1, 2]
    r20, r21, r22 = right[2, 0], right[2, 1], right[2, 2]
    for i in range(x.shape[0]):
        k = known[i]
        a = k if x[i] < threshold else _ZERO
        b = k - a
        met[i] = a
        met[TILE + i] = b
        p0, p1, p2 = product[i], product[TILE + i], product[2 * TILE + i]
        below[i] = p0 * (l00 + k * l10 + a * l20)
        below[TILE + i] = p1 * (l01 + k * l11 + a * l21)
        below[2 * TILE + i] = p2 * (l02 + k * l12 + a * l22)
        below[3 * TILE + i] = p0 * (r00 + k * r10 + b * r20)
        below[4 * TILE + i] = p1 * (r01 + k * r11 + b * r21)
        below[5 * TILE + i] = p2 * (r02 + k * r12 + b * r22)


@compiled
def _ascend(values, known, met, below, total, left, right):  # type: ignore[no-untyped-def]
    """Close a node: its SHAP values, and the sum over the leaves below it."""
    k0, k1, k2 = left[3, 0], left[3, 1], left[3, 2]
    l0, l1, l2 = left[4, 0], left[4, 1], left[4, 2]
    r0, r1, r2 = right[4, 0], right[4, 1], right[4, 2]
    for i in range(values.shape[0]):
        k, a, b = known[i], met[i], met[TILE + i]
        u0, u1, u2 = below[i], below[TILE + i], below[2 * TILE + i]
        v0, v1, v2 = below[3 * TILE + i], below[4 * TILE + i], below[5 * TILE + i]
        total[i] = u0 + v0
        total[TILE + i] = u1 + v1
        total[2 * TILE + i] = u2 + v2
        values[i] += (
            u0 * (k * k0 + a * l0)
            + v0 * (k * k0 + b * r0)
            + u1 * (k * k1 + a * l1)
            + v1 * (k * k1 + b * r1)
            + u2 * (k * k2 + a * l2)
            + v2 * (k * k2 + b * r2)
        )


@compiled
def _leaf_pair(x, threshold, product, known, total, values, left, right):  # type: ignore[no-untyped-def]
    """Do both steps at once at a node whose children are leaves (half of all nodes)."""
    # Sum over leaves, and weighted SHAP coefficient times it, where the row meets the earlier
    # edge and goes right (base) or left (base + gain).
    base, gain = left[7], right[7]
    sbase, sgain = left[8], right[8]
    none = left[0]
    for q in range(POINTS):
        none[q] += right[0, q]
        lu, lm = left[1, q], left[2, q]
        ru, rm = right[1, q], right[2, q]
        base[q] = lu + ru + rm
        gain[q] = lm - rm
        unmet = left[3, q]
        lbase = none[q] - right[0, q] + lu
        rbase = right[0, q] + ru
        sbase[q] = lbase * unmet + (rbase + rm) * (unmet + right[4, q])
        sgain[q] = (lbase + lm) * (unmet + left[4, q]) + rbase * unmet - sbase[q]
    n0, n1, n2 = none[0], none[1], none[2]
    b0, b1, b2 = base[0], base[1], base[2]
    g0, g1, g2 = gain[0], gain[1], gain[2]
    s0, s1, s2 = sbase[0], sbase[1], sbase[2]
    d0, d1, d2 = sgain[0], sgain[1], sgain[2]
    for i in range(x.shape[0]):
        k = known[i]
        a = k if x[i] < threshold else _ZERO
        p0, p1, p2 = product[i], product[TILE + i], product[2 * TILE + i]
        total[i] = p0 * (n0 + k * b0 + a * g0)
        total[TILE + i] = p1 * (n1 + k * b1 + a * g1)
        total[2 * TILE + i] = p2 * (n2 + k * b2 + a * g2)
        values[i] += p0 * (k * s0 + a * d0) + p1 * (k * s1 + a * d1) + p2 * (k * s2 + a * d2)


@compiled
def _ascend_pairs(values, known, met, below, total, change, left, right):  # type: ignore[no-untyped-def]
    """As :func:`_ascend`, keeping the weighted SHAP values of each quadrature node."""
    for q in range(POINTS):
        unmet, lm, rm = left[3, q], left[4, q], right[4, q]
        for i in range(values.shape[0]):
            u, v = below[q * TILE + i], below[_WIDE + q * TILE + i]
            total[q * TILE + i] = u + v
            g = u * (known[i] * unmet + met[i] * lm) + v * (known[i] * unmet + met[TILE + i] * rm)
            change[q * TILE + i] = g
            values[i] += g


@compiled
def _pair(interaction, change, known, met, edge):  # type: ignore[no-untyped-def]
    """Add the interaction of a node's feature with the feature of an edge above it."""
    u0, u1, u2 = _HALF * edge[5, 0], _HALF * edge[5, 1], _HALF * edge[5, 2]
    m0, m1, m2 = _HALF * edge[6, 0], _HALF * edge[6, 1], _HALF * edge[6, 2]
    for i in range(interaction.shape[0]):
        k, a = known[i], met[i]
        interaction[i] += (
            change[i] * (k * u0 + a * m0)
            + change[TILE + i] * (k * u1 + a * m1)
            + change[2 * TILE + i] * (k * u2 + a * m2)
        )


@compiled
def _walk_trees(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915
    roots,
    feature,
    value,
    right,
    left_share,
    right_share,
    above,
    depth,
    rows,
    t,
    w,
    values,
    interactions,
):
    """Walk every tree depth first and add up its SHAP values (and interactions, unless None)."""
    features = values.shape[0]
    # Level d: the node of the walk at that depth, which of its sides is being walked, the rows
    # that meet its two edges, the products (later sums over leaves) below them, their constants.
    node = np.zeros(depth + 1, np.int64)
    side = np.zeros(depth + 1, np.int64)
    met = np.zeros((depth + 1, 2 * TILE), np.float32)
    below = np.zeros((depth + 1, 2 * _WIDE), np.float32)
    edges = np.zeros((depth + 1, 2, 9, POINTS), np.float32)
    shares = np.zeros((depth + 1, 2), np.float32)
    ones = np.ones(_WIDE, np.float32)
    spare = np.zeros(_WIDE, np.float32)
    change = np.zeros(_WIDE, np.float32)
    for root in roots:
        if feature[root] < 0:
            continue
        d = 0
        node[0], side[0] = root, -1
        while d >= 0:
            k = node[d]
            column = feature[k]
            j = column % features
            at, old, known = above[k], _ONE, ones
            if at >= 0:
                old = shares[at >> 1, at & 1]
                known = met[at >> 1][(at & 1) * TILE : ((at & 1) + 1) * TILE]
            product, total = ones, spare
            if d > 0:
                product = below[d - 1][side[d - 1] * _WIDE : (side[d - 1] + 1) * _WIDE]
                total = product
            lower, upper = k + 1, right[k]
            leaf_left, leaf_right = feature[lower] < 0, feature[upper] < 0
            if side[d] < 0:
                shares[d, 0], shares[d, 1] = old * left_share[k], old * right_share[k]
                factor = value[lower] if leaf_left else _ONE
                _edge_constants(old, left_share[k], factor, t, w, edges[d, 0])
                factor = value[upper] if leaf_right else _ONE
                _edge_constants(old, right_share[k], factor, t, w, edges[d, 1])
                if interactions is None and leaf_left and leaf_right:
                    _leaf_pair(
                        rows[column],
                        value[k],
                        product,
                        known,
                        total,
                        values[j],
                        edges[d, 0],
                        edges[d, 1],
                    )
                    d -= 1
                    continue
                _descend(
                    rows[column],
                    value[k],
                    product,
                    known,
                    met[d],
                    below[d],
                    edges[d, 0],
                    edges[d, 1],
                )
            side[d] += 1
            if side[d] == 0 and leaf_left:
                side[d] = 1
            if side[d] == 1 and leaf_right:
                side[d] = 2
            if side[d] < 2:
                node[d + 1] = lower if side[d] == 0 else upper
                d += 1
                side[d] = -1
                continue
            if interactions is None:
                _ascend(values[j], known, met[d], below[d], total, edges[d, 0], edges[d, 1])
            else:
                _ascend_pairs(
                    values[j], known, met[d], below[d], total, change, edges[d, 0], edges[d, 1]
                )
                for e in range(d):
                    i = feature[node[e]] % features
                    if i == j:
                        continue
                    at, known = above[node[e]], ones
                    if at >= 0:
                        known = met[at >> 1][(at & 1) * TILE : ((at & 1) + 1) * TILE]
                    _pair(
                        interactions[min(i, j), max(i, j)],
                        change,
                        known,
                        met[e][side[e] * TILE : (side[e] + 1) * TILE],
                        edges[e, side[e]],
                    )
            d -= 1


def quadrature(depth: int) -> tuple[Float32, Float32]:
    """Return Gauss-Legendre nodes and weights on (0, 1), each (passes, 3), for trees of a depth."""
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
        Features as ``tile_rows`` lays them out.
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
        _walk_trees(
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
