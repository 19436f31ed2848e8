"""Choose one field candidate per block so that neighbouring blocks agree: region merging.

Every block offers a few candidate fields, each at a cost of its own, and neighbours pay for
fields that differ. The labelling with the smallest sum is sought by merging: every region keeps a
few *hypotheses* (labellings of all its blocks, each the best one given the state of its largest
part), and pairs of regions are merged in the order of how certain their common boundary is, as in
region-based phase unwrapping (Jenkinson, Magn Reson Med 2003;49:193). Merging starts from single
blocks and ends with one region per connected piece of tissue. A region whose two hypotheses cost
nearly the same (water taken for fat in a whole limb) is carried to the end undecided, where
:func:`merge_regions` returns all hypotheses and their costs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Index
from pipelines.water_fat.separation.blocks import Neighbours

# Cost of a candidate that does not exist.
IMPOSSIBLE = np.float32(1e6)

_CERTAIN = np.float32(1e30)
_SIZE_OF_DECIDED = 0.02
# Sweeps of single-block corrections at the end; they stop earlier when nothing is gained.
_MAX_SWEEPS = 20
_LEAST_GAIN = 1e-3


@dataclass(frozen=True)
class PairCosts:
    """What neighbouring blocks pay for different fields.

    Attributes
    ----------
    pairs : Neighbours
        Blocks that are compared.
    weight : ndarray of shape (pairs,)
        Weight of each pair.
    penalty : callable
        Cost of a field difference (Hz) at unit weight, for arrays of any shape.
    """

    pairs: Neighbours
    weight: Float32
    penalty: Callable[[Float32], Float32]


@dataclass(frozen=True)
class Hypotheses:
    """What merging found.

    Attributes
    ----------
    region : ndarray of shape (blocks,)
        Region number of each block.
    label : ndarray of shape (blocks, hypotheses)
        Candidate of each block under each hypothesis of its region.
    cost : ndarray of shape (blocks, hypotheses)
        Cost of the hypotheses of a region, stored at the index of its region number.
    """

    region: Index
    label: Index
    cost: Float32

    def best(self) -> Index:
        """Return the candidate of each block under the cheapest hypothesis of its region."""
        winner = self.cost[self.region].argmin(axis=1)
        chosen: Index = np.take_along_axis(self.label, winner[:, None], axis=1)[:, 0]
        return chosen


def merge_regions(field: Float32, cost: Float32, pairs: PairCosts) -> Hypotheses:
    """Merge blocks to regions until no neighbours are left.

    `field` is (blocks, candidates), in Hz; `cost` is (blocks, candidates).
    """
    state = _State(field, cost, pairs)
    while state.first.size:
        state.merge_once()
    return Hypotheses(state.region, state.label, state.cost)


class _State:
    """Regions during merging; the number of a region is that of one of its blocks."""

    def __init__(self, field: Float32, cost: Float32, pairs: PairCosts) -> None:
        self.blocks, self.hypotheses = field.shape
        self.field = field.copy()
        self.cost = cost.copy()
        self.label = np.tile(np.arange(self.hypotheses), (self.blocks, 1))
        self.region = np.arange(self.blocks)
        # Blocks without an alternative must not lead, or the alternatives of others are lost.
        alternatives = (cost < IMPOSSIBLE).sum(axis=1) > 1
        self.size = np.where(alternatives, 1.0, _SIZE_OF_DECIDED)
        self.first, self.second, self.weight = pairs.pairs.first, pairs.pairs.second, pairs.weight
        self.penalty = pairs.penalty

    def merge_once(self) -> None:
        """Let every region choose its most certain neighbour and join it where it is larger."""
        low, high, boundary = self._boundaries()
        certainty = self._certainty(low, high, boundary)
        partner, edge = self._choose(low, high, certainty)
        # Larger regions stay what they are; among equals the one with the lower number does.
        rank = self.size - np.arange(self.blocks) * (_SIZE_OF_DECIDED / 2 / self.blocks)
        joins = (partner >= 0) & (rank[partner] > rank)
        child = np.flatnonzero(joins)
        child = child[~joins[partner[child]]]
        root = partner[child]
        table = boundary[edge[child]]
        table = np.where((low[edge[child]] == root)[:, None, None], table, table.transpose(0, 2, 1))
        follow = (self.cost[child][:, None, :] + table).argmin(axis=2)
        self._join(child, root, follow)

    def _boundaries(self) -> tuple[Index, Index, Float32]:
        """Return each pair of touching regions and the cost of each pair of their hypotheses."""
        a, b = self.region[self.first], self.region[self.second]
        swap = a > b
        low, high = np.where(swap, b, a), np.where(swap, a, b)
        order = np.argsort(low * self.blocks + high, kind="stable")
        low, high = low[order], high[order]
        inner = np.where(swap, self.second, self.first)[order]
        outer = np.where(swap, self.first, self.second)[order]
        start = np.flatnonzero((np.diff(low, prepend=-1) != 0) | (np.diff(high, prepend=-1) != 0))
        difference = self.field[inner][:, :, None] - self.field[outer][:, None, :]
        cost = self.weight[order][:, None, None] * self.penalty(difference)
        return low[start], high[start], np.add.reduceat(cost, start, axis=0)

    def _certainty(self, low: Index, high: Index, boundary: Float32) -> Float32:
        """Return by how much the best joint choice of two regions beats the next ones.

        Only alternatives that keep the choice of one of the two are counted: if both may change
        together at no cost (an ambiguity they share), their relation is still certain.
        """
        total = self.cost[low][:, :, None] + self.cost[high][:, None, :] + boundary
        rows = np.arange(len(total))
        best = total.reshape(len(total), -1).argmin(axis=1)
        i, j = np.divmod(best, self.hypotheses)
        least = total[rows, i, j]
        along, across = total[rows, i].copy(), total[rows, :, j].copy()
        along[rows, j] = np.inf
        across[rows, i] = np.inf
        gap: Float32 = np.minimum(along.min(axis=1), across.min(axis=1)) - least
        return np.where(np.isfinite(gap), gap, _CERTAIN)

    def _choose(self, low: Index, high: Index, certainty: Float32) -> tuple[Index, Index]:
        """Return for each region its most certain neighbour (-1: none) and their boundary."""
        most = np.full(self.blocks, -np.inf, np.float32)
        np.maximum.at(most, low, certainty)
        np.maximum.at(most, high, certainty)
        partner = np.full(self.blocks, -1)
        edge = np.full(self.blocks, -1)
        for own, other in ((low, high), (high, low)):
            best = np.flatnonzero(certainty == most[own])
            partner[own[best]] = other[best]
            edge[own[best]] = best
        return partner, edge

    def _join(self, child: Index, root: Index, follow: Index) -> None:
        """Let each child region follow the hypotheses of its root."""
        position = np.full(self.blocks, -1)
        position[child] = np.arange(child.size)
        where = position[self.region]
        moved = np.flatnonzero(where >= 0)
        choice = follow[where[moved]]
        self.field[moved] = np.take_along_axis(self.field[moved], choice, axis=1)
        self.label[moved] = np.take_along_axis(self.label[moved], choice, axis=1)
        np.add.at(self.cost, root, np.take_along_axis(self.cost[child], follow, axis=1))
        np.add.at(self.size, root, self.size[child])
        self.region[moved] = root[where[moved]]
        inside = self.region[self.first] == self.region[self.second]
        a, b = self.first[inside], self.second[inside]
        cost = self.weight[inside][:, None] * self.penalty(self.field[a] - self.field[b])
        np.add.at(self.cost, self.region[a], cost)
        keep = ~inside
        self.first, self.second = self.first[keep], self.second[keep]
        self.weight = self.weight[keep]


def correct_single_blocks(label: Index, field: Float32, cost: Float32, pairs: PairCosts) -> Index:
    """Let single blocks change their candidate where that lowers the sum of costs.

    Iterated conditional modes (Besag, J R Stat Soc B 1986;48:259); in each sweep a random half of
    the blocks may change, so that neighbours do not chase each other.

    `label` is (blocks,).
    """
    rows = np.arange(label.size)
    turns = np.random.default_rng(0)
    label = label.copy()
    for _ in range(_MAX_SWEEPS):
        rivals = alternative_costs(label, field, cost, pairs)
        better = rivals.argmin(axis=1)
        gains = rivals[rows, better] < -_LEAST_GAIN
        if not gains.any():
            break
        gains &= turns.random(label.size) < 0.5
        label[gains] = better[gains]
    return label


def alternative_costs(label: Index, field: Float32, cost: Float32, pairs: PairCosts) -> Float32:
    """Return what each candidate of a block costs more than its chosen one, others unchanged.

    The result is (blocks, candidates).
    """
    rows = np.arange(label.size)
    current = field[rows, label]
    total = cost.copy()
    first, second = pairs.pairs.first, pairs.pairs.second
    weight = pairs.weight
    for candidate in range(field.shape[1]):
        for own, other in ((first, second), (second, first)):
            paid = weight * pairs.penalty(field[own, candidate] - current[other])
            total[:, candidate] += np.bincount(own, paid, label.size).astype(np.float32)
    return total - total[rows, label][:, None]


def total_cost(label: Index, field: Float32, cost: Float32, pairs: PairCosts) -> float:
    """Return the sum of all costs of a labelling."""
    rows = np.arange(label.size)
    current = field[rows, label]
    between = pairs.penalty(current[pairs.pairs.first] - current[pairs.pairs.second])
    return float(cost[rows, label].sum(dtype=np.float64) + (pairs.weight * between).sum())
