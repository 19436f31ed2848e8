"""The compiled part of :mod:`pipelines.diagnosis.training.histogram_trees`.

First and second derivatives of the loss travel together as the real and the imaginary part of a
complex number, which the processor adds in one step. Nodes of a tree are numbered as in a heap
(children of node i are 2 i + 1 and 2 i + 2), so a tree of depth d fits into 2^(d+1) - 1 places.
"""

# ruff: noqa: PLR0917
# Compiled functions take their arrays one by one.

from typing import Any

import numpy as np

from pipelines.diagnosis.compiled import compiled
from pipelines.diagnosis.training.compiled_loss import copy, log_loss, softmax
from pipelines.diagnosis.training.compiled_sampling import sample_columns, sample_rows

# XGBoost's kRtEps: a split must gain more.
_LEAST_GAIN = 1e-6
# XGBoost's lower bound of a second derivative.
_LEAST_CURVATURE = np.float32(1e-16)
_LEAF = -1


@compiled
def find_bins(features: Any, starts: Any, cuts: Any) -> Any:
    """Return the bin of every value: the first whose upper edge exceeds it."""
    n, p = features.shape
    bins = np.empty((n, p), np.uint8)
    for j in range(p):
        first, last = starts[j], starts[j + 1]
        for i in range(n):
            low, high = first, last - 1
            while low < high:
                middle = (low + high) // 2
                if cuts[middle] > features[i, j]:
                    high = middle
                else:
                    low = middle + 1
            bins[i, j] = low - first
    return bins


@compiled
def boost(
    bins: Any,
    y: Any,
    weights: Any,
    validation: Any,
    y_validation: Any,
    classes: int,
    tree: Any,
    sampling: Any,
    stopping: Any,
) -> Any:
    """Boost one tree per class and round; return validation margins and the rounds they took.

    Margins have classes along the first axis.
    """
    eta, max_depth, least_weight, penalty, least_gain = tree
    share, columns, width, row_draws, column_draws = sampling
    rounds, patience = stopping
    n, p = bins.shape
    m = len(validation)
    margins = np.zeros((classes, n), np.float32)
    held_out = np.zeros((classes, m), np.float32)
    best = np.zeros((classes, m), np.float32)
    best_loss, best_round = np.inf, 0
    probabilities = np.empty((classes, n), np.float32)
    derivatives = np.empty(n, np.complex64)
    rows, others = np.empty(n, np.uint32), np.empty(n, np.uint32)
    spare = np.empty(n, np.uint32)
    nodes = 2 ** (max_depth + 1) - 1
    histograms = np.empty((2**max_depth - 1, columns, width), np.complex128)
    sums = np.empty(nodes, np.complex128)
    spans = np.empty((nodes, 2), np.int64)
    split_column = np.empty(nodes, np.int32)
    split_bin = np.empty(nodes, np.int32)
    values = np.empty(nodes, np.float32)
    chosen, order = np.empty(columns, np.uint32), np.empty(p, np.uint32)
    # XGBoost draws columns once before the first tree.
    used = sample_columns(chosen, order, column_draws, 0)
    everyone = np.arange(m).astype(np.uint32)
    for done in range(1, rounds + 1):
        softmax(margins, probabilities)
        for k in range(classes):
            tree_number = (done - 1) * classes + k
            count, rest = sample_rows(rows, others, share, row_draws[tree_number])
            sums[0] = _derive(derivatives, probabilities[k], y, weights, k, rows[:count])
            used = sample_columns(chosen, order, column_draws, used)
            _grow(
                bins, derivatives, rows[:count], spare, chosen, histograms, sums, spans,
                split_column, split_bin, values,
                (least_weight, penalty, least_gain, eta),
            )  # fmt: skip
            _add_leaves(margins[k], rows, spans, split_column, values)
            _add_predictions(margins[k], bins, others[:rest], split_column, split_bin, values)
            _add_predictions(held_out[k], validation, everyone, split_column, split_bin, values)
        if patience:
            loss = log_loss(held_out, y_validation)
            if loss < best_loss:
                best_loss, best_round = loss, done
                copy(best, held_out)
            elif done - best_round >= patience:
                break
    if patience:
        return best, best_round
    return held_out, rounds


@compiled
def _derive(derivatives: Any, probabilities: Any, y: Any, weights: Any, k: int, rows: Any) -> Any:
    """Set the derivatives of the loss of some rows by the margin of one class; return their sum."""
    total = np.complex128(0.0)
    for r in rows:
        q = probabilities[r]
        target = np.float32(1.0) if y[r] == k else np.float32(0.0)
        second = max(np.float32(2.0) * q * (np.float32(1.0) - q), _LEAST_CURVATURE)
        both = np.complex64(complex((q - target) * weights[r], second * weights[r]))
        derivatives[r] = both
        total += np.complex128(both)
    return total


