"""Water-fat separation of three and more complex echoes."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Complex64, Float32
from pipelines.errors import DataError
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.blocks import Blocks, EchoProducts, echo_products, make_blocks
from pipelines.water_fat.separation.decision import PhaseSign, Precession, PriorSign
from pipelines.water_fat.separation.echoes import is_in_opposed_triple
from pipelines.water_fat.separation.field_map import pose
from pipelines.water_fat.separation.glover import real_part_fit
from pipelines.water_fat.separation.limb_choice import Reading
from pipelines.water_fat.separation.model import R2STAR_LIMITS, EchoModel
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.pure_tissue import find_contradictions
from pipelines.water_fat.separation.readout import (
    DECISIVE_SHARE,
    SIGNS,
    Alternation,
    Sign,
    conjugate,
    find_alternation,
    remove_alternation,
    residual_share,
)
from pipelines.water_fat.separation.refinement import Refined, refine
from pipelines.water_fat.separation.solution import Method, Solution
from pipelines.water_fat.separation.swap_repair import JudgedField, choose_with_anatomy
from pipelines.water_fat.separation.to_real import to_real

# Largest share of the signal's amplitude that the model may leave over before the data are
# refused: mixed-up echoes leave more, the worst real scans far less.
LARGEST_RESIDUAL = 0.2
# Another scan of the same manufacturer and converter has the same sign, unless software changed.
LARGEST_PRIOR = 4.0
# Log odds of a sign that the residual has decided.
DECISIVE_RESIDUAL_LOG_ODDS = 6.0
# A phase between water and fat (degrees) from which on it is mentioned.
_MENTIONED_OFFSET = 15.0

_SIGN_NAMES: dict[Sign, Precession] = {1: "as modelled", -1: "reversed"}


def separate_complex(
    echoes: Complex64,
    tissue: Bool,
    anatomy: Anatomy,
    model: EchoModel,
    *,
    noise: float,
    options: SeparationOptions,
) -> Solution:
    """Separate water and fat with magnitude and phase.

    `echoes` is (x, y, z, echoes); `tissue` is (x, y, z).
    """
    task = _Task(
        (tissue.shape[0], tissue.shape[1], tissue.shape[2]),
        anatomy,
        model,
        noise,
        options,
        is_in_opposed_triple(model.times_s, model.main_shift_hz),
    )
    blocks = make_blocks(tissue, anatomy.affine)
    voxels = _Voxels.of(blocks, echoes.reshape(-1, model.echoes)[blocks.voxel].T.copy())
    signs, voxels, phase_notes = _phase_conventions(task, voxels)
    sign, found, field_notes = _choose_field(task, voxels, signs)
    signal = voxels.signed(sign).signal
    refined = refine(signal, found.field, blocks.voxel, task.shape, model, noise=noise)
    residual = _residual_share(task, refined, signal)
    water, fat, method, fit_notes = _real_water_and_fat(task, refined, signal)
    doubtful = np.repeat(found.doubtful, blocks.count)
    doubtful |= (refined.r2star <= R2STAR_LIMITS[0]) | (refined.r2star >= R2STAR_LIMITS[1])
    return Solution(
        method=method,
        voxel=blocks.voxel,
        water=water,
        fat=fat,
        r2star=refined.r2star,
        field=refined.field,
        doubtful=doubtful,
        precession=_SIGN_NAMES[sign],
        phase_sign=_phase_sign(task, sign, found),
        decision=found.decision,
        residual=residual,
        notes=(*phase_notes, *field_notes, *fit_notes),
    )


@dataclass(frozen=True)
class _Task:
    """What does not change on the way."""

    shape: tuple[int, int, int]
    anatomy: Anatomy
    model: EchoModel
    noise: float
    options: SeparationOptions
    in_opposed: bool


@dataclass(frozen=True)
class _Voxels:
    """Tissue voxels, sorted block by block."""

    blocks: Blocks
    signal: Complex64
    products: EchoProducts

    @classmethod
    def of(cls, blocks: Blocks, signal: Complex64) -> "_Voxels":
        return cls(blocks, signal, echo_products(blocks, signal))

    def signed(self, sign: Sign) -> "_Voxels":
        if sign == 1:
            return self
        return _Voxels(self.blocks, self.signal.conj(), conjugate(self.products))


def _phase_conventions(task: _Task, voxels: _Voxels) -> tuple[tuple[Sign, ...], _Voxels, list[str]]:
    """Find out the sign of the phase and whether the readout alternates."""
    wanted = task.options.precession
    signs = SIGNS if wanted == "auto" else tuple(s for s in SIGNS if _SIGN_NAMES[s] == wanted)
    if task.in_opposed:
        # The three-point method does not use the phase of the middle echo against the others.
        return signs, voxels, []
    if task.model.echoes < 4 or task.model.period_hz is None:
        if task.options.readout == "bipolar":
            raise DataError(
                "A bipolar readout cannot be corrected with "
                + ("three echoes." if task.model.echoes < 4 else "unevenly spaced echoes."),
                "Give the magnitude alone, or the water and fat images of the scanner.",
            )
        if task.model.echoes < 4:
            return signs, voxels, []
    residual = {sign: residual_share(voxels.signed(sign).products, task.model) for sign in signs}
    alternations = _alternations(task, voxels, signs)
    residual |= {sign: found.residual for sign, found in alternations.items()}
    best = min(signs, key=lambda sign: residual[sign])
    notes = []
    if best in alternations:
        signed = voxels.signed(best)
        corrected = remove_alternation(signed.signal, alternations[best], voxels.blocks, task.shape)
        voxels = _Voxels.of(voxels.blocks, corrected).signed(best)
        off = np.degrees(alternations[best].phase_rms)
        notes.append(
            f"Bipolar readout: every second echo is off by {off:.0f} degrees (root mean square); a "
            "phase ramp was taken out."
        )
    if len(signs) > 1:
        other: Sign = -1 if best == 1 else 1
        if residual[other] - residual[best] < DECISIVE_SHARE:
            return (best, other), voxels, notes
        notes.append(
            f"Phase sign {_SIGN_NAMES[best]}: the fit leaves {100 * residual[best]:.2g} % of the "
            f"signal's energy, with the other sign {100 * residual[other]:.2g} %."
        )
    return (best,), voxels, notes


def _alternations(task: _Task, voxels: _Voxels, signs: tuple[Sign, ...]) -> dict[Sign, Alternation]:
    """Return the alternating readout found with each sign of the phase, where there is one."""
    readout = task.options.readout
    if readout == "monopolar" or task.model.period_hz is None:
        return {}
    found = {
        sign: find_alternation(voxels.signed(sign).products, voxels.blocks, task.model)
        for sign in signs
    }
    return {s: one for s, one in found.items() if one.found or readout == "bipolar"}


def _choose_field(
    task: _Task, voxels: _Voxels, signs: tuple[Sign, ...]
) -> tuple[Sign, JudgedField, list[str]]:
    """Choose the field, and with it the sign of the phase if it is still open."""
    prior = task.options.prior_sign
    readings = []
    for sign in signs:
        signed = voxels.signed(sign)
        problem = pose(
            voxels.blocks,
            signed.products,
            task.model,
            task.noise,
            trust_residual=not task.in_opposed,
        )
        expected = prior is not None and len(signs) > 1 and prior.sign == _SIGN_NAMES[sign]
        log_prior = min(prior.log_odds, LARGEST_PRIOR) if prior and expected else 0.0
        readings.append(Reading(problem, signed.signal, log_prior))
    magnitudes = find_contradictions(
        voxels.products.power, voxels.blocks.count, task.model, task.noise
    )
    found = choose_with_anatomy(
        readings, task.anatomy, magnitudes, use_shell=task.model.echoes == 3
    )
    sign = signs[found.reading]
    notes = list(found.notes)
    if len(signs) > 1:
        notes.append(
            f"Phase sign {_SIGN_NAMES[sign]}: log odds {found.sign_log_odds:+.1f} by this scan."
        )
    if prior is not None:
        notes.append(_about_prior(prior, _SIGN_NAMES[sign]))
    return sign, found, notes


def _about_prior(prior: PriorSign, sign: Precession) -> str:
    if prior.sign == sign:
        return f"The phase sign is that of {prior.source}."
    return f"The phase sign contradicts that of {prior.source} ({prior.sign}); look at both scans."


def _phase_sign(task: _Task, sign: Sign, found: JudgedField) -> PhaseSign:
    """Return the sign with the evidence of this scan; one that was set by hand shows nothing."""
    if task.options.precession != "auto":
        return PhaseSign(_SIGN_NAMES[sign], 0.0)
    return PhaseSign(_SIGN_NAMES[sign], min(found.sign_log_odds, DECISIVE_RESIDUAL_LOG_ODDS))


def _real_water_and_fat(
    task: _Task, refined: Refined, signal: Complex64
) -> tuple[Float32, Float32, Method, list[str]]:
    """Return water and fat as real values, how they were made, and what to say about it."""
    if task.in_opposed:
        water, fat = real_part_fit(signal, refined, task.model, noise=task.noise)
        note = "Three echoes in and opposed phase: three-point method, real parts."
        return water, fat, "three-point in/opposed phase", [note]
    water, fat, offset = to_real(refined.water, refined.fat)
    notes = [f"{task.model.echoes} complex echoes: multi-peak fit with common R2*."]
    if abs(np.degrees(offset)) > _MENTIONED_OFFSET:
        notes.append(
            f"Fat is {np.degrees(offset):.0f} degrees out of phase with water at time zero "
            "(echo times, field strength or radio-frequency pulse); this was taken out."
        )
    return water, fat, "multi-echo complex fit", notes


def _residual_share(task: _Task, refined: Refined, signal: Complex64) -> float:
    """Return the amplitude the model leaves over beyond noise, as a share of the signal's."""
    energy = float((np.abs(signal) ** 2).sum(dtype=np.float64))
    # Water and fat take two complex numbers of each voxel; field and decay are shared.
    expected = 2 * task.noise**2 * (task.model.echoes - 2) * refined.residual.size
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
