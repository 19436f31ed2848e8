"""Choose a field that agrees with anatomy: swaps are found per limb and slice and solved again.

Exchanging water and fat in the finished images would not do: in a swap the field is wrong as well,
and with more than three echoes a swapped voxel is no mirror image of the right one. So the field
is chosen again, with a price on water where fat must be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.geometry import Affine
from pipelines.water_fat.arrays import Mask
from pipelines.water_fat.limbs import Limbs
from pipelines.water_fat.separation.anatomy_prior import SHELL_COST, shell_mask, shell_prior
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

Real = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]

# Price of water in the shell of a limb and slice found swapped: as much as any other evidence a
# block can have.
REPAIR_COST = 30.0
# The anatomical assumption itself is doubted if the skin, which is water, looks fattier than the
# shell in this share of the limbs and slices.
CONTRADICTED_SHARE = 0.8


@dataclass(frozen=True)
class Anatomy:
    """Where body, limbs and subcutaneous fat are.

    Attributes
    ----------
    body : ndarray of bool, shape (x, y, z)
    limbs : Limbs
    shell : ndarray of bool, shape (x, y, z)
        Layer under the skin of the limbs.
    affine : ndarray of shape (4, 4)
        Affine of all, mm.
    """

    body: Mask
    limbs: Limbs
    shell: Mask
    affine: Affine

    @classmethod
    def of(cls, body: Mask, limbs: Limbs, affine: Affine) -> "Anatomy":
        """Add the shell to a body and its limbs."""
        return cls(body, limbs, shell_mask(body, limbs, affine), affine)


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
    signal: Complex


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
    field: Real
    doubtful: Mask
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
    state = _cheapest(readings, anatomy, SHELL_COST if assume_shell else 0.0)
    if assume_shell and state.contradicted:
        opposite = _cheapest(readings, anatomy, -SHELL_COST)
        if not opposite.contradicted:
            state = opposite
            notes.append(
                "The layer under the skin is not fat here (thin fat): water and fat were told "
                "apart by the skin, which is water."
            )
    doubtful = state.choice.doubtful
    if state.swapped:
        second = _solved_again(readings[state.reading], state, anatomy)
        done = state.swapped - second.swapped
        if done > 0:
            notes.append(
                f"Water and fat were swapped in {state.swapped} limb slices; the field was chosen "
                f"again there, and {done} of them are right now."
            )
            doubtful = second.choice.doubtful | (second.choice.label != state.choice.label)
            state = second
    return JudgedField(state.reading, state.costs, state.field, doubtful, tuple(notes))


@dataclass(frozen=True)
class _State:
    """The cheapest reading under some prior, and what anatomy says about it."""

    reading: int
    costs: tuple[float, ...]
    prior: Real
    choice: FieldChoice
    field: Real
    swaps: pd.DataFrame

    @property
    def swapped(self) -> int:
        """Number of limbs and slices found swapped."""
        return int((self.swaps["status"] == "swapped").sum())

    @property
    def contradicted(self) -> bool:
        """Whether the skin looks fattier than the shell nearly everywhere."""
        measured = self.swaps.dropna(subset=["skin_ff", "shell_ff"])
        if measured.empty:
            return False
        fattier = measured["skin_ff"] >= measured["shell_ff"] + SKIN_MARGIN
        return bool(fattier.mean() >= CONTRADICTED_SHARE)


def _cheapest(readings: Sequence[Reading], anatomy: Anatomy, shell_cost: float) -> _State:
    """Solve all readings with a price on water (or, negative, on fat) in the shell."""
    priors = [_prior(reading.problem, anatomy.shell, shell_cost) for reading in readings]
    choices = [
        choose_field(reading.problem, prior)
        for reading, prior in zip(readings, priors, strict=True)
    ]
    costs = tuple(choice.cost for choice in choices)
    best = costs.index(min(costs))
    field, swaps = _judged(readings[best], choices[best], anatomy)
    return _State(best, costs, priors[best], choices[best], field, swaps)


def _solved_again(reading: Reading, state: _State, anatomy: Anatomy) -> _State:
    """Solve a reading again with a high price on water in the shell of swapped limb slices."""
    swapped = state.swaps[state.swaps["status"] == "swapped"]
    shell = np.zeros_like(anatomy.shell)
    for k, limb in swapped[["slice", "limb"]].itertuples(index=False):
        label = anatomy.limbs.names.index(limb) + 1
        shell[:, :, k] |= anatomy.shell[:, :, k] & (anatomy.limbs.labels[:, :, k] == label)
    prior = state.prior + _prior(reading.problem, shell, REPAIR_COST)
    choice = choose_field(reading.problem, prior)
    field, swaps = _judged(reading, choice, anatomy)
    return _State(state.reading, state.costs, prior, choice, field, swaps)


def _prior(problem: FieldProblem, shell: Mask, cost: float) -> Real:
    if cost == 0:
        return np.zeros_like(problem.evidence)
    return shell_prior(problem.candidates, problem.blocks, shell, cost)


def _judged(reading: Reading, choice: FieldChoice, anatomy: Anatomy) -> tuple[Real, pd.DataFrame]:
    """Return the coarse field of the voxels and the swap table of its fat fraction."""
    blocks = reading.problem.blocks
    shape = anatomy.body.shape
    field = voxel_field(reading.problem, choice, (shape[0], shape[1], shape[2]))
    decay = np.full_like(field, TYPICAL_R2STAR)
    quick = solve(reading.signal, field, decay, reading.problem.model)
    water, fat, _ = to_real(quick.water, quick.fat)
    ff = np.full(shape, np.nan, np.float32)
    ff.ravel()[blocks.voxel] = percent(water, fat)
    return field, detect_swaps(ff, anatomy.body, anatomy.limbs, anatomy.affine)
