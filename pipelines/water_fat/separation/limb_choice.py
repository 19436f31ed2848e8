"""Choose for every connected limb between two fields: one has water where the other has fat.

The smoothest field is found without any assumption on where fat is; exchanging water and fat in all
blocks of a connected limb gives a second one. Which of the two holds is one question per limb, and
the sign of the phase, which is also open, is one question per scan that all limbs share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import logsumexp

from pipelines.arrays import Bool, Complex64, Float64, Index
from pipelines.water_fat.separation.blocks import Neighbours
from pipelines.water_fat.separation.field_map import FieldProblem
from pipelines.water_fat.separation.model import wrap
from pipelines.water_fat.separation.region_merging import correct_single_blocks, merge_regions

# Costs are sums over blocks that are not independent. A difference becomes log odds by this factor
# relative to the lower cost, and at most by the other one; where field strength or spectrum are
# off, the wrong solution of a real thigh cost 18 % more, with the right ones 120 %.
PER_RELATIVE_COST = 20.0
PER_COST = 0.05
LARGEST_FIELD_LOG_ODDS = 6.0
_FAR_HZ = np.float32(1e5)


@dataclass(frozen=True)
class Reading:
    """The echoes under one assumption on the sign of their phase.

    Attributes
    ----------
    problem : FieldProblem
        Candidates and costs.
    signal : ndarray of complex64, shape (echoes, voxels)
        Signal of the tissue voxels.
    log_prior : float
        Logarithm of the odds of this sign before the scan was looked at.
    """

    problem: FieldProblem
    signal: Complex64
    log_prior: float = 0.0


@dataclass(frozen=True)
class TwoFields:
    """The smoothest field of a reading and its counterpart.

    Attributes
    ----------
    label : ndarray of shape (2, blocks)
        Candidates of the smoothest field, and with water and fat exchanged.
    fatty : ndarray of bool, shape (2, blocks)
        Which blocks then hold more fat than water.
    cost : ndarray of shape (limbs, 2)
        Cost of both in each connected limb.
    """

    label: Index
    fatty: Bool
    cost: Float64

    def like(self, fatty: Bool, limb: Index) -> Bool:
        """Tell in which limbs the first field has water and fat about where `fatty` says."""
        agree = np.bincount(limb, self.fatty[0] == fatty)
        same: Bool = agree >= np.bincount(limb) / 2
        return same


@dataclass(frozen=True)
class Choice:
    """Sign and solution that all evidence together prefers.

    Attributes
    ----------
    reading : int
        Index of the sign.
    exchanged : ndarray of bool, shape (limbs,)
        Whether a limb is the exchange of the reference solution.
    log_odds : ndarray of shape (limbs,)
        For the chosen solution against its exchange, whatever the sign.
    field_log_odds : ndarray of shape (limbs,)
        What field and sign add to the evidence of the limb itself.
    sign_log_odds : float
        For the chosen sign against the other by this scan alone; infinite if there is no other.
    """

    reading: int
    exchanged: Bool
    log_odds: Float64
    field_log_odds: Float64
    sign_log_odds: float


def connected_limbs(pairs: Neighbours, blocks: int) -> Index:
    """Return for each block the connected piece of tissue it belongs to, the largest being 0."""
    links = coo_array((np.ones(pairs.first.size), (pairs.first, pairs.second)), (blocks, blocks))
    _, piece = connected_components(links, directed=False)
    rank = np.argsort(np.argsort(-np.bincount(piece), kind="stable"), kind="stable")
    limb: Index = rank[piece]
    return limb


def two_fields(problem: FieldProblem, limb: Index) -> TwoFields:
    """Find the smoothest field without assumptions, and the one with water and fat exchanged."""
    field, cost, pairs = problem.candidates.field, problem.evidence, problem.pairs
    first = correct_single_blocks(merge_regions(field, cost, pairs).best(), field, cost, pairs)
    second = correct_single_blocks(_exchanged(problem, first), field, cost, pairs)
    label = np.stack([first, second])
    rows = np.arange(first.size)
    a, b = pairs.pairs.first, pairs.pairs.second
    costs = []
    for one in label:
        current = field[rows, one]
        between = pairs.weight * pairs.penalty(current[a] - current[b])
        costs.append(np.bincount(limb, cost[rows, one]))
        costs[-1] += np.bincount(limb[a], between, minlength=costs[-1].size)
    fatty = (problem.candidates.fat > problem.candidates.water)[rows, label]
    return TwoFields(label, fatty, np.stack(costs, axis=1))


def choose(
    fields: Sequence[TwoFields],
    log_priors: Sequence[float],
    reference: int,
    evidence: Float64,
    limb: Index,
) -> Choice:
    """Weigh fields, signs and the evidence of the limbs against each other.

    `evidence` is (limbs,); `limb` is (blocks,).
    """
    fatty = fields[reference].fatty[0]
    by_field = np.stack(
        [np.where(two.like(fatty, limb)[:, None], two.cost, two.cost[:, ::-1]) for two in fields]
    )
    least = by_field.min(axis=(0, 2), keepdims=True)
    off = by_field - least
    score = -np.minimum(PER_RELATIVE_COST * off / np.maximum(least, 1e-9), PER_COST * off)
    score = np.maximum(score, -LARGEST_FIELD_LOG_ODDS)
    score += np.stack([evidence, -evidence], axis=1) / 2
    # Both solutions of a limb are summed over: the sign alone is judged whatever they are.
    whatever = logsumexp(score, axis=2)
    alone = whatever.sum(axis=1)
    sign = alone + np.array(log_priors)
    joint = (sign[:, None] - whatever)[:, :, None] + score
    odds = logsumexp(joint[:, :, 0], axis=0) - logsumexp(joint[:, :, 1], axis=0)
    exchanged: Bool = odds < 0
    taken = np.where(exchanged, score[:, :, 1], score[:, :, 0])
    best = int((taken.sum(axis=1) + np.array(log_priors)).argmax())
    others = np.delete(alone, best)
    sign_log_odds = float(alone[best] - logsumexp(others)) if others.size else np.inf
    own = np.where(exchanged, -evidence, evidence)
    return Choice(best, exchanged, np.abs(odds), np.abs(odds) - own, sign_log_odds)


def chosen_label(two: TwoFields, fatty: Bool, exchanged: Bool, limb: Index) -> Index:
    """Return the candidates of a reading that agree with the choice for each limb.

    `fatty` and `limb` are (blocks,); `exchanged` is (limbs,).
    """
    second = two.like(fatty, limb) == exchanged
    label: Index = np.where(second[limb], two.label[1], two.label[0])
    return label


def _exchanged(problem: FieldProblem, label: Index) -> Index:
    """Return for each block the candidate at which water and fat have changed places."""
    candidates, model = problem.candidates, problem.model
    rows = np.arange(label.size)
    fatty = candidates.fat > candidates.water
    now = fatty[rows, label]
    shift = np.float32(model.main_shift_hz)
    wanted = candidates.field[rows, label] + np.where(now, shift, -shift)
    off = np.abs(wrap(candidates.field - wanted[:, None], model.period_hz))
    off = np.where(fatty != now[:, None], off, off + _FAR_HZ)
    nearest: Index = np.where(candidates.exists, off, np.inf).argmin(axis=1)
    return nearest
