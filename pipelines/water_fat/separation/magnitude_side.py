"""Water with some fat, or fat with some water? The choice that magnitudes leave open.

With four and more echoes the residual of the two fits decides, block by block. What it leaves open
is decided by anatomy: the layer under the skin and bone marrow are fat, and fat reaches as far as
the image goes on in the same way. Between neighbouring blocks the answer may change where opposed
echoes cancel, which they do wherever water passes into fat, or where the fitted fraction or the
signal jumps; elsewhere a change costs.

Three echoes are fitted exactly from either side. There the likelier answer is taken by the log odds
of :mod:`pipelines.water_fat.separation.magnitude_odds`, which also tell, for any number of echoes,
how much of a limb may be exchanged. Voxels for which the other answer is plausible are marked
doubtful.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Array, Bool, Float32, Index
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.blocks import Blocks, Neighbours, make_blocks, neighbours
from pipelines.water_fat.separation.decision import SMALL_SHARE, Decision, LimbDecision
from pipelines.water_fat.separation.limb_choice import connected_limbs
from pipelines.water_fat.separation.limb_evidence import limb_names
from pipelines.water_fat.separation.magnitude_odds import (
    BlockOdds,
    BlockTissue,
    block_odds,
    exchanged_share,
    layer_of_fat,
)
from pipelines.water_fat.separation.model import MODEL_ERROR, EchoModel
from pipelines.water_fat.separation.pure_tissue import deviations
from pipelines.water_fat.separation.region_merging import (
    PairCosts,
    alternative_costs,
    correct_single_blocks,
    merge_regions,
)

# Small blocks, because the cancellation of opposed echoes is a thin line.
SIDE_BLOCK_MM = 2.4
SIDE_STEPS = ((1, 0, 0), (0, 1, 0), (1, 1, 0), (1, -1, 0), (0, 0, 1))
# Slices farther apart than this say little about each other.
SIDE_NEAR_MM = 7.0
# Cost of a change between blocks that are alike, of water where anatomy knows fat, and of fat
# elsewhere.
CHANGE_COST = 2.0
SHELL_FAT_COST = 1.0
DEEP_FAT_COST = 0.3
# The cost at which the evidence of one block saturates.
LARGEST_EVIDENCE = 30.0
# A choice is doubtful if another one costs at most this much more, ...
DOUBTFUL_SIDE_COST = 1.0
# ... or, without evidence, if lean tissue could be fat of the usual purity (0-1).
PLAUSIBLE_FAT = (0.7, 0.95)
# Magnitudes alone never pass without a warning.
LARGEST_LOG_ODDS = 4.0


@dataclass(frozen=True)
class Likeness:
    """Differences of the fitted fraction (0-1) and of log signal of blocks still alike."""

    fraction: float
    brightness: float


# Where a change of the answer costs, and over which noise is averaged.
SAME_ANSWER = Likeness(0.03, 0.15)
SAME_TISSUE = Likeness(0.06, 0.25)


@dataclass(frozen=True)
class Side:
    """One of the two fits: fat fraction (0-1) and misfit (energy) per voxel."""

    fraction: Float32
    misfit: Float32


@dataclass(frozen=True)
class _Seen:
    """Blocks with what is needed to choose a side."""

    blocks: Blocks
    order: Index
    pairs: Neighbours
    fraction: Float32
    brightness: Float32
    apart: Float32
    least_apart: Float32


def choose_side(
    lean: Side,
    fatty: Side,
    magnitude: Float32,
    voxel: Index,
    anatomy: Anatomy,
    *,
    model: EchoModel,
    noise: float,
) -> tuple[Bool, Bool, Decision]:
    """Choose between the water-dominant and the fat-dominant fit.

    `magnitude` is (echoes, voxels); `voxel`, `is_fat` and `doubtful` are (voxels,).
    """
    seen = _seen(lean, fatty, magnitude, voxel, anatomy)
    blocks = seen.blocks
    power = np.stack([blocks.sum(echo[seen.order] ** 2) for echo in magnitude])
    tissue = BlockTissue(
        seen.fraction,
        deviations(power, blocks.count, model, noise).log_odds,
        _share(layer_of_fat(anatomy), blocks),
        _share(anatomy.marrow, blocks) > 0.5,
    )
    odds = block_odds(tissue, seen.pairs, _likeness(seen, SAME_TISSUE))
    trust_misfit = model.echoes > 3
    if trust_misfit:
        variance = 2 * noise**2 + MODEL_ERROR**2 * (magnitude**2).mean(axis=0)
        advantage = blocks.sum(((lean.misfit - fatty.misfit) / variance)[seen.order])
        fat_block, rival = _by_residual(seen, advantage, anatomy)
    else:
        fat_block, rival = odds.tissue < 0, np.abs(odds.tissue)
    number = np.empty(voxel.size, np.intp)
    number[seen.order] = np.repeat(np.arange(blocks.count.size), blocks.count)
    is_fat: Bool = fat_block[number]
    doubtful: Bool = (rival <= DOUBTFUL_SIDE_COST)[number]
    if not trust_misfit:
        doubtful |= _unsettled(is_fat, fatty.fraction, anatomy.fat.ravel()[voxel])
    return is_fat, doubtful, _decision(seen, tissue, odds, fat_block, anatomy)


def _seen(lean: Side, fatty: Side, magnitude: Float32, voxel: Index, anatomy: Anatomy) -> _Seen:
    """Cut the tissue into blocks."""
    tissue = np.zeros(anatomy.body.shape, np.bool_)
    tissue.ravel()[voxel] = True
    blocks = make_blocks(tissue, anatomy.affine, SIDE_BLOCK_MM)
    # Where each voxel of the blocks' order stands in the order of `voxel`.
    order = np.searchsorted(voxel, blocks.voxel)
    energy = (magnitude**2).mean(axis=0)[order]
    apart = np.clip(fatty.fraction - lean.fraction, 0, 1)[order]
    fraction = np.stack([blocks.sum(side.fraction[order]) / blocks.count for side in (lean, fatty)])
    return _Seen(
        blocks,
        order,
        neighbours(blocks, SIDE_STEPS),
        fraction.astype(np.float32),
        (np.log(blocks.sum(energy) / blocks.count) / 2).astype(np.float32),
        (blocks.sum(apart) / blocks.count).astype(np.float32),
        np.minimum.reduceat(apart, blocks.start),
    )


def _share(image: Array, blocks: Blocks) -> Float32:
    inside = blocks.sum(image.ravel()[blocks.voxel].astype(np.float32))
    share: Float32 = (inside / blocks.count).astype(np.float32)
    return share


def _by_residual(seen: _Seen, advantage: Float32, anatomy: Anatomy) -> tuple[Bool, Float32]:
    """Return which blocks are fat, and what the other answer would cost more.

    `advantage` is (blocks,), by how much fat fits better.
    """
    blocks = seen.blocks
    excess = np.maximum(np.stack([advantage, -advantage], axis=1), 0)
    evidence = LARGEST_EVIDENCE * (1 - np.exp(-excess / LARGEST_EVIDENCE))
    known = _share(anatomy.fat, blocks)
    prior = np.stack([SHELL_FAT_COST * known, DEEP_FAT_COST * (1 - known)], axis=1)
    cost = (evidence + prior * seen.apart[:, None]).astype(np.float32)
    # The candidates are 0 (lean) and 1 (fat), so that their difference is a change.
    sides = np.tile(np.array([0.0, 1.0], np.float32), (cost.shape[0], 1))
    changes = PairCosts(seen.pairs, CHANGE_COST * _likeness(seen, SAME_ANSWER), np.abs)
    label = merge_regions(sides, cost, changes).best()
    label = correct_single_blocks(label, sides, cost, changes)
    return label == 1, alternative_costs(label, sides, cost, changes).max(axis=1)


def _unsettled(is_fat: Bool, fatty: Float32, certain_fat: Bool) -> Bool:
    """Tell where nothing but the assumption of lean tissue or of its neighbours decided."""
    low, high = PLAUSIBLE_FAT
    plausible: Bool = (fatty >= low) & (fatty <= high)
    return (~is_fat & plausible) | (is_fat & ~certain_fat)


def _decision(
    seen: _Seen, tissue: BlockTissue, odds: BlockOdds, is_fat: Bool, anatomy: Anatomy
) -> Decision:
    """Judge every connected limb by the share of its tissue that may be exchanged."""
    blocks = seen.blocks
    limb = connected_limbs(seen.pairs, blocks.count.size)
    number = np.full(anatomy.body.shape, -1, np.int32)
    number.ravel()[blocks.voxel] = np.repeat(limb, blocks.count)
    voxels = np.bincount(limb, blocks.count)
    limbs = []
    for n in np.flatnonzero(voxels >= SMALL_SHARE * voxels.sum()):
        here = limb == n
        share = exchanged_share(tissue, odds, is_fat, here)
        total = float(np.log((1 - share) / share)) if share > 0 else LARGEST_LOG_ODDS
        total = min(total, LARGEST_LOG_ODDS)
        echoes = _echo_term(tissue, is_fat, here)
        terms = {"magnitudes": echoes, "lean_prior": total - echoes}
        names = limb_names(anatomy, number == n)
        name = " and ".join(names) + " limb" if names else "piece of tissue"
        limbs.append(LimbDecision(name, float(voxels[n] / voxels.sum()), terms, total))
    return Decision(tuple(limbs))


def _echo_term(tissue: BlockTissue, is_fat: Bool, limb: Bool) -> float:
    """Return what the echoes say for the choice in the inner tissue of a limb, on average."""
    inner = limb & ~tissue.marrow & ~tissue.shell
    judged = inner if inner.any() else limb
    return float(np.where(is_fat, -tissue.echoes, tissue.echoes)[judged].mean())


def _likeness(seen: _Seen, limits: Likeness) -> Float32:
    """Return how far two blocks go on in the same way, 0-1: not where something changes anyway."""
    a, b = seen.pairs.first, seen.pairs.second
    fraction, brightness, distance = seen.fraction[0], seen.brightness, seen.pairs.distance_mm
    no_cancellation = np.minimum(seen.least_apart[a], seen.least_apart[b]) ** 2
    jump = ((fraction[a] - fraction[b]) / limits.fraction) ** 2
    jump += ((brightness[a] - brightness[b]) / limits.brightness) ** 2
    near = np.minimum(SIDE_BLOCK_MM / distance, 1.0)
    near = np.where(distance > SIDE_NEAR_MM, 0.3 * near, near)
    weight: Float32 = (no_cancellation * np.exp(-jump) * near).astype(np.float32)
    return weight