@compiled
def _grow(
    bins: Any,
    derivatives: Any,
    rows: Any,
    spare: Any,
    chosen: Any,
    histograms: Any,
    sums: Any,
    spans: Any,
    split_column: Any,
    split_bin: Any,
    values: Any,
    limits: Any,
) -> None:
    """Grow one tree level by level; `rows` end up ordered by leaf."""
    least_weight, penalty, least_gain, eta = limits
    for node in range(len(spans)):
        split_column[node] = _LEAF
        spans[node, 0] = -1
    spans[0, 0], spans[0, 1] = 0, len(rows)
    # A node lighter than this has no split that leaves both children heavy enough.
    lightest = 2.0 * least_weight * (1.0 - 1e-9)
    if sums[0].imag >= lightest:
        _fill(histograms[0], bins, derivatives, rows, chosen)
    for node in range(len(spans)):
        if spans[node, 0] < 0:
            continue
        column, edge = -1, -1
        if node < len(histograms) and sums[node].imag >= lightest:
            column, edge = _best_split(
                histograms[node], sums, node, least_weight, penalty, least_gain
            )
        if column < 0:
            weight = 0.0
            if sums[node].imag >= least_weight and sums[node].imag > 0:
                weight = -sums[node].real / (sums[node].imag + penalty)
            values[node] = np.float32(weight) * eta
            continue
        split_column[node], split_bin[node] = chosen[column], edge
        left, right = 2 * node + 1, 2 * node + 2
        start, end = spans[node, 0], spans[node, 1]
        middle = _partition(bins, rows, spare, start, end, chosen[column], edge)
        spans[left, 0], spans[left, 1] = start, middle
        spans[right, 0], spans[right, 1] = middle, end
        if left < len(histograms):
            small, large = (left, right) if middle - start <= end - middle else (right, left)
            if max(sums[small].imag, sums[large].imag) >= lightest:
                part = rows[spans[small, 0] : spans[small, 1]]
                _fill(histograms[small], bins, derivatives, part, chosen)
            if sums[large].imag >= lightest:
                _subtract(histograms[large], histograms[node], histograms[small])


@compiled
def _fill(histogram: Any, bins: Any, derivatives: Any, rows: Any, chosen: Any) -> None:
    """Sum derivatives by bin of every chosen column."""
    for j in range(histogram.shape[0]):
        for b in range(histogram.shape[1]):
            histogram[j, b] = 0.0
    for r in rows:
        both = np.complex128(derivatives[r])
        row = bins[r]
        for j in range(len(chosen)):
            histogram[j, row[chosen[j]]] += both


@compiled
def _subtract(histogram: Any, whole: Any, part: Any) -> None:
    """Set a histogram to what is left of its parent's without its sibling's."""
    for j in range(histogram.shape[0]):
        for b in range(histogram.shape[1]):
            histogram[j, b] = whole[j, b] - part[j, b]


@compiled
def _best_split(
    histogram: Any, sums: Any, node: int, least_weight: float, penalty: float, least_gain: float
) -> Any:
    """Return the column and bin of the best split and set the children's sums; -1 if none."""
    total_first, total_second = sums[node].real, sums[node].imag
    own = np.float32(total_first * total_first / (total_second + penalty))
    best = np.float32(0.0)
    column, edge = -1, -1
    for j in range(histogram.shape[0]):
        first = second = 0.0
        for b in range(histogram.shape[1]):
            first += histogram[j, b].real
            second += histogram[j, b].imag
            rest = total_second - second
            if second < least_weight:
                continue
            if rest < least_weight:
                break
            other = total_first - first
            gain = (
                np.float32(first * first / (second + penalty))
                + np.float32(other * other / (rest + penalty))
                - own
            )
            if gain > best:
                best, column, edge = gain, j, b
                sums[2 * node + 1] = complex(first, second)
                sums[2 * node + 2] = complex(other, rest)
    if best <= _LEAST_GAIN or best < least_gain:
        return -1, -1
    return column, edge


@compiled
def _partition(
    bins: Any, rows: Any, spare: Any, start: int, end: int, column: int, edge: int
) -> int:
    """Order the rows of a node: left child first. Return where the right child starts."""
    left, right = start, 0
    for i in range(start, end):
        r = rows[i]
        if bins[r, column] <= edge:
            rows[left] = r
            left += 1
        else:
            spare[right] = r
            right += 1
    for i in range(right):
        rows[left + i] = spare[i]
    return left


@compiled
def _add_leaves(margins: Any, rows: Any, spans: Any, split_column: Any, values: Any) -> None:
    """Add the value of every leaf to the margins of its rows."""
    for node in range(len(spans)):
        if spans[node, 0] >= 0 and split_column[node] == _LEAF:
            for i in range(spans[node, 0], spans[node, 1]):
                margins[rows[i]] += values[node]


@compiled
def _add_predictions(
    margins: Any, bins: Any, rows: Any, split_column: Any, split_bin: Any, values: Any
) -> None:
    """Add the tree's value to the margins of rows that did not grow it."""
    if split_column[0] == _LEAF:
        for r in rows:
            margins[r] += values[0]
        return
    for r in rows:
        margins[r] += _predict(bins[r], split_column, split_bin, values)


@compiled
def _predict(row: Any, split_column: Any, split_bin: Any, values: Any) -> Any:
    """Return the value of the leaf a row falls into."""
    node = 0
    while split_column[node] != _LEAF:
        node = 2 * node + 1 if row[split_column[node]] <= split_bin[node] else 2 * node + 2
    return values[node]
