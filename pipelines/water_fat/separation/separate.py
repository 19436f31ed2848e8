"""From raw echoes to water, fat and fat fraction: the one public function of this package."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Affine, Array, Bool, Float32
from pipelines.errors import DataError
from pipelines.quality import Check
from pipelines.water_fat.body import body_mask
from pipelines.water_fat.limbs import Limbs, label_limbs
from pipelines.water_fat.noise import background_belt, rayleigh_sigma
from pipelines.water_fat.plausible import is_noise, without_impossible
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.checks import separation_checks
from pipelines.water_fat.separation.complex_echoes import separate_complex
from pipelines.water_fat.separation.decision import PhaseSign, Precession
from pipelines.water_fat.separation.echoes import EchoTrain, read_echo_times
from pipelines.water_fat.separation.magnitude import separate_magnitude
from pipelines.water_fat.separation.model import EchoModel
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.phase import to_radians
from pipelines.water_fat.separation.solution import Method, Solution
from pipelines.water_fat.separation.spectra import fat_spectrum
from pipelines.water_fat.separation.t1_correction import correct_t1, t1_weighting
from pipelines.water_fat.separation.to_real import percent
from pipelines.water_fat.separation.two_point import separate_two_points
from pipelines.water_fat.swaps import detect_swaps, without_shell

# Voxels of the body count as tissue from this multiple of the noise on; cortical bone and air do
# not, and have no fat fraction.
TISSUE_SNR = 3.0
# Noise where the background holds none (zeroed by the scanner), as a share of the signal.
ASSUMED_NOISE = 0.02


@dataclass(frozen=True)
class SeparationResult:
    """Maps of one scan, and how they were made.

    Attributes
    ----------
    ff : ndarray of float32, shape (x, y, z)
        Fat fraction, percent; NaN outside tissue, where water plus fat is noise, and beyond
        -50...150 %. Noise may take single voxels below 0 and above 100: clipping them would bias
        the mean of lean muscle.
    water, fat : ndarray of float32
        Signals at echo time zero in units of the image; 0 outside tissue.
    r2star : ndarray of float32 or None
        Decay, 1/s; NaN outside tissue. None if it was assumed.
    b0 : ndarray of float32 or None
        Off-resonance, Hz, modulo the period of evenly spaced echoes; NaN outside tissue. None
        without phase.
    doubtful : ndarray of bool
        Voxels in which water and fat may be exchanged, or out of the method's range.
    body : ndarray of bool
    limbs : Limbs
    swaps : DataFrame
        Judgement of every limb and slice of the result, see
        :func:`pipelines.water_fat.swaps.detect_swaps`; a limb that other evidence decides is no
        swap for want of fat under its skin.
    method : str
        Path that was taken.
    spectrum : str
        Name of the fat spectrum.
    precession : str
        Sign of the phase.
    phase_sign : PhaseSign
        The same with the evidence of this scan alone, for other scans of the same manufacturer and
        converter: as ``SeparationOptions.prior_sign`` if it is decisive.
    decided : bool
        Whether it is known which of water and fat is which. If not, the maps hold the likelier
        answer, and no fat fraction should be reported.
    phase_units : str or None
        Unit of the phase images as stored.
    echo_times_ms : tuple of float
        In the order used.
    noise : float
        SD of the noise in the real channel, in units of the image.
    notes : tuple of str
        What was recognized, chosen and changed, for log and sidecar.
    checks : list of Check
    """

    ff: Float32
    water: Float32
    fat: Float32
    r2star: Float32 | None
    b0: Float32 | None
    doubtful: Bool
    body: Bool
    limbs: Limbs
    swaps: pd.DataFrame
    method: Method
    spectrum: str
    precession: Precession
    phase_sign: PhaseSign
    decided: bool
    phase_units: str | None
    echo_times_ms: tuple[float, ...]
    noise: float
    notes: tuple[str, ...]
    checks: list[Check]


def separate(
    magnitude: Array | None,
    phase: Array | None,
    echo_times: Sequence[float],
    affine: Affine,
    field_strength_t: float,
    *,
    options: SeparationOptions | None = None,
) -> SeparationResult:
    """Separate water and fat of a multi-echo gradient echo scan.

    The path follows from the data: three echoes in and opposed phase, three and more other echoes
    with phase, three and more magnitudes, or two magnitudes.

    Parameters
    ----------
    magnitude : ndarray of shape (x, y, z, echoes)
        Magnitude images in canonical orientation.
    phase : ndarray of the same shape, optional
        Phase images, in any of the units scanners use.
    echo_times : sequence of float
        Echo times in ms (or, recognized by size, in s), in the order of the images.
    affine : ndarray of shape (4, 4)
        Affine of the images, mm.
    field_strength_t : float
        Main field, T; better from the imaging frequency than from the nominal value.
    options : SeparationOptions, optional
        Spectrum, phase units, sign, readout, T1.

    Returns
    -------
    SeparationResult

    Raises
    ------
    DataError
        If the magnitude is missing, shapes or echo times do not fit, the phase is of an unknown
        unit, no body is found, or no separation is possible with these echoes.
    """
    options = options or SeparationOptions()
    magnitude = _checked(magnitude, phase, field_strength_t)
    train = read_echo_times(echo_times, magnitude.shape[3])
    magnitude = magnitude[..., train.order].astype(np.float32)
    _check_echoes(magnitude, train)
    model = EchoModel.of(train.times_s, field_strength_t, fat_spectrum(options.spectrum))
    notes = list(train.notes)
    overall = np.sqrt(np.einsum("...n,...n->...", magnitude, magnitude) / magnitude.shape[3])
    body = body_mask(overall, affine)
    anatomy = Anatomy.of(body, label_limbs(body, affine), overall, affine)
    noise = _noise(magnitude, overall, body, affine, notes)
    tissue = body & (overall > TISSUE_SNR * noise)
    units = None
    if phase is not None and magnitude.shape[3] > 2:
        radians, units = to_radians(phase, options.phase_units)
        notes.append(f"Phase was stored in {units}.")
        echoes = magnitude * np.exp(np.complex64(1j) * radians[..., train.order])
        solution = separate_complex(echoes, tissue, anatomy, model, noise=noise, options=options)
    else:
        if phase is not None:
            notes.append("Two echoes: the phase was not used.")
        solution = _without_phase(magnitude, tissue, anatomy, model, noise)
    notes.extend(solution.notes)
    notes.append(f"Fat spectrum {model.spectrum.name}: {model.spectrum.source}.")
    return _result(solution, anatomy, model, noise=noise, options=options, units=units, notes=notes)


def _checked(magnitude: Array | None, phase: Array | None, field_strength_t: float) -> Array:
    if magnitude is None:
        raise DataError(
            "There is a phase image but no magnitude image."
            if phase is not None
            else "There are no echoes.",
            "Add the magnitude of the same scan (..._MEGRE.nii.gz).",
        )
    if magnitude.ndim != 4 or magnitude.shape[3] < 2:
        raise DataError(
            f"The magnitude has shape {magnitude.shape}; water and fat cannot be separated from "
            "less than two echoes.",
            "Give all echoes along the fourth axis.",
        )
    if phase is not None and phase.shape != magnitude.shape:
        raise DataError(
            f"The magnitude has shape {magnitude.shape}, the phase {phase.shape}.",
            "Give magnitude and phase of the same echoes of one scan.",
        )
    if not (np.isfinite(field_strength_t) and 0.1 < field_strength_t < 12):
        raise DataError(
            f"A field strength of {field_strength_t:g} T is not plausible.",
            "Correct MagneticFieldStrength (in tesla) in the sidecar.",
        )
    return magnitude


def _check_echoes(magnitude: Float32, train: EchoTrain) -> None:
    """Refuse echoes without signal."""
    for n, time in enumerate(train.times_ms):
        echo = magnitude[..., n]
        if not np.isfinite(echo).all():
            raise DataError(
                f"The magnitude of the echo at {time:g} ms holds values that are not finite.",
                "Convert the scan again.",
            )
        if not echo.any():
            raise DataError(
                f"The echo at {time:g} ms is empty.",
                "Remove it from the images and its time from EchoTime, or convert the scan again.",
            )


def _noise(
    magnitude: Float32,
    overall: Float32,
    body: Bool,
    affine: Affine,
    notes: list[str],
) -> float:
    """Return the SD of the noise in the real channel, from the air around the body."""
    belt = background_belt(body, affine)
    found = [rayleigh_sigma(magnitude[..., n], belt) for n in range(magnitude.shape[3])]
    measured = [sigma for sigma, _ in found if sigma is not None]
    if measured:
        return float(np.median(measured))
    assumed = ASSUMED_NOISE * float(np.median(overall[body]))
    notes.append(
        f"The noise could not be measured ({found[0][1]}); {100 * ASSUMED_NOISE:.0f} % of the "
        "signal were assumed."
    )
    return assumed


def _without_phase(
    magnitude: Float32,
    tissue: Bool,
    anatomy: Anatomy,
    model: EchoModel,
    noise: float,
) -> Solution:
    if model.echoes > 2:
        return separate_magnitude(magnitude, tissue, anatomy, model, noise)
    voxel = np.flatnonzero(tissue)
    values = magnitude.reshape(-1, model.echoes)[voxel].T.copy()
    return separate_two_points(values, voxel, anatomy.shell.ravel()[voxel], model)


def _result(
    solution: Solution,
    anatomy: Anatomy,
    model: EchoModel,
    *,
    noise: float,
    options: SeparationOptions,
    units: str | None,
    notes: list[str],
) -> SeparationResult:
    """Paint the voxels into maps and judge them."""
    weighting = None
    if options.repetition_time_ms is not None and options.flip_angle_deg is not None:
        weighting = t1_weighting(
            options.repetition_time_ms, options.flip_angle_deg, model.field_strength_t
        )
    water, fat = solution.water, solution.fat
    if options.correct_t1:
        if weighting is None:
            raise DataError(
                "The T1 correction needs RepetitionTime and FlipAngle.",
                "Add both to the sidecar, or switch the correction off.",
            )
        water, fat = correct_t1(water, fat, weighting)
        notes.append(f"Fat was divided by {weighting.fat_gain:.3f} to correct T1 weighting.")

    def paint(values: Float32 | None, empty: float) -> Float32 | None:
        if values is None:
            return None
        image = np.full(anatomy.body.shape, empty, np.float32)
        image.ravel()[solution.voxel] = values
        return image

    doubtful = np.zeros(anatomy.body.shape, np.bool_)
    doubtful.ravel()[solution.voxel] = solution.doubtful
    fraction = without_impossible(percent(water, fat))
    fraction[is_noise(water + fat, noise)] = np.nan
    ff = paint(fraction, np.nan)
    water_map, fat_map = paint(water, 0.0), paint(fat, 0.0)
    assert ff is not None
    assert water_map is not None
    assert fat_map is not None
    swaps = detect_swaps(ff, anatomy.body, anatomy.limbs, anatomy.affine)
    if solution.decision is not None and solution.decision.certain:
        swaps = without_shell(swaps)
    return SeparationResult(
        ff=ff,
        water=water_map,
        fat=fat_map,
        r2star=paint(solution.r2star, np.nan),
        b0=paint(solution.field, np.nan),
        doubtful=doubtful,
        body=anatomy.body,
        limbs=anatomy.limbs,
        swaps=swaps,
        method=solution.method,
        spectrum=model.spectrum.name,
        precession=solution.precession,
        phase_sign=solution.phase_sign,
        decided=solution.decision is None or solution.decision.decided,
        phase_units=units,
        echo_times_ms=tuple(float(t) for t in model.times_s * 1000),
        noise=noise,
        notes=tuple(notes),
        checks=separation_checks(solution, weighting, t1_corrected=options.correct_t1),
    )
