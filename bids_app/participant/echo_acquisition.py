"""How raw echoes were acquired, by what the sidecars of all their parts say."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bids_app.dataset.inputs import EchoSeries
from bids_app.dataset.scans import Scan
from bids_app.errors import AppError, ExitCode
from bids_app.files.sidecars import EchoTimes, echo_times_ms
from bids_app.participant.shared_sign import scan_origin
from pipelines.sidecar_fields import field_number
from pipelines.water_fat.separation.phase import PhaseUnits, named_units
from pipelines.water_fat.separation.spectra import PROTON_MHZ_PER_TESLA

# Echo times of one echo that two sidecars state agree within this, ms.
_SAME_ECHO_MS = 0.02
# Resonance frequencies of human scanners (0.1 to 12 T), MHz; BIDS wants MHz, some files hold Hz.
_FREQUENCY_LIMITS_MHZ = (4.0, 520.0)
_HZ_PER_MHZ = 1e6
# Scanners called 1.5 or 3 T differ from it by up to 4 %; more is another scanner.
_SAME_FIELD = 0.1


@dataclass(frozen=True)
class EchoAcquisition:
    """What the separation has to know beside the images.

    Attributes
    ----------
    echo_times : EchoTimes
        One time per echo, in the order of the first part.
    second_order : tuple of int or None
        Index in the second part (phase or imaginary part) of each echo of the first; None if the
        second part says nothing of its echo times, or there is none.
    field_strength_t : float
        Main field, T.
    repetition_time_ms, flip_angle_deg : float or None
        For the weighting by T1.
    phase_units : str
        Unit that the sidecar of the phase names, or ``auto``.
    origin : str
        Manufacturer and converter, whose scans share the sign of the phase; empty if not known.
    notes : tuple of str
        What was recognized or changed.
    """

    echo_times: EchoTimes
    second_order: tuple[int, ...] | None
    field_strength_t: float
    repetition_time_ms: float | None
    flip_angle_deg: float | None
    phase_units: PhaseUnits | Literal["auto"]
    origin: str
    notes: tuple[str, ...]


def read_acquisition(inputs: EchoSeries) -> EchoAcquisition:
    """Read the sidecars of both parts of an echo series."""
    first = inputs.first
    fields = first.metadata.fields
    echo_times = echo_times_ms(fields, str(first.path))
    order, notes = None, list(first.metadata.flags)
    units: PhaseUnits | Literal["auto"] = "auto"
    if inputs.second is not None:
        order, more = _order_of_second(echo_times, first, inputs.second)
        notes += [note for note in (*inputs.second.metadata.flags, *more) if note not in notes]
        if first.part != "real":
            units = named_units(inputs.second.metadata.fields.get("Units"))
    field_strength, recognized = _field_strength(fields, first.path)
    # A sidecar that holds echo times in seconds holds the repetition time in seconds too.
    to_ms = 1000.0 if echo_times.stored_unit == "s" else 1.0
    repetition = _number(fields, "RepetitionTime")
    return EchoAcquisition(
        echo_times,
        order,
        field_strength,
        None if repetition is None else repetition * to_ms,
        _number(fields, "FlipAngle"),
        units,
        scan_origin(fields),
        (*notes, *recognized),
    )


def _order_of_second(
    first_times: EchoTimes, first: Scan, second: Scan
) -> tuple[tuple[int, ...] | None, list[str]]:
    """Return where each echo of the first part stands in the second, by their echo times."""
    stated = second.metadata.fields.get("EchoTime")
    listed = stated if isinstance(stated, list) else [stated]
    if all(value is None for value in listed):
        note = (
            f"The sidecar of {second.path.name} does not say EchoTime; its echoes were taken in "
            f"the order of {first.path.name}."
        )
        return None, [note]
    times = np.array(echo_times_ms(second.metadata.fields, str(second.path)).milliseconds)
    wanted = np.array(first_times.milliseconds)
    order = np.abs(wanted[:, None] - times[None, :]).argmin(axis=1)
    if len(times) != len(wanted) or np.abs(times[order] - wanted).max() > _SAME_ECHO_MS:
        raise AppError(
            f"{first.path} and {second.path} state different echo times: "
            f"{_listed(first_times.milliseconds)} and {_listed(times)} ms.",
            ExitCode.BAD_DATA,
            "Correct EchoTime in the sidecars, or give the parts of one scan.",
        )
    moved = [int(n) for n in order]
    if moved == list(range(len(moved))):
        return tuple(moved), []
    return tuple(moved), [
        f"The echoes of {second.path.name} were put in the order of their echo times."
    ]


def _field_strength(fields: Mapping[str, Any], path: Path) -> tuple[float, list[str]]:
    """Return the field strength, better from the resonance frequency than from the label."""
    nominal = _number(fields, "MagneticFieldStrength")
    frequency = _number(fields, "ImagingFrequency")
    if frequency is None:
        if nominal is None:
            raise AppError(
                f"The sidecar of {path} says neither MagneticFieldStrength nor ImagingFrequency.",
                ExitCode.BAD_DATA,
                "Add MagneticFieldStrength in tesla, e.g. 3.0: the chemical shift depends on it.",
            )
        return nominal, []
    low, high = _FREQUENCY_LIMITS_MHZ
    notes = []
    if low <= frequency / _HZ_PER_MHZ <= high:
        notes.append(f"ImagingFrequency was given in Hz; read as {frequency / _HZ_PER_MHZ:g} MHz.")
        frequency /= _HZ_PER_MHZ
    elif not low <= frequency <= high:
        raise AppError(
            f"ImagingFrequency of {path}, {frequency:g}, is no resonance frequency in MHz.",
            ExitCode.BAD_DATA,
            "Correct it in the sidecar, e.g. 123.2 at 3 T, or remove it and give "
            "MagneticFieldStrength.",
        )
    from_frequency = frequency / PROTON_MHZ_PER_TESLA
    if nominal is not None and abs(from_frequency / nominal - 1) > _SAME_FIELD:
        raise AppError(
            f"The sidecar of {path} contradicts itself: ImagingFrequency {frequency:g} MHz is that "
            f"of {from_frequency:.2f} T, MagneticFieldStrength is {nominal:g} T.",
            ExitCode.BAD_DATA,
            "Correct one of them: the chemical shift depends on it.",
        )
    return from_frequency, notes


def _number(fields: Mapping[str, Any], key: str) -> float | None:
    number = field_number(fields.get(key))
    return None if number is None or number <= 0 else number


def _listed(times: Any) -> str:
    return ", ".join(f"{time:g}" for time in times)
