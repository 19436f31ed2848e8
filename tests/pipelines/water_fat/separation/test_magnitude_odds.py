"""Odds of two answers that magnitudes leave open."""

import numpy as np
import pytest

from pipelines.water_fat.separation.blocks import Neighbours
from pipelines.water_fat.separation.magnitude_odds import (
    BlockOdds,
    BlockTissue,
    block_odds,
    exchanged_share,
)

CHAIN = Neighbours(np.arange(9), np.arange(1, 10), np.full(9, 2.4, np.float32))
ALIKE = np.ones(9, np.float32)


def tissue(low: float, high: float, *, echoes: float = 0.0, layer: float = 0.0) -> BlockTissue:
    """Return ten equal blocks."""
    return BlockTissue(
        np.repeat(np.array([[low], [high]], np.float32), 10, axis=1),
        np.full(10, echoes, np.float32),
        np.full(10, layer, np.float32),
        np.zeros(10, np.bool_),
    )


def odds_of(blocks: BlockTissue) -> BlockOdds:
    return block_odds(blocks, CHAIN, ALIKE)


def test_lean_muscle_is_surer_than_muscle_of_a_fifth_fat() -> None:
    lean, fifth = (odds_of(tissue(low, 1 - low)).muscle[0] for low in (0.03, 0.25))
    assert lean > 4
    assert 0 < fifth < 1.5


def test_under_the_skin_the_fatter_answer_is_likelier_and_deeper_the_leaner() -> None:
    assert odds_of(tissue(0.1, 0.9, layer=1.0)).tissue[0] < -1
    assert odds_of(tissue(0.1, 0.9)).tissue[0] > 1


def test_many_blocks_are_no_surer_than_one() -> None:
    one = block_odds(tissue(0.2, 0.8, echoes=1.0), CHAIN, np.zeros(9, np.float32))
    ten = odds_of(tissue(0.2, 0.8, echoes=1.0))
    np.testing.assert_allclose(ten.tissue, one.tissue, atol=1e-3)


def test_one_block_of_another_opinion_follows_those_it_is_like() -> None:
    blocks = tissue(0.05, 0.95, echoes=1.0)
    blocks.echoes[4] = -5.0
    assert odds_of(blocks).tissue[4] > 0
    assert block_odds(blocks, CHAIN, np.zeros(9, np.float32)).tissue[4] < 0


def test_share_that_may_be_exchanged() -> None:
    limb = np.ones(10, np.bool_)
    lean = tissue(0.03, 0.97)
    odds = BlockOdds(np.zeros(10), np.full(10, np.log(9)))
    assert exchanged_share(lean, odds, ~limb, limb) == pytest.approx(0.093)
    # A core that is all called fat is replaced muscle, and judged as muscle.
    assert exchanged_share(lean, odds, limb, limb) == pytest.approx(0.837)
    # Where both answers are nearly the same, the wrong one does no harm.
    assert exchanged_share(tissue(0.45, 0.55), odds, ~limb, limb) == 0
    # Nothing to judge: a coin.
    assert exchanged_share(lean, odds, ~limb, ~limb) == 0.5
