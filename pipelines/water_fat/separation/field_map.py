"""The coarse field map: the right candidate of every block, then a smooth map for every voxel."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.arrays import Bool, Float32, Index
from pipelines.water_fat.separation.blocks import Blocks, EchoProducts, Neighbours, neighbours
from pipelines.water_fat.separation.candidates import Candidates, find_candidates
from pipelines.water_fat.separation.model import MODEL_ERROR, EchoModel, wrap
from pipelines.water_fat.separation.region_merging import (
    IMPOSSIBLE,
    PairCosts,
    alternative_costs,
    correct_single_blocks,
    merge_regions,
    total_cost,
)

# No block outvotes its neighbours: costs of a candidate saturate here.
LARGEST_BLOCK_COST = 30.0
# Field difference between neighbours that costs one unit, as a share of the water-fat shift, and
# the number of units at which it saturates (half the shift).
FIELD_SCALE = 0.1
LARGEST_PAIR_COST = 25.0
# A neighbour at this distance (mm) counts fully, others in inverse proportion.
NEAR_MM = 4.0
# Gaussian (in blocks) over which the field is averaged, weighted by how sharply each block knows
# it.
SMOOTHING_BLOCKS = 0.7
# A block is doubtful if another candidate costs at most this much more and would change the share
# of fat by at least this much.
DOUBTFUL_COST = 2.0
DOUBTFUL_SHARE = 0.3


@dataclass(frozen=True)
class FieldProblem:
    """All that is needed to choose a field: made once, solved under different assumptions.

    Attributes
    ----------
    blocks : Blocks
        The coarse grid.
    model : EchoModel
        Echo times and fat signal.
    candidates : Candidates
        Candidate fields of each block.
    evidence : ndarray of shape (blocks, candidates)
        Cost of each candidate by the signal of its block.
    pairs : PairCosts
        What neighbours pay for different fields.
    """

    blocks: Blocks
    model: EchoModel
    candidates: Candidates
    evidence: Float32
    pairs: PairCosts


@dataclass(frozen=True)
class FieldChoice:
    """One candidate per block.

    Attributes
    ----------
    label : ndarray of shape (blocks,)
        The candidate.
    field : ndarray of shape (blocks,)
        Its off-resonance, Hz (modulo the period of the echoes).
    cost : float
        Sum of all costs, to compare solutions.
    doubtful : ndarray of bool, shape (blocks,)
        Blocks in which a candidate with quite another share of fat fits almost as well.
    """

    label: Index
    field: Float32
    cost: float
    doubtful: Bool


def pose(
    blocks: Blocks,
    products: EchoProducts,
    model: EchoModel,
    noise: float,
    *,
    trust_residual: bool,
) -> FieldProblem:
    """Find the candidates of each block and what speaks for them."""
    candidates = find_candidates(products, model)
    evidence = np.zeros_like(candidates.field)
    if trust_residual:
        evidence = _evidence(candidates, products, blocks, noise)
    evidence = np.where(candidates.exists, evidence, IMPOSSIBLE).astype(np.float32)
    pairs = neighbours(blocks)
    scale = np.float32(FIELD_SCALE * abs(model.main_shift_hz))
    period = model.period_hz

    def penalty(difference: Float32) -> Float32:
        units = wrap(difference, period) / scale
        return np.minimum(units * units, np.float32(LARGEST_PAIR_COST))

    weight = _pair_weights(pairs, products, blocks)
    return FieldProblem(blocks, model, candidates, evidence, PairCosts(pairs, weight, penalty))


def choose_field(problem: FieldProblem, prior: Float32 | None = None) -> FieldChoice:
    """Choose the candidates that fit the signal and make the field continuous.

    `prior` is (blocks, candidates).
    """
    cost = problem.evidence if prior is None else problem.evidence + prior
    field, pairs = problem.candidates.field, problem.pairs
    found = merge_regions(field, cost, pairs)
    label = correct_single_blocks(found.best(), field, cost, pairs)
    return field_choice(problem, label, prior)


def field_choice(problem: FieldProblem, label: Index, prior: Float32 | None = None) -> FieldChoice:
    """Return what is known about a choice of candidates, its cost and its doubtful blocks."""
    candidates = problem.candidates
    cost = problem.evidence if prior is None else problem.evidence + prior
    rows = np.arange(label.size)
    share = candidates.fat_share
    rivals = alternative_costs(label, candidates.field, cost, problem.pairs)
    differs = np.abs(share - share[rows, label][:, None]) >= DOUBTFUL_SHARE
    doubtful = (differs & (rivals <= DOUBTFUL_COST)).any(axis=1)
    total = total_cost(label, candidates.field, cost, problem.pairs)
    return FieldChoice(label, candidates.field[rows, label], total, doubtful)


def voxel_field(
    problem: FieldProblem, choice: FieldChoice, image_shape: tuple[int, int, int]
) -> Float32:
    """Interpolate the block field to the tissue voxels, Hz, sorted as ``blocks.voxel``.

    The average of neighbouring blocks is weighted by the curvature of their residual, so that
    blocks in which opposed echoes cancel take the field of their surroundings.
    """
    blocks, model = problem.blocks, problem.model
    curvature = problem.candidates.curvature[np.arange(choice.label.size), choice.label]
    weight = curvature / np.maximum(np.median(curvature), np.finfo(np.float32).tiny)
    weight = np.clip(weight, 1e-3, 10.0)
    # Without a period, one that no plausible field exceeds serves for the average of phasors.
    period = model.period_hz or 40 * abs(model.main_shift_hz)
    phasor = weight * np.exp(np.complex64(2j * np.pi / period) * choice.field)
    smooth = ndimage.gaussian_filter(
        blocks.paint(phasor.astype(np.complex64)),
        (SMOOTHING_BLOCKS, SMOOTHING_BLOCKS, 0.0),
        mode="constant",
        truncate=3.0,
    )
    place = np.unravel_index(blocks.voxel, image_shape)
    coordinate = [(at + 0.5) / size - 0.5 for at, size in zip(place, blocks.size, strict=True)]
    phasor = ndimage.map_coordinates(smooth, coordinate, order=1, mode="nearest")
    field: Float32 = (np.angle(phasor) * (period / (2 * np.pi))).astype(np.float32)
    return field


def _evidence(
    candidates: Candidates, products: EchoProducts, blocks: Blocks, noise: float
) -> Float32:
    """Return the cost of each candidate: minus the logarithm of its likelihood, saturated."""
    energy = products.power.mean(axis=0) / blocks.count
    variance = (2 * noise**2 + MODEL_ERROR**2 * energy)[:, None]
    least = candidates.residual.min(axis=1, keepdims=True)
    excess = np.where(candidates.exists, candidates.residual - least, 0)
    excess = (excess + candidates.opposition) / variance
    cost: Float32 = LARGEST_BLOCK_COST * (1 - np.exp(-excess / LARGEST_BLOCK_COST))
    return cost


def _pair_weights(pairs: Neighbours, products: EchoProducts, blocks: Blocks) -> Float32:
    """Return how much a pair of blocks counts: near neighbours with signal more than others."""
    amplitude = np.sqrt(products.power.sum(axis=0) / blocks.count)
    weaker = np.minimum(amplitude[pairs.first], amplitude[pairs.second])
    signal = np.minimum(weaker / np.median(amplitude), 1.0)
    near = NEAR_MM / np.maximum(pairs.distance_mm, NEAR_MM)
    weight: Float32 = (signal * near).astype(np.float32)
    return weight
