"""Echo times: their unit, their order, and whether they belong to the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float64, Index
from pipelines.errors import DataError

# Gradient echoes of muscle are taken at about 1-30 ms. No train has its last echo below 0.25 ms,
# none above 250 ms: below the limit the list is in seconds, as BIDS wants it.
LAST_ECHO_LIMITS_MS = (0.25, 250.0)
# Echoes closer than this are the same echo twice.
_SAME_ECHO_MS = 0.01

# Largest deviation (degrees) of the main fat peak from 0 or 180 to water for an echo to count as
# in or opposed phase. Three-point protocols written for 3.0 T are off by up to 30 degrees on the
# many scanners of 2.89 T.
IN_OPPOSED_DEGREES = 37.0
# Largest relative difference of the two spacings of a three-point protocol.
_EVEN_SPACING = 0.05


@dataclass(frozen=True)
class EchoTrain:
    """Echo times in ascending order.

    Attributes
    ----------
    times_ms : ndarray of shape (echoes,)
        Echo times.
    order : ndarray of shape (echoes,)
        Index of each echo in the data as given.
    notes : tuple of str
        What was recognized or changed, for the log.
    """

    times_ms: Float64
    order: Index
    notes: tuple[str, ...]

    @property
    def times_s(self) -> Float64:
        """Echo times in seconds."""
        return self.times_ms / 1000.0


def read_echo_times(echo_times: Sequence[float], echoes: int) -> EchoTrain:
    """Check a list of echo times against the data and bring it into order.

    `echo_times` is in ms.
    """
    times = np.array(echo_times, np.float64).ravel()
    if times.size < echoes:
        raise DataError(
            f"There are {echoes} echoes but only {times.size} echo times ({_listed(times)}).",
            "Complete the EchoTime list in the sidecar; the order must be that of the images.",
        )
    if times.size > echoes:
        raise DataError(
            f"There are {times.size} echo times ({_listed(times)}) but only {echoes} echoes; "
            "which echo is missing cannot be told.",
            "Remove the missing echo's time from the sidecar, or add its image.",
        )
    if not (np.isfinite(times) & (times > 0)).all():
        raise DataError(
            f"The echo times ({_listed(times)}) must be positive numbers.",
            "Correct EchoTime in the sidecar; its unit is milliseconds.",
        )
    notes = []
    low, high = LAST_ECHO_LIMITS_MS
    if times.max() < low:
        times = times * 1000.0
        notes.append(f"Echo times were given in seconds; read as {_listed(times)} ms.")
    if times.max() > high:
        raise DataError(
            f"The last echo time, {times.max():g} ms, is too long for a gradient echo.",
            "Correct EchoTime in the sidecar; its unit is milliseconds.",
        )
    order = np.argsort(times, kind="stable")
    if (np.diff(order) < 0).any():
        notes.append(f"Echoes were stored in the order {_listed(times)} ms and have been sorted.")
    times = times[order]
    if (np.diff(times) < _SAME_ECHO_MS).any():
        raise DataError(
            f"Two echoes have the same echo time ({_listed(times)} ms).",
            "Give each echo once, with its own time.",
        )
    return EchoTrain(times, order, tuple(notes))


def main_peak_angles(times_s: Float64, main_shift_hz: float) -> Float64:
    """Return the angle of the main fat peak to water at each echo, degrees in [-180, 180)."""
    turns = times_s * main_shift_hz
    angles: Float64 = 360.0 * (turns - np.floor(turns + 0.5))
    return angles


def is_in_phase(angles: Float64) -> Bool:
    """Tell which echoes have water and fat in phase."""
    near: Bool = np.abs(angles) <= IN_OPPOSED_DEGREES
    return near


def is_opposed(angles: Float64) -> Bool:
    """Tell which echoes have water and fat in opposed phase."""
    near: Bool = np.abs(angles) >= 180.0 - IN_OPPOSED_DEGREES
    return near


def is_in_opposed_triple(times_s: Float64, main_shift_hz: float) -> bool:
    """Tell whether these are three evenly spaced echoes: opposed, in, opposed phase.

    Only then water and fat of a voxel exchange their places without any change of the signal, and
    the three-point method of Glover applies.
    """
    if times_s.size != 3:
        return False
    first, second = np.diff(times_s)
    if abs(first - second) > _EVEN_SPACING * max(first, second):
        return False
    angles = main_peak_angles(times_s, main_shift_hz)
    inside, opposed = is_in_phase(angles), is_opposed(angles)
    return bool(opposed[0] and inside[1] and opposed[2])


def _listed(times: Float64) -> str:
    return ", ".join(f"{t:g}" for t in times)
