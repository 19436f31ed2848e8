"""Phase images as scanners store them: which unit they are in, and the complex signal."""

from typing import Literal

import numpy as np

from pipelines.arrays import Array, Float32
from pipelines.errors import DataError

PhaseUnits = Literal["radians", "milliradians", "degrees", "12bit", "13bit"]

# One full turn in each unit, and who writes it.
FULL_TURN: dict[PhaseUnits, tuple[float, str]] = {
    "radians": (2 * np.pi, "ORMIR-MIDS, Philips"),
    "degrees": (360.0, "some converters"),
    "12bit": (4096.0, "Siemens 0..4095, Philips -2048..2047"),
    "milliradians": (2000 * np.pi, "GE -3142..3142"),
    "13bit": (8192.0, "Siemens 0..4095 with slope 2 and intercept -4096"),
}
# Somewhere in a scan the phase takes (nearly) all values of a turn, if only in the noise around
# the body: its range tells the unit if it is between these shares of a full turn.
RANGE_SHARE = (0.9, 1.01)
# How sidecars name units in which unwrapped phase, which has no range of its own, may be stored.
NAMED_UNITS: dict[str, PhaseUnits] = {
    "rad": "radians",
    "radian": "radians",
    "radians": "radians",
    "mrad": "milliradians",
    "deg": "degrees",
    "degree": "degrees",
    "degrees": "degrees",
}
# Unwrapped phase of a limb spans some turns; beyond this the named unit is wrong.
MOST_TURNS = 60.0


def phase_units(phase: Array) -> PhaseUnits:
    """Recognize the unit of a phase image by its range."""
    finite = phase[np.isfinite(phase)]
    if finite.size == 0 or finite.min() == finite.max():
        raise DataError(
            "The phase image holds only one value.", "Check that the file is a phase image."
        )
    low, high = float(finite.min()), float(finite.max())
    for unit, (turn, _) in FULL_TURN.items():
        if RANGE_SHARE[0] * turn <= high - low <= RANGE_SHARE[1] * turn:
            return unit
    known = ", ".join(f"{unit} ({turn:.5g})" for unit, (turn, _) in FULL_TURN.items())
    raise DataError(
        f"The phase runs from {low:g} to {high:g}, which is no full turn in any known unit: "
        f"{known}.",
        'If it is unwrapped, write its unit into its sidecar ("Units": "rad"); otherwise convert '
        "the scan again.",
    )


def named_units(word: object) -> PhaseUnits | Literal["auto"]:
    """Return the unit that a sidecar's ``Units`` names; ``auto`` for ``arbitrary`` and the like."""
    return NAMED_UNITS.get(str(word).strip().lower(), "auto")


def to_radians(
    phase: Array, units: PhaseUnits | Literal["auto"] = "auto"
) -> tuple[Float32, PhaseUnits]:
    """Convert a phase image to radians.

    The zero of the scale is not moved (0..4095 becomes 0..2 pi): a phase that all echoes share
    does not matter.
    """
    if units == "auto":
        found = phase_units(phase)
    else:
        _refuse_impossible(phase, units)
        found = units
    scale = np.float32(2 * np.pi / FULL_TURN[found][0])
    radians = phase.astype(np.float32) * scale
    return np.nan_to_num(radians, copy=False, nan=0.0, posinf=0.0, neginf=0.0), found


def _refuse_impossible(phase: Array, units: PhaseUnits) -> None:
    """Refuse values that cannot be of the unit that was named."""
    finite = phase[np.isfinite(phase)]
    if finite.size and float(finite.max()) - float(finite.min()) > MOST_TURNS * FULL_TURN[units][0]:
        raise DataError(
            f"The phase runs from {finite.min():g} to {finite.max():g}, which cannot be {units}.",
            "Correct Units in the sidecar of the phase image, or remove it.",
        )
