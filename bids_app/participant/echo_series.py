"""Raw gradient echoes of a stack: read them with what their sidecar must say, and separate them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bids_app.dataset.inputs import EchoSeries
from bids_app.dataset.scans import Scan
from bids_app.errors import AppError, ExitCode
from bids_app.files.images import load_volume
from bids_app.files.sidecars import EchoTimes, echo_times_ms
from bids_app.options.settings import Settings
from bids_app.participant.fat_fraction import FatFraction, QuantitativeMap
from pipelines.arrays import Affine, Array
from pipelines.geometry import Orientation, same_grid, to_canonical
from pipelines.water_fat.dixon import DixonResult
from pipelines.water_fat.noise import NoiseEstimate
from pipelines.water_fat.quality import dixon_checks
from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.separate import SeparationResult, separate
from pipelines.water_fat.separation.spectra import DEFAULT_SPECTRUM, PROTON_MHZ_PER_TESLA
from pipelines.water_fat.swaps import flag_swaps

# Fat fraction (percent) below which tissue counts as muscle for the signal-to-noise ratio.
LEAN_BELOW = 50.0


@dataclass(frozen=True)
class EchoImages:
    """Echoes of a stack (x, y, z, echoes) in canonical order, with their acquisition.

    The phase is as stored, or in radians if it was made from real and imaginary parts.
    """

    magnitude: Array
    phase: Array | None
    phase_in_radians: bool
    echo_times: EchoTimes
    field_strength_t: float
    repetition_time_ms: float | None
    flip_angle_deg: float | None
    affine: Affine
    orientation: Orientation
    notes: tuple[str, ...]

    def fat_fraction(self, settings: Settings) -> FatFraction:
        """Separate water and fat."""
        options = SeparationOptions(
            spectrum=settings.fat_spectrum or DEFAULT_SPECTRUM,
            phase_units="radians" if self.phase_in_radians else "auto",
            repetition_time_ms=self.repetition_time_ms,
            flip_angle_deg=self.flip_angle_deg,
            correct_t1=settings.correct_t1,
        )
        result = separate(
            self.magnitude,
            self.phase,
            self.echo_times.milliseconds,
            self.affine,
            self.field_strength_t,
            options=options,
        )
        return FatFraction(_as_dixon(result, self.affine), self._details(result), _maps(result))

    def _details(self, result: SeparationResult) -> Mapping[str, Any]:
        return {
            "FatFractionMethod": f"water-fat separation: {result.method}",
            "FatSpectrum": result.spectrum,
            "Precession": result.precession,
            "PhaseUnits": result.phase_units,
            "EchoTimesMs": list(result.echo_times_ms),
            "EchoTimeStoredIn": self.echo_times.stored_unit,
            "FieldStrengthT": self.field_strength_t,
            "Notes": [*self.notes, *result.notes],
        }


def read_echoes(inputs: EchoSeries) -> EchoImages:
    """Load the echoes of a stack; its sidecar must say their times and the field strength."""
    first, affine, orientation, notes = _load(inputs.first)
    magnitude, phase, radians = first, None, False
    if inputs.second is not None:
        second, second_affine, _, more = _load(inputs.second)
        notes = (*notes, *more)
        if first.shape != second.shape or not same_grid(
            first.shape, affine, second.shape, second_affine
        ):
            raise AppError(
                f"{inputs.first.path} {first.shape} and {inputs.second.path} {second.shape} do "
                "not hold the same echoes on the same grid.",
                ExitCode.BAD_DATA,
                "Convert both parts of the scan again.",
            )
        radians = inputs.first.part == "real"
        magnitude, phase = (
            (np.hypot(first, second), np.arctan2(second, first)) if radians else (first, second)
        )
    name = str(inputs.first.path)
    fields = inputs.first.metadata.fields
    echo_times = echo_times_ms(fields, name)
    # A sidecar that holds echo times in seconds holds the repetition time in seconds too.
    to_ms = 1000.0 if echo_times.stored_unit == "s" else 1.0
    repetition = _number(fields, "RepetitionTime")
    return EchoImages(
        magnitude,
        phase,
        radians,
        echo_times,
        _field_strength(fields, inputs.first.path),
        None if repetition is None else repetition * to_ms,
        _number(fields, "FlipAngle"),
        affine,
        orientation,
        notes,
    )


def _load(scan: Scan) -> tuple[Array, Affine, Orientation, tuple[str, ...]]:
    """Load one 4D file, or one 3D file per echo."""
    if len(scan.paths) == 1:
        volume = load_volume(scan.path, dimensions=4)
        return *to_canonical(volume.data, volume.affine), volume.notes
    volumes = [load_volume(path) for path in scan.paths]
    for volume in volumes[1:]:
        if not same_grid(
            volumes[0].data.shape, volumes[0].affine, volume.data.shape, volume.affine
        ):
            raise AppError(
                f"{volume.path} lies on another grid than {volumes[0].path}.",
                ExitCode.BAD_DATA,
                "The echoes of a scan must share a grid: convert the scan again.",
            )
    stacked = np.stack([volume.data for volume in volumes], axis=-1)
    return *to_canonical(stacked, volumes[0].affine), volumes[0].notes


def _field_strength(fields: Mapping[str, Any], path: Path) -> float:
    """Return the field strength, better from the resonance frequency than from the label."""
    frequency = _number(fields, "ImagingFrequency")
    if frequency is not None and frequency > 0:
        return frequency / PROTON_MHZ_PER_TESLA
    nominal = _number(fields, "MagneticFieldStrength")
    if nominal is None:
        raise AppError(
            f"The sidecar of {path} says neither MagneticFieldStrength nor ImagingFrequency.",
            ExitCode.BAD_DATA,
            "Add MagneticFieldStrength in tesla, e.g. 3.0: the chemical shift depends on it.",
        )
    return nominal


def _number(fields: Mapping[str, Any], key: str) -> float | None:
    value = fields.get(key)
    return float(value) if isinstance(value, int | float) and value is not True else None


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
