"""Water-fat separation of three and more complex echoes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.water_fat.body import Mask
from pipelines.water_fat.separation.blocks import Blocks, EchoProducts, echo_products, make_blocks
from pipelines.water_fat.separation.echoes import is_in_opposed_triple
from pipelines.water_fat.separation.field_map import pose, voxel_field
from pipelines.water_fat.separation.glover import real_part_fit
from pipelines.water_fat.separation.model import EchoModel
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.precession import Sign, compare_signs, conjugate
from pipelines.water_fat.separation.readout import find_alternation, remove_alternation
from pipelines.water_fat.separation.refinement import R2STAR_LIMITS, Refined, refine
from pipelines.water_fat.separation.solution import Method, Solution
from pipelines.water_fat.separation.swap_repair import Anatomy, RepairedField, choose_with_anatomy
from pipelines.water_fat.separation.to_real import to_real

# Largest share of the signal's amplitude that the model may leave over before the data are
# refused: mixed-up echoes leave more, the worst real scans far less.
LARGEST_RESIDUAL = 0.3
# A phase between water and fat (degrees) from which on it is mentioned.
_MENTIONED_OFFSET = 15.0


@dataclass(frozen=True)
class _Voxels:
    """Tissue voxels, sorted block by block."""

    blocks: Blocks
    signal: npt.NDArray[np.complex64]
    products: EchoProducts

    @classmethod
    def of(cls, blocks: Blocks, signal: npt.NDArray[np.complex64]) -> "_Voxels":
        return cls(blocks, signal, echo_products(blocks, signal))

    def signed(self, sign: Sign) -> "_Voxels":
        if sign == 1:
            return self
        return _Voxels(self.blocks, self.signal.conj(), conjugate(self.products))


def separate_complex(
    echoes: npt.NDArray[np.complex64],
    tissue: Mask,
    anatomy: Anatomy,
    model: EchoModel,
    noise: float,
    options: SeparationOptions,
) -> Solution:
    """Separate water and fat with magnitude and phase.

    Parameters
    ----------
    echoes : ndarray of complex64, shape (x, y, z, echoes)
        Echoes in ascending order of time.
    tissue : ndarray of bool, shape (x, y, z)
        Voxels with signal.
    anatomy : Anatomy
        Body and limbs.
    model : EchoModel
        Echo times and fat signal.
    noise : float
        SD of the real channel.
    options : SeparationOptions
        Precession, readout.

    Raises
    ------
    DataError
        If the readout alternates and cannot be corrected, or if no field explains the phases.
    """
    shape = (tissue.shape[0], tissue.shape[1], tissue.shape[2])
    blocks = make_blocks(tissue, anatomy.affine)
    voxels = _Voxels.of(blocks, echoes.reshape(-1, model.echoes)[blocks.voxel].T.copy())
    in_opposed = is_in_opposed_triple(model.times_s, model.main_shift_hz)
    notes: list[str] = []
    signs = _possible_signs(voxels, model, options, notes)
    voxels = _with_monopolar_phase(voxels, signs[0], model, options, in_opposed, shape, notes)
    sign, found, field = _best_field(voxels, signs, anatomy, model, noise, in_opposed, notes)
    voxels = voxels.signed(sign)
    refined = refine(voxels.signal, field, blocks.voxel, shape, model, noise)
    residual = _residual_share(refined, voxels.signal, model, noise)
    if in_opposed:
        water, fat = real_part_fit(voxels.signal, refined, model)
        method: Method = "three-point in/opposed phase"
        notes.append("Three echoes in and opposed phase: three-point method, real parts.")
    else:
        water, fat, offset = to_real(refined.water, refined.fat)
        method = "multi-echo complex fit"
        notes.append(f"{model.echoes} complex echoes: multi-peak fit with common R2*.")
        if abs(np.degrees(offset)) > _MENTIONED_OFFSET:
            notes.append(
                f"Fat is {np.degrees(offset):.0f} degrees out of phase with water at time zero "
                "(echo times, field strength or radio-frequency pulse); this was taken out."
            )
    doubtful = (found.choice.doubtful | found.repaired)[_block_of_voxel(blocks)]
    doubtful |= (refined.r2star <= R2STAR_LIMITS[0]) | (refined.r2star >= R2STAR_LIMITS[1])
    return Solution(
        method=method,
        voxel=blocks.voxel,
        water=water,
        fat=fat,
        r2star=refined.r2star,
        field=refined.field,
        doubtful=doubtful,
        precession="as modelled" if sign == 1 else "reversed",
        residual=residual,
        notes=tuple(notes),
    )


def _possible_signs(
    voxels: _Voxels, model: EchoModel, options: SeparationOptions, notes: list[str]
) -> tuple[Sign, ...]:
    """Return the signs of the phase that remain possible, the likelier one first."""
    if options.precession != "auto":
        return (1,) if options.precession == "as modelled" else (-1,)
    if model.echoes < 4:
        return (1, -1)
    evidence = compare_signs(voxels.products, model)
    best = evidence.best
    other: Sign = -1 if best == 1 else 1
    if not evidence.decisive:
        return (best, other)
    notes.append(
        f"Phase sign {'as modelled' if best == 1 else 'reversed'}: the fit leaves "
        f"{100 * evidence.residual[best]:.2g} % of the signal's energy, with the other sign "
        f"{100 * evidence.residual[other]:.2g} %."
    )
    return (best,)


def _with_monopolar_phase(
    voxels: _Voxels,
    sign: Sign,
    model: EchoModel,
    options: SeparationOptions,
    in_opposed: bool,
    shape: tuple[int, int, int],
    notes: list[str],
) -> _Voxels:
    """Take out the phase of an alternating readout, if there is one."""
    if options.readout == "monopolar" or in_opposed:
        # The three-point method does not use the phase of the middle echo against the others.
        return voxels
    if model.echoes < 4 or model.period_hz is None:
        if options.readout == "bipolar":
            raise DataError(
                "A bipolar readout cannot be corrected with "
                + ("three echoes." if model.echoes < 4 else "unevenly spaced echoes."),
                "Give the magnitude alone, or the water and fat images of the scanner.",
            )
        return voxels
    alternation = find_alternation(voxels.signed(sign).products, voxels.blocks, model)
    if options.readout == "auto" and not alternation.found:
        return voxels
    corrected = remove_alternation(
        voxels.signed(sign).signal, alternation, voxels.blocks, shape
    )
    notes.append(
        f"Bipolar readout: every second echo is off by {np.degrees(alternation.phase_rms):.0f} "
        "degrees (root mean square); a phase ramp was taken out."
    )
    return _Voxels.of(voxels.blocks, corrected).signed(sign)


def _best_field(
    voxels: _Voxels,
    signs: tuple[Sign, ...],
    anatomy: Anatomy,
    model: EchoModel,
    noise: float,
    in_opposed: bool,
    notes: list[str],
) -> tuple[Sign, RepairedField, npt.NDArray[np.float32]]:
    """Choose the field with each possible sign of the phase and keep the cheaper solution."""
    shape = (anatomy.body.shape[0], anatomy.body.shape[1], anatomy.body.shape[2])
    solutions = {}
    for sign in signs:
        signed = voxels.signed(sign)
        problem = pose(
            voxels.blocks, signed.products, model, noise, trust_residual=not in_opposed
        )
        found = choose_with_anatomy(
            problem, signed.signal, anatomy, assume_shell=model.echoes == 3
        )
        solutions[sign] = (problem, found)
    best = min(solutions, key=lambda sign: solutions[sign][1].choice.cost)
    problem, found = solutions[best]
    if len(signs) > 1:
        costs = sorted(solution.choice.cost for _, solution in solutions.values())
        notes.append(
            f"Phase sign {'as modelled' if best == 1 else 'reversed'}: it makes the field smoother "
            f"between water and fat (cost {costs[0]:.0f} against {costs[1]:.0f})."
        )
    notes.extend(found.notes)
    return best, found, voxel_field(problem, found.choice, shape)


def _residual_share(
    refined: Refined, signal: npt.NDArray[np.complex64], model: EchoModel, noise: float
) -> float:
    """Return the amplitude the model leaves over beyond noise, as a share of the signal's.

    Raises
    ------
    DataError
        If it is so large that the echoes cannot be what the sidecar says.
    """
    energy = float((np.abs(signal) ** 2).sum(dtype=np.float64))
    # Water, fat and the shared field take about two complex numbers and a bit of each voxel.
    expected = 2 * noise**2 * (model.echoes - 2) * refined.residual.size
    left = max(float(refined.residual.sum(dtype=np.float64)) - expected, 0.0)
    share = float(np.sqrt(left / energy))
    if share > LARGEST_RESIDUAL:
        raise DataError(
            f"No field map explains the echoes: the model leaves {100 * share:.0f} % of the "
            "signal over.",
            "Check the order of the echoes and of EchoTime, the field strength, and that the phase "
            "belongs to the magnitude.",
        )
    return share


def _block_of_voxel(blocks: Blocks) -> npt.NDArray[np.intp]:
    return np.repeat(np.arange(blocks.count.size), blocks.count)
