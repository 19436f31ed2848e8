from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.water_fat.separation.blocks import Neighbours
from pipelines.water_fat.separation.region_merging import (
    IMPOSSIBLE,
    PairCosts,
    alternative_costs,
    correct_single_blocks,
    merge_regions,
    total_cost,
)


def chain(blocks: int, weight: float = 1.0) -> PairCosts:
    """Blocks in a row that pay for differences of their fields, up to 25 units."""
    first = np.arange(blocks - 1)
    pairs = Neighbours(first, first + 1, np.full(blocks - 1, 4, np.float32))
    return PairCosts(
        pairs,
        np.full(blocks - 1, weight, np.float32),
        lambda d: np.minimum((d / 40) ** 2, np.float32(25)),
    )


def best_possible(field: np.ndarray, cost: np.ndarray, pairs: PairCosts) -> float:
    labels = product(range(field.shape[1]), repeat=len(field))
    return min(total_cost(np.array(label), field, cost, pairs) for label in labels)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_smooth_fields_are_found_as_well_as_by_trying_everything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.cumsum(rng.uniform(-20, 20, 7))
    field = np.stack([truth, truth + 434], axis=1).astype(np.float32)
    # The signal of some blocks prefers the wrong candidate, that of most the right one.
    cost = np.stack([np.zeros(7), rng.normal(3, 3, 7)], axis=1)
    cost = (cost - cost.min(axis=1, keepdims=True)).astype(np.float32)
    pairs = chain(7)
    found = merge_regions(field, cost, pairs)
    label = correct_single_blocks(found.best(), field, cost, pairs)
    assert total_cost(label, field, cost, pairs) == pytest.approx(
        best_possible(field, cost, pairs), abs=1e-3
    )


def test_a_shared_ambiguity_is_kept_to_the_end() -> None:
    field = np.array([[10, 444], [445, 12], [14, 448], [450, 15]], np.float32)
    cost = np.zeros_like(field)
    cost[3, 1] = 0.5
    found = merge_regions(field, cost, chain(4))
    assert np.unique(found.region).size == 1
    low, high = (found.label[:, h] for h in np.argsort(found.cost[found.region[0]]))
    # Both solutions are continuous; the cheaper one avoids the only cost there is.
    assert low.tolist() == [1, 0, 1, 0]
    assert high.tolist() == [0, 1, 0, 1]
    assert np.diff(np.sort(found.cost[found.region[0]]))[0] == pytest.approx(0.5, abs=0.1)


def test_a_block_without_alternative_does_not_decide_for_others() -> None:
    # Block 0 has one candidate and lies between two fields; the others prefer the second one.
    field = np.array([[227, 0], [10, 444], [12, 446], [14, 448]], np.float32)
    cost = np.array([[0, IMPOSSIBLE], [1, 0], [1, 0], [1, 0]], np.float32)
    assert merge_regions(field, cost, chain(4)).best().tolist() == [0, 1, 1, 1]


def test_separate_pieces_are_solved_apart() -> None:
    field = np.array([[0, 434]] * 4, np.float32)
    cost = np.array([[0, 1], [0, 0], [1, 0], [0, 0]], np.float32)
    pairs = chain(4)
    apart = Neighbours(np.array([0, 2]), np.array([1, 3]), np.full(2, 4, np.float32))
    pairs = PairCosts(apart, np.ones(2, np.float32), pairs.penalty)
    found = merge_regions(field, cost, pairs)
    assert found.best().tolist() == [0, 0, 1, 1]
    assert np.unique(found.region).size == 2


def test_single_blocks_are_corrected_but_regions_are_not_undone() -> None:
    field = np.tile(np.array([0.0, 434.0], np.float32), (5, 1))
    cost = np.zeros_like(field)
    pairs = chain(5)
    start = np.array([1, 1, 0, 1, 1])
    assert correct_single_blocks(start, field, cost, pairs).tolist() == [1, 1, 1, 1, 1]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_alternative_costs_are_differences_of_the_total(seed: int) -> None:
    rng = np.random.default_rng(seed)
    field = rng.uniform(-400, 400, (6, 3)).astype(np.float32)
    cost = rng.uniform(0, 5, (6, 3)).astype(np.float32)
    pairs = chain(6, weight=0.7)
    label = rng.integers(0, 3, 6)
    rivals = alternative_costs(label, field, cost, pairs)
    base = total_cost(label, field, cost, pairs)
    block, candidate = rng.integers(0, 6), rng.integers(0, 3)
    changed = label.copy()
    changed[block] = candidate
    assert rivals[block, candidate] == pytest.approx(
        total_cost(changed, field, cost, pairs) - base, abs=1e-3
    )
