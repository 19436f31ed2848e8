"""Water with some fat, or fat with some water? The choice that magnitudes leave open.

With four and more echoes the residual of the two fits decides, block by block. What it leaves open
(everything, with three echoes) is decided by anatomy: the layer under the skin and bone marrow are
fat, and fat reaches as far as the image goes on in the same way. Between neighbouring blocks the
answer may change where opposed echoes cancel, which they do wherever water passes into fat, or
where the fitted fraction or the signal jumps; elsewhere a change costs. Tissue without any sign is
taken for lean, so that muscle is not called fat; voxels for which the other answer is plausible are
marked doubtful.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float32, Index
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.blocks import Neighbours, make_blocks, neighbours
from pipelines.water_fat.separation.decision import Decision, LimbDecision
from pipelines.water_fat.separation.limb_evidence import LEAN_LOG_ODDS, LEAN_POINTS
from pipelines.water_fat.separation.model import MODEL_ERROR, EchoModel
from pipelines.water_fat.separation.pure_tissue import (
    Contradictions,
    find_contradictions,
    log_odds,
)
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
# Differences of the fitted fraction (0-1) and of the logarithm of the signal between blocks that
# are still alike.
LIKENESS = 0.03
LIKE_BRIGHTNESS = 0.15
# The cost at which the evidence of one block saturates.
LARGEST_EVIDENCE = 30.0
# A choice is doubtful if another one costs at most this much more, ...
DOUBTFUL_SIDE_COST = 1.0
# ... or, without evidence, if lean tissue could be fat of the usual purity (0-1).
PLAUSIBLE_FAT = (0.7, 0.95)
# Where the shell is more than this share of the tissue (hands), it cannot be all fat; elsewhere the
# decision is about what lies deeper.
THIN_LIMB_SHARE = 0.5
# There, that the layer under the skin is fat is given up if the magnitudes contradict it by this
# much and confirm the choice without it by as much (log odds).
NO_SHELL_LOG_ODDS = 2.0
# Limbs are not exchanged as a whole here: parts of them may be, whatever the sum says. The decision
# always warns.
LARGEST_LOG_ODDS = 4.0


@dataclass(frozen=True)
class Side:
    """One of the two fits: fat fraction (0-1) and misfit (energy) per voxel."""

    fraction: Float32
    misfit: Float32


def choose_side(
    lean: Side,
    fatty: Side,
    magnitude: Float32,
    voxel: Index,
    anatomy: Anatomy,
    *,
    model: EchoModel,
    noise: float,
) -> tuple[Bool, Bool, Decision | None]:
    """Choose between the water-dominant and the fat-dominant fit.

    `magnitude` is (echoes, voxels); `voxel`, `is_fat` and `doubtful` are (voxels,).
    """
    tissue = np.zeros(anatomy.body.shape, np.bool_)
    tissue.ravel()[voxel] = True
    blocks = make_blocks(tissue, anatomy.affine, SIDE_BLOCK_MM)
    # Where each voxel of the blocks' order stands in the order of `voxel`.
    order = np.searchsorted(voxel, blocks.voxel)
    energy = (magnitude**2).mean(axis=0)[order]
    apart = np.clip(fatty.fraction - lean.fraction, 0, 1)[order]
    pairs = neighbours(blocks, SIDE_STEPS)
    fraction = np.stack([blocks.sum(side.fraction[order]) / blocks.count for side in (lean, fatty)])
    brightness = (np.log(blocks.sum(energy) / blocks.count) / 2).astype(np.float32)
    least_apart = np.minimum.reduceat(apart, blocks.start)
    weight = _likeness(pairs, least_apart, fraction[0].astype(np.float32), brightness)
    changes = PairCosts(pairs, weight, np.abs)
    evidence = np.zeros((blocks.count.size, 2))
    trust_misfit = model.echoes > 3
    if trust_misfit:
        variance = 2 * noise**2 + MODEL_ERROR**2 * energy
        advantage = blocks.sum((lean.misfit - fatty.misfit)[order] / variance)
        excess = np.maximum(np.stack([advantage, -advantage], axis=1), 0)
        evidence = LARGEST_EVIDENCE * (1 - np.exp(-excess / LARGEST_EVIDENCE))
    distinct = (blocks.sum(apart) / blocks.count)[:, None]
    rows = np.arange(blocks.count.size)

    def solved(certain_fat: Bool) -> tuple[Index, Float32]:
        """Return the side of each block, and what the other one would cost more."""
        known = blocks.sum(certain_fat.ravel()[blocks.voxel].astype(np.float32)) / blocks.count
        prior = np.stack([SHELL_FAT_COST * known, DEEP_FAT_COST * (1 - known)], axis=1)
        cost = (evidence + prior * distinct).astype(np.float32)
        # The candidates are 0 (lean) and 1 (fat), so that their difference is a change.
        sides = np.tile(np.array([0.0, 1.0], np.float32), (cost.shape[0], 1))
        label = merge_regions(sides, cost, changes).best()
        label = correct_single_blocks(label, sides, cost, changes)
        return label, alternative_costs(label, sides, cost, changes).max(axis=1)

    label, rival = solved(anatomy.fat)
    decision = None
    if not trust_misfit:
        power = np.stack([blocks.sum(echo[order] ** 2) for echo in magnitude])
        found = find_contradictions(power, blocks.count, model, noise)
        without_shell = solved(anatomy.marrow)
        shell = blocks.sum(anatomy.shell.ravel()[blocks.voxel].astype(np.float32)) / blocks.count
        thin = float(shell.mean()) > THIN_LIMB_SHARE
        judged = np.ones_like(shell, np.bool_) if thin else shell < THIN_LIMB_SHARE
        terms, other = (
            _terms(found, fraction[one, rows].astype(np.float32), judged)
            for one in (label, without_shell[0])
        )
        contradicted = thin and terms["magnitudes"] <= -NO_SHELL_LOG_ODDS
        if contradicted and other["magnitudes"] >= NO_SHELL_LOG_ODDS:
            (label, rival), terms = without_shell, other
        decision = _decision(terms)
    number = np.empty(voxel.size, np.intp)
    number[order] = np.repeat(rows, blocks.count)
    is_fat: Bool = (label == 1)[number]
    doubtful: Bool = (rival <= DOUBTFUL_SIDE_COST)[number]
    if not trust_misfit:
        doubtful |= _unsettled(is_fat, fatty.fraction, anatomy.fat.ravel()[voxel])
    return is_fat, doubtful, decision


def _unsettled(is_fat: Bool, fatty: Float32, certain_fat: Bool) -> Bool:
    """Tell where nothing but the assumption of lean tissue or of its neighbours decided."""
    low, high = PLAUSIBLE_FAT
    plausible: Bool = (fatty >= low) & (fatty <= high)
    return (~is_fat & plausible) | (is_fat & ~certain_fat)


def _terms(found: Contradictions, fat_share: Float32, judged: Bool) -> dict[str, float]:
    """Return the log odds of a choice for some blocks: magnitudes, and lean before fat."""
    if not judged.any():
        return {"magnitudes": 0.0, "lean_prior": 0.0}
    lean = (0.5 - float(fat_share[judged].mean())) * 100 / LEAN_POINTS
    return {
        "magnitudes": log_odds(found, fat_share, judged),
        "lean_prior": LEAN_LOG_ODDS * float(np.clip(lean, -1, 1)),
    }


def _decision(terms: dict[str, float]) -> Decision:
    """Return the decision for all tissue, which magnitudes of three echoes never make certain."""
    total = min(sum(terms.values()), LARGEST_LOG_ODDS)
    return Decision((LimbDecision("all tissue", 1.0, terms, total),))


def _likeness(pairs: Neighbours, apart: Float32, fraction: Float32, brightness: Float32) -> Float32:
    """Return the cost of a change between two blocks: low where something changes anyway."""
    a, b = pairs.first, pairs.second
    no_cancellation = np.minimum(apart[a], apart[b]) ** 2
    jump = ((fraction[a] - fraction[b]) / LIKENESS) ** 2
    jump += ((brightness[a] - brightness[b]) / LIKE_BRIGHTNESS) ** 2
    near = np.minimum(SIDE_BLOCK_MM / pairs.distance_mm, 1.0)
    near = np.where(pairs.distance_mm > SIDE_NEAR_MM, 0.3 * near, near)
    weight: Float32 = (CHANGE_COST * no_cancellation * np.exp(-jump) * near).astype(np.float32)
    return weight
