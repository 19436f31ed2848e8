"""Choose a field that agrees with anatomy: swaps are found per limb and slice and solved again.

Exchanging water and fat in the finished images would not do: in a swap the field is wrong as well,
and with more than three echoes a swapped voxel is no mirror image of the right one. So the field
is chosen again, with a price on water where fat must be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Complex64, Float32
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.blocks import Blocks
from pipelines.water_fat.separation.candidates import Candidates
from pipelines.water_fat.separation.field_map import (
    FieldChoice,
    FieldProblem,
    choose_field,
    voxel_field,
)
from pipelines.water_fat.separation.model import TYPICAL_R2STAR
from pipelines.water_fat.separation.refinement import solve
from pipelines.water_fat.separation.to_real import percent, to_real
from pipelines.water_fat.swaps import SKIN_MARGIN, detect_swaps

# Price of water in a block that anatomy calls fat: more than small phase errors can make at a
# boundary of water and fat, less than a jump of the field by the water-fat shift.
FAT_COST = 6.0
# The same in a limb and slice found swapped: as much as any other evidence a block can have.
REPAIR_COST = 30.0
# That the shell is fat is doubted if the skin, which is water, looks fattier than the shell in this
# share of the limbs and slices, or if marrow reads less fat (percent) than this.
CONTRADICTED_SHARE = 0.8
MARROW_FROM = 40.0
_MARROW_VOXELS = 50


@dataclass(frozen=True)
class Reading:
    """The echoes under one assumption (of the sign of their phase).

    Attributes
    ----------
    problem : FieldProblem
        Candidates and costs.
    signal : ndarray of complex64, shape (echoes, voxels)
        Signal of the tissue voxels.
    """

    problem: FieldProblem
    signal: Complex64


@dataclass(frozen=True)
class JudgedField:
    """A field choice that anatomy has judged.

    Attributes
    ----------
    reading : int
        Index of the reading it belongs to: the one with the lowest cost.
    costs : tuple of float
        Cost of each reading.
    field : ndarray of shape (voxels,)
        Coarse field of the tissue voxels, Hz.
    doubtful : ndarray of bool, shape (blocks,)
        Blocks that were swapped at first, or might be exchanged.
    notes : tuple of str
        What was done, for the log.
    """

    reading: int
    costs: tuple[float, ...]
    field: Float32
    doubtful: Bool
    notes: tuple[str, ...]


def choose_with_anatomy(
    readings: Sequence[Reading], anatomy: Anatomy, *, assume_shell: bool
) -> JudgedField:
    """Choose a field, judge it by the fat under the skin, and choose again where it is swapped.

    Parameters
    ----------
    readings : sequence of Reading
        The possible signs of the phase.
    anatomy : Anatomy
        Body and limbs.
    assume_shell : bool
        Whether to start from the assumption that the shell is fat, because the echoes cannot tell.
    """
    notes: list[str] = []
    state = _cheapest(readings, anatomy, FAT_COST if assume_shell else 0.0)
    if assume_shell and state.contradicted:
        opposite = _cheapest(readings, anatomy, -FAT_COST)
        if not opposite.contradicted:
            state = opposite
            notes.append(
                "The layer under the skin is not fat here (thin fat): water and fat were told "
                "apart by the skin, which is water, and by bone marrow."
            )
    doubtful = state.solved.choice.doubtful
    if state.swapped:
        second = _solved_again(readings[state.solved.reading], state, anatomy)
        done = state.swapped - second.swapped
        if done > 0:
            notes.append(
                f"Water and fat were swapped in {state.swapped} limb slices; the field was chosen "
                f"again there, and {done} of them are right now."
            )
            now, before = second.solved.choice, state.solved.choice
            doubtful = now.doubtful | (now.label != before.label)
            state = second
    solved = state.solved
    return JudgedField(solved.reading, solved.costs, state.field, doubtful, tuple(notes))


@dataclass(frozen=True)
class _Solved:
    """The cheapest reading under some prior."""

    reading: int
    costs: tuple[float, ...]
    prior: Float32
    choice: FieldChoice


@dataclass(frozen=True)
class _State:
    """A solution and what anatomy says about it."""

    solved: _Solved
    field: Float32
    swaps: pd.DataFrame
    marrow_ff: float

    @property
    def swapped(self) -> int:
        """Number of limbs and slices found swapped."""
        return int((self.swaps["status"] == "swapped").sum())

    @property
    def contradicted(self) -> bool:
        """Whether skin or marrow speak against it that the shell is fat (or water)."""
        measured = self.swaps.dropna(subset=["skin_ff", "shell_ff"])
        if measured.empty:
            return False
        fattier = measured["skin_ff"] >= measured["shell_ff"] + SKIN_MARGIN
        if fattier.mean() >= CONTRADICTED_SHARE:
            return True
        return bool(self.marrow_ff < MARROW_FROM < measured["shell_ff"].median())


def fat_prior(candidates: Candidates, blocks: Blocks, fat: Bool, cost: float) -> Float32:
    """Return what each candidate costs if some tissue must be fat.

    Parameters
    ----------
    candidates : Candidates
        Candidate fields of each block.
    blocks : Blocks
        The coarse grid.
    fat : ndarray of bool, shape (x, y, z)
        Voxels that should be fat.
    cost : float
        Cost of a block of water that lies in this tissue entirely; negative if it should be water.

    Returns
    -------
    ndarray of shape (blocks, candidates)
    """
    share = blocks.sum(fat.ravel()[blocks.voxel].astype(np.float32)) / blocks.count
    watery = candidates.water > candidates.fat
    disliked = watery if cost > 0 else ~watery
    prior: Float32 = (abs(cost) * disliked * share[:, None]).astype(np.float32)
    return prior


def _cheapest(readings: Sequence[Reading], anatomy: Anatomy, cost: float) -> _State:
    """Solve all readings with a price on water (or, if negative, on fat) in the shell.

    Marrow is left out, so that it can tell whether the assumption was right.
    """
    problems = [reading.problem for reading in readings]
    priors = [fat_prior(p.candidates, p.blocks, anatomy.shell, cost) for p in problems]
    choices = [choose_field(p, prior) for p, prior in zip(problems, priors, strict=True)]
    costs = tuple(choice.cost for choice in choices)
    best = costs.index(min(costs))
    solved = _Solved(best, costs, priors[best], choices[best])
    return _judged(readings[best], solved, anatomy)


def _solved_again(reading: Reading, state: _State, anatomy: Anatomy) -> _State:
    """Solve a reading again with a high price on water in the shell of swapped limb slices."""
    swapped = state.swaps[state.swaps["status"] == "swapped"]
    fat = np.zeros_like(anatomy.shell)
    for k, limb in swapped[["slice", "limb"]].itertuples(index=False):
        label = anatomy.limbs.names.index(limb) + 1
        fat[:, :, k] |= anatomy.fat[:, :, k] & (anatomy.limbs.labels[:, :, k] == label)
    problem = reading.problem
    prior = state.solved.prior + fat_prior(problem.candidates, problem.blocks, fat, REPAIR_COST)
    solved = _Solved(state.solved.reading, state.solved.costs, prior, choose_field(problem, prior))
    return _judged(reading, solved, anatomy)


def _judged(reading: Reading, solved: _Solved, anatomy: Anatomy) -> _State:
    """Measure the fat fraction of a choice, without refinement, where anatomy knows it."""
    blocks = reading.problem.blocks
    shape = anatomy.body.shape
    field = voxel_field(reading.problem, solved.choice, (shape[0], shape[1], shape[2]))
    decay = np.full_like(field, TYPICAL_R2STAR)
    quick = solve(reading.signal, field, decay, reading.problem.model)
    water, fat, _ = to_real(quick.water, quick.fat)
    ff = np.full(shape, np.nan, np.float32)
    ff.ravel()[blocks.voxel] = percent(water, fat)
    swaps = detect_swaps(ff, anatomy.body, anatomy.limbs, anatomy.affine)
    marrow = ff[anatomy.marrow & np.isfinite(ff)]
    marrow_ff = float(np.median(marrow)) if marrow.size >= _MARROW_VOXELS else np.nan
    return _State(solved, field, swaps, marrow_ff)
