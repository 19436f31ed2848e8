"""Raw gradient echoes of a stack: read them with what their sidecar must say, and separate them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bids_app.dataset.inputs import EchoSeries
from bids_app.dataset.scans import Scan
from bids_app.errors import AppError, ExitCode
from bids_app.files.images import geometry_checks, load_volume
from bids_app.options.settings import Settings
from bids_app.participant.echo_acquisition import EchoAcquisition, read_acquisition
from bids_app.participant.fat_fraction import FatFraction, QuantitativeMap, with_input_checks
from bids_app.participant.shared_sign import ShownSign, shown_sign
from pipelines.arrays import Affine, Array
from pipelines.geometry import Orientation, same_grid, to_canonical
from pipelines.quality import Check
from pipelines.water_fat.dixon import DixonResult
from pipelines.water_fat.noise import NoiseEstimate
from pipelines.water_fat.quality import dixon_checks
from pipelines.water_fat.separation.decision import PriorSign
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.separate import SeparationResult, separate
from pipelines.water_fat.separation.spectra import DEFAULT_SPECTRUM
from pipelines.water_fat.swaps import flag_swaps

# Fat fraction (percent) below which tissue counts as muscle for the signal-to-noise ratio.
LEAN_BELOW = 50.0
# Interpolation leaves magnitudes with some negative values, of at most this share of the largest.
NEGATIVE_SHARE = 0.05


@dataclass(frozen=True)
class EchoImages:
    """Echoes of a stack (x, y, z, echoes) in canonical order, with their acquisition.

    Attributes
    ----------
    magnitude : ndarray of shape (x, y, z, echoes)
        Magnitude images.
    phase : ndarray of the same shape or None
        Phase images as stored, or in radians if made from real and imaginary parts.
    acquisition : EchoAcquisition
        Echo times and what else the sidecars say; its unit of the phase is that of `phase`.
    affine : ndarray of shape (4, 4)
        Affine, mm.
    orientation : Orientation
        Way back to the stored order.
    notes : tuple of str
        What a person should know about the files.
    checks : tuple of Check
        Contradictions in headers and sidecars.
    """

    magnitude: Array
    phase: Array | None
    acquisition: EchoAcquisition
    affine: Affine
    orientation: Orientation
    notes: tuple[str, ...]
    checks: tuple[Check, ...]
    prior_sign: PriorSign | None
    scan: str

    def fat_fraction(self, settings: Settings) -> FatFraction:
        """Separate water and fat."""
        acquisition = self.acquisition
        options = SeparationOptions(
            spectrum=settings.fat_spectrum or DEFAULT_SPECTRUM,
            phase_units=acquisition.phase_units,
            prior_sign=self.prior_sign,
            repetition_time_ms=acquisition.repetition_time_ms,
            flip_angle_deg=acquisition.flip_angle_deg,
            correct_t1=settings.correct_t1,
        )
        result = separate(
            self.magnitude,
            self.phase,
            acquisition.echo_times.milliseconds,
            self.affine,
            acquisition.field_strength_t,
            options=options,
        )
        dixon = with_input_checks(_as_dixon(result, self.affine), self.checks)
        shown = shown_sign(result, acquisition.origin, self.scan)
        if shown is not None and self.prior_sign is not None:
            shown = {**shown, "SettledBy": self.prior_sign.source}
        return FatFraction(dixon, self._details(result, shown), _maps(result), shown)

    def _details(self, result: SeparationResult, shown: ShownSign | None) -> Mapping[str, Any]:
        return {
            "FatFractionMethod": f"water-fat separation: {result.method}",
            "FatSpectrum": result.spectrum,
            "Precession": result.precession,
            "PhaseSign": None if shown is None else dict(shown),
            "PhaseUnits": result.phase_units,
            "EchoTimesMs": list(result.echo_times_ms),
            "EchoTimeStoredIn": self.acquisition.echo_times.stored_unit,
            "FieldStrengthT": self.acquisition.field_strength_t,
            "Notes": [*self.notes, *self.acquisition.notes, *result.notes],
        }


def read_echoes(inputs: EchoSeries, prior_signs: Mapping[str, PriorSign]) -> EchoImages:
    """Load the echoes of a stack; `prior_signs` by the origin of scans."""
    acquisition = read_acquisition(inputs)
    prior_sign = prior_signs.get(acquisition.origin)
    first = _load(inputs.first)
    magnitude, phase = first.data, None
    notes, checks = first.notes, first.checks
    if inputs.second is not None:
        second = _load(inputs.second)
        _refuse_other_grid(first, second, inputs)
        notes, checks = (*notes, *second.notes), (*checks, *second.checks)
        phase = second.data
        if acquisition.second_order is not None:
            phase = phase[..., acquisition.second_order]
    if phase is not None and inputs.first.part == "real":
        magnitude, phase = np.hypot(magnitude, phase), np.arctan2(phase, magnitude)
        acquisition = replace(acquisition, phase_units="radians")
    else:
        _refuse_negative(magnitude, inputs.first.path)
    return EchoImages(
        magnitude=magnitude,
        phase=phase,
        acquisition=acquisition,
        affine=first.affine,
        orientation=first.orientation,
        notes=notes,
        checks=checks,
        prior_sign=prior_sign,
        scan=inputs.first.path.name,
    )


@dataclass(frozen=True)
class _Part:
    """One part of the echoes, canonical: data of shape (x, y, z, echoes)."""

    data: Array
    affine: Affine
    orientation: Orientation
    notes: tuple[str, ...]
    checks: tuple[Check, ...]


def _load(scan: Scan) -> _Part:
    """Load one 4D file, or one 3D file per echo."""
    dimensions: Literal[3, 4] = 4 if len(scan.paths) == 1 else 3
    volumes = [load_volume(path, dimensions) for path in scan.paths]
    for volume in volumes[1:]:
        if not same_grid(
            volumes[0].data.shape, volumes[0].affine, volume.data.shape, volume.affine
        ):
            raise AppError(
                f"{volume.path} lies on another grid than {volumes[0].path}.",
                ExitCode.BAD_DATA,
                "The echoes of a scan must share a grid: convert the scan again.",
            )
    data = volumes[0].data if dimensions == 4 else np.stack([v.data for v in volumes], axis=-1)
    affine = volumes[0].affine
    checks = geometry_checks(volumes[0], scan.metadata.fields)
    return _Part(*to_canonical(data, affine), volumes[0].notes, tuple(checks))


def _refuse_negative(magnitude: Array, path: Path) -> None:
    """Refuse what no magnitude can be, such as unwrapped phase without part- in its name."""
    finite = magnitude[np.isfinite(magnitude)]
    if finite.size and float(finite.min()) < -NEGATIVE_SHARE * float(np.abs(finite).max()):
        raise AppError(
            f"{path} holds negative values, down to {finite.min():g}; a magnitude has none.",
            ExitCode.BAD_DATA,
            "If it is a phase image, name it part-phase; if a real part, part-real. Otherwise "
            "convert the scan again.",
        )


def _refuse_other_grid(first: _Part, second: _Part, inputs: EchoSeries) -> None:
    shapes = first.data.shape, second.data.shape
    if shapes[0] == shapes[1] and same_grid(shapes[0], first.affine, shapes[1], second.affine):
        return
    assert inputs.second is not None
    raise AppError(
        f"{inputs.first.path} {shapes[0]} and {inputs.second.path} {shapes[1]} do not hold the "
        "same echoes on the same grid.",
        ExitCode.BAD_DATA,
        "Convert both parts of the scan again.",
    )


def _as_dixon(result: SeparationResult, affine: Affine) -> DixonResult:
    """Return a separation in the form, and with the checks, that finished maps have."""
    swaps = flag_swaps(result.swaps)
    noise = _noise(result)
    general = dixon_checks(result.ff, result.body, result.limbs, affine, swaps, noise=noise)
    return DixonResult(
        ff=result.ff,
        water=result.water,
        fat=result.fat,
        affine=affine,
        body=result.body,
        limbs=result.limbs,
        swaps=swaps,
        noise=noise,
        units=None,
        checks=[*result.checks, *general],
        decided=result.decided,
    )


def _noise(result: SeparationResult) -> NoiseEstimate:
    """Describe the noise; fat fractions that can go below zero have no noise floor."""
    lean = result.body & (result.ff < LEAN_BELOW)
    signal = float(np.median((result.water + result.fat)[lean])) if lean.any() else 0.0
    return NoiseEstimate(
        sigma_water=result.noise,
        sigma_fat=result.noise,
        signal=signal,
        snr=signal / result.noise if result.noise > 0 else None,
        ff_floor=None if result.phase_units is None else 0.0,
        reason="" if result.phase_units else "without phase, low fat fractions are biased by it",
    )


def _maps(result: SeparationResult) -> dict[str, QuantitativeMap]:
    """Return the maps that come with a separation."""
    maps = {
        "WATER": QuantitativeMap(result.water, "arbitrary", "Water signal at echo time zero."),
        "FAT": QuantitativeMap(result.fat, "arbitrary", "Fat signal at echo time zero."),
        "desc-doubtful_mask": QuantitativeMap(
            result.doubtful.astype(np.uint8),
            "1",
            "Voxels in which water and fat may be exchanged, or out of the method's range.",
        ),
    }
    if result.r2star is not None:
        maps["R2starmap"] = QuantitativeMap(result.r2star, "1/s", "Decay rate R2*.")
    if result.b0 is not None:
        maps["B0"] = QuantitativeMap(result.b0, "Hz", "Off-resonance of the main field.")
    return maps
