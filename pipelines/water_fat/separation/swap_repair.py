"""Choose a field that agrees with anatomy: swaps are found per limb and slice and solved again.

Exchanging water and fat in the finished images would not do: in a swap the field is wrong as well,
and with more than three echoes a swapped voxel is no mirror image of the right one. So the field
is chosen again, with a price on water where fat must be.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.geometry import Affine
from pipelines.water_fat.body import Mask
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
class RepairedField:
    """A field choice that anatomy has judged.

    Attributes
    ----------
    choice : FieldChoice
        The field.
    repaired : ndarray of bool, shape (blocks,)
        Blocks of limbs and slices that were swapped at first.
    notes : tuple of str
        What was done, for the log.
    """

    choice: FieldChoice
    repaired: npt.NDArray[np.bool_]
    notes: tuple[str, ...]


def choose_with_anatomy(
    problem: FieldProblem,
    signal: npt.NDArray[np.complex64],
    anatomy: Anatomy,
    *,
    assume_shell: bool,
) -> RepairedField:
    """Choose a field, judge it by the fat under the skin, and choose again where it is swapped.

    Parameters
    ----------
    problem : FieldProblem
        Candidates and costs.
    signal : ndarray of complex64, shape (echoes, voxels)
        Signal of the tissue voxels.
    anatomy : Anatomy
        Body and limbs.
    assume_shell : bool
        Whether to start from the assumption that the shell is fat, because the echoes cannot tell.
    """
    notes: list[str] = []
    prior = np.zeros_like(problem.evidence)
    if assume_shell:
        prior = shell_prior(problem.candidates, problem.blocks, anatomy.shell)
    choice = choose_field(problem, prior)
    swaps = _judge(problem, choice, signal, anatomy)
    if assume_shell and _contradicted(swaps):
        opposite = shell_prior(problem.candidates, problem.blocks, anatomy.shell, -SHELL_COST)
        other = choose_field(problem, opposite)
        other_swaps = _judge(problem, other, signal, anatomy)
        if not _contradicted(other_swaps):
            choice, swaps, prior = other, other_swaps, opposite
            notes.append(
                "The layer under the skin is not fat here (thin fat): water and fat were told "
                "apart by the skin, which is water."
            )
    repaired = np.zeros(choice.label.size, np.bool_)
    swapped = swaps[swaps["status"] == "swapped"]
    if len(swapped):
        region = _limb_slices(anatomy, swapped)
        price = shell_prior(
            problem.candidates, problem.blocks, anatomy.shell & region, REPAIR_COST
        )
        second = choose_field(problem, prior + price)
        left = _judge(problem, second, signal, anatomy)["status"] == "swapped"
        done = len(swapped) - int(left.sum())
        if done > 0:
            changed = second.label != choice.label
            inside = problem.blocks.sum(region.ravel()[problem.blocks.voxel].astype(np.int32)) > 0
            choice, repaired = second, changed & inside
            notes.append(
                f"Water and fat were swapped in {len(swapped)} limb slices; the field was chosen "
                f"again there, and {done} of them are right now."
            )
    return RepairedField(choice, repaired, tuple(notes))


def _judge(
    problem: FieldProblem,
    choice: FieldChoice,
    signal: npt.NDArray[np.complex64],
    anatomy: Anatomy,
) -> pd.DataFrame:
    """Return the swap table of a choice, from a fat fraction without refinement."""
    shape = anatomy.body.shape
    image_shape = (shape[0], shape[1], shape[2])
    field = voxel_field(problem, choice, image_shape)
    decay = np.full_like(field, TYPICAL_R2STAR)
    quick = solve(signal, field, decay, problem.model)
    water, fat, _ = to_real(quick.water, quick.fat)
    ff = np.full(image_shape, np.nan, np.float32)
    ff.ravel()[problem.blocks.voxel] = percent(water, fat)
    return detect_swaps(ff, anatomy.body, anatomy.limbs, anatomy.affine)


def _contradicted(swaps: pd.DataFrame) -> bool:
    """Tell whether the skin looks fattier than the shell nearly everywhere."""
    measured = swaps.dropna(subset=["skin_ff", "shell_ff"])
    if measured.empty:
        return False
    fattier = measured["skin_ff"] >= measured["shell_ff"] + SKIN_MARGIN
    return bool(fattier.mean() >= CONTRADICTED_SHARE)


def _limb_slices(anatomy: Anatomy, rows: pd.DataFrame) -> Mask:
    """Return the voxels of the limbs and slices of some rows of a swap table."""
    region = np.zeros(anatomy.body.shape, np.bool_)
    for k, limb in rows[["slice", "limb"]].itertuples(index=False):
        label = anatomy.limbs.names.index(limb) + 1
        region[:, :, k] |= anatomy.limbs.labels[:, :, k] == label
    return region
