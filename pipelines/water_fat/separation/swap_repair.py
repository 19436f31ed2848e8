"""Choose a field that agrees with anatomy: water or fat per limb, then local swaps.

First every connected limb is decided as a whole (``limb_choice``). Only where that is certain
and its subcutaneous fat is seen, single slices that contradict it are solved again. Exchanging
water and fat in the finished images would not do: in a swap the field is wrong as well, and with
more than three echoes a swapped voxel is no mirror image of the right one. So the field is chosen
again, with a price on water where fat must be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float32, Index
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.blocks import Blocks
from pipelines.water_fat.separation.candidates import Candidates
from pipelines.water_fat.separation.decision import CERTAIN, Decision, LimbDecision
from pipelines.water_fat.separation.field_map import (
    FieldChoice,
    choose_field,
    field_choice,
    voxel_field,
)
from pipelines.water_fat.separation.limb_choice import (
    Choice,
    Reading,
    choose,
    chosen_label,
    connected_limbs,
    two_fields,
)
from pipelines.water_fat.separation.limb_evidence import anatomical_terms, limb_names
from pipelines.water_fat.separation.model import TYPICAL_R2STAR
from pipelines.water_fat.separation.pure_tissue import Contradictions, log_odds
from pipelines.water_fat.separation.refinement import solve
from pipelines.water_fat.separation.to_real import percent, to_real
from pipelines.water_fat.swaps import FAT_FROM, detect_swaps

# Price of water in a block that anatomy calls fat: more than small phase errors can make at a
# boundary of water and fat, less than a jump of the field by the water-fat shift.
FAT_COST = 6.0
# The same in a limb and slice found swapped: as much as any other evidence a block can have.
REPAIR_COST = 30.0
# A swap is local if it is found in at most this share of the slices of a limb.
LOCAL_SHARE = 0.5
# Connected pieces of tissue of at least this many blocks, and at most so many of them, are looked
# at for anatomy.
LIMB_BLOCKS = 30
LIMBS = 8


@dataclass(frozen=True)
class JudgedField:
    """A field choice that anatomy has judged.

    Attributes
    ----------
    reading : int
        Index of the reading it belongs to.
    sign_log_odds : float
        Log odds of that reading by this scan alone; infinite if there was only one.
    decision : Decision
        What speaks for the solution, limb by limb.
    field : ndarray of shape (voxels,)
        Coarse field of the tissue voxels, Hz.
    doubtful : ndarray of bool, shape (blocks,)
        Blocks that were swapped at first, or might be exchanged.
    notes : tuple of str
        What was done, for the log.
    """

    reading: int
    sign_log_odds: float
    decision: Decision
    field: Float32
    doubtful: Bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _State:
    """A field of one reading and what anatomy says about it."""

    reading: Reading
    prior: Float32
    choice: FieldChoice
    field: Float32
    ff: Float32
    swaps: pd.DataFrame

    @property
    def swapped(self) -> int:
        return int((self.swaps["status"] == "swapped").sum())


def choose_with_anatomy(
    readings: Sequence[Reading],
    anatomy: Anatomy,
    magnitudes: Contradictions,
    *,
    use_shell: bool,
) -> JudgedField:
    """Decide between water and fat limb by limb, then look for swaps by the fat under the skin."""
    blocks = readings[0].problem.blocks
    limb = connected_limbs(readings[0].problem.pairs.pairs, blocks.cell.size)
    fields = [two_fields(reading.problem, limb) for reading in readings]
    reference = int(np.argmin([two.cost.min(axis=1).sum() for two in fields]))
    state = _judged(readings[reference], fields[reference].label[0], anatomy)
    terms = _evidence(state, anatomy, magnitudes, limb)
    evidence = np.array([sum(one.values()) for one in terms])
    priors = [reading.log_prior for reading in readings]
    choice = choose(fields, priors, reference, evidence, limb)
    decision = _decision(choice, terms, anatomy, blocks, limb)
    label = chosen_label(fields[choice.reading], fields[reference].fatty[0], choice.exchanged, limb)
    if choice.reading != reference or choice.exchanged.any():
        state = _judged(readings[choice.reading], label, anatomy)
    if use_shell:
        state = _with_shell(state, anatomy, limb)
    state, doubtful, notes = _repaired(state, anatomy, decision)
    unsure = np.array([not one.decided for one in decision.limbs])
    return JudgedField(
        choice.reading,
        choice.sign_log_odds,
        decision,
        state.field,
        doubtful | unsure[limb],
        (*decision.notes, *notes),
    )


def _fat_prior(candidates: Candidates, blocks: Blocks, fat: Bool, cost: float) -> Float32:
    """Return what each candidate costs if some tissue must be fat.

    `fat` is (x, y, z); the result is (blocks, candidates).
    """
    share = blocks.sum(fat.ravel()[blocks.voxel].astype(np.float32)) / blocks.count
    watery = candidates.water > candidates.fat
    prior: Float32 = (cost * watery * share[:, None]).astype(np.float32)
    return prior


def _evidence(
    state: _State, anatomy: Anatomy, magnitudes: Contradictions, limb: Index
) -> list[dict[str, float]]:
    """Return the terms of each connected limb for a solution, without those of field and sign."""
    problem = state.reading.problem
    label = state.choice.label
    fat_share = problem.candidates.fat_share[np.arange(label.size), label]
    number = np.full(anatomy.body.shape, -1, np.int32)
    number.ravel()[problem.blocks.voxel] = np.repeat(limb, problem.blocks.count)
    sizes = np.bincount(limb)
    found = []
    for n, size in enumerate(sizes):
        terms = {"magnitudes": log_odds(magnitudes, fat_share, limb == n)} if size > 1 else {}
        if n < LIMBS and size >= LIMB_BLOCKS:
            terms |= anatomical_terms(state.ff, state.swaps, anatomy, number == n)
        found.append(terms)
    return found


def _decision(
    choice: Choice,
    terms: Sequence[dict[str, float]],
    anatomy: Anatomy,
    blocks: Blocks,
    limb: Index,
) -> Decision:
    """Put the evidence for the chosen solution together."""
    number = np.zeros(anatomy.body.shape, np.int32)
    number.ravel()[blocks.voxel] = np.repeat(limb + 1, blocks.count)
    voxels = np.bincount(limb, blocks.count)
    limbs = []
    for n, evidence in enumerate(terms):
        turn = -1.0 if choice.exchanged[n] else 1.0
        signed = {name: turn * value for name, value in evidence.items()}
        signed["field"] = float(choice.field_log_odds[n])
        share = float(voxels[n] / voxels.sum())
        names = limb_names(anatomy, number == n + 1) if n < LIMBS else []
        limbs.append(
            LimbDecision(
                " and ".join(names) + " limb" if names else "piece of tissue",
                share,
                signed,
                float(choice.log_odds[n]),
            )
        )
    return Decision(tuple(limbs))


def _with_shell(state: _State, anatomy: Anatomy, limb: Index) -> _State:
    """Choose the field again with a price on water in the shell, where the shell is fat.

    Limbs in which that exchanges water and fat keep the field they have.
    """
    shell_ff = state.swaps.groupby("limb")["shell_ff"].median()
    fat_layer = [i for i, n in enumerate(anatomy.limbs.names, 1) if shell_ff.get(n, 0) >= FAT_FROM]
    if not fat_layer:
        return state
    shell = anatomy.shell & np.isin(anatomy.limbs.labels, fat_layer)
    problem = state.reading.problem
    prior = _fat_prior(problem.candidates, problem.blocks, shell, FAT_COST)
    choice = choose_field(problem, prior)
    rows = np.arange(limb.size)
    fatty = problem.candidates.fat > problem.candidates.water
    agree = fatty[rows, choice.label] == fatty[rows, state.choice.label]
    kept = np.bincount(limb, agree) >= np.bincount(limb) / 2
    label = np.where(kept[limb], choice.label, state.choice.label)
    return _judged(state.reading, label, anatomy, prior * kept[limb][:, None])


def _repaired(
    state: _State, anatomy: Anatomy, decision: Decision
) -> tuple[_State, Bool, list[str]]:
    """Solve slices again that contradict the certain decision of their limb.

    `doubtful` is (blocks,).
    """
    swapped = state.swaps[_is_local(state.swaps)]
    if swapped.empty or decision.probability < CERTAIN:
        return state, state.choice.doubtful, []
    fat = np.zeros_like(anatomy.shell)
    for k, name in swapped[["slice", "limb"]].itertuples(index=False):
        label = anatomy.limbs.names.index(name) + 1
        fat[:, :, k] |= anatomy.fat[:, :, k] & (anatomy.limbs.labels[:, :, k] == label)
    problem = state.reading.problem
    prior = state.prior + _fat_prior(problem.candidates, problem.blocks, fat, REPAIR_COST)
    second = _judged(state.reading, choose_field(problem, prior).label, anatomy, prior)
    done = state.swapped - second.swapped
    if done <= 0:
        return state, state.choice.doubtful, []
    now, before = second.choice, state.choice
    note = (
        f"Water and fat were swapped in {state.swapped} limb slices; the field was chosen "
        f"again there, and {done} of them are right now."
    )
    return second, now.doubtful | (now.label != before.label), [note]


def _is_local(swaps: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which limb slices are swapped while most of their limb is not."""
    swapped = swaps["status"] == "swapped"
    share = swapped.groupby(swaps["limb"]).transform("mean")
    return swapped & (share <= LOCAL_SHARE)


def _judged(
    reading: Reading, label: Index, anatomy: Anatomy, prior: Float32 | None = None
) -> _State:
    """Measure the fat fraction of a choice, without refinement, where anatomy knows it."""
    problem = reading.problem
    if prior is None:
        prior = np.zeros_like(problem.evidence)
    choice = field_choice(problem, label, prior)
    shape = anatomy.body.shape
    field = voxel_field(problem, choice, (shape[0], shape[1], shape[2]))
    decay = np.full_like(field, TYPICAL_R2STAR)
    quick = solve(reading.signal, field, decay, problem.model)
    water, fat, _ = to_real(quick.water, quick.fat)
    ff = np.full(shape, np.nan, np.float32)
    ff.ravel()[problem.blocks.voxel] = percent(water, fat)
    swaps = detect_swaps(ff, anatomy.body, anatomy.limbs, anatomy.affine)
    return _State(reading, prior, choice, field, ff, swaps)
