"""Whether a water and a fat image share a scale and an acquisition, by what their sidecars say.

A fat fraction needs both images in one unit. Philips scanners export display values, which each
image scales on its own: ``floating point value = display value / (rescale slope x scale slope)``
(Chenevert et al., Transl Oncol 2014;7:65). Images whose echo, time or geometry differ are not of
one acquisition.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from pipelines.quality import Check
from pipelines.sidecar_fields import field_number

CHECK = "water_and_fat_belong_together"
"""Name of the check."""

# Values this close (relative) are equal: sidecars hold few digits.
_EQUAL = 0.005
# Acquisitions that begin this far apart (seconds) are two: the images of one carry one time, but
# some scanners write the time of each image's reconstruction.
_ONE_ACQUISITION_S = 60.0
_ONE_DAY_S = 86400.0
# Sidecar fields that images of one acquisition have in common.
_COMMON_FIELDS = (
    "EchoTime",
    "RepetitionTime",
    "FlipAngle",
    "MagneticFieldStrength",
    "ImageOrientationPatientDICOM",
)


@dataclass(frozen=True)
class CommonScale:
    """How to bring a fat image to the scale of its water image.

    Attributes
    ----------
    fat_factor : float
        What fat has to be multiplied with; 1 where nothing is known or to be done.
    notes : tuple of str
        What was done.
    checks : tuple of Check
        What contradicts that the two belong together; empty if nothing does.
    """

    fat_factor: float = 1.0
    notes: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


def common_scale(water: Mapping[str, Any], fat: Mapping[str, Any]) -> CommonScale:
    """Compare the sidecars of a water and a fat image.

    Parameters
    ----------
    water, fat : Mapping
        Sidecar fields, named as dcm2niix and BIDS name them.
    """
    doubts = [
        f"{name} is {_shown(water[name])} and {_shown(fat[name])}"
        for name in _COMMON_FIELDS
        if name in water and name in fat and not _equal(water[name], fat[name])
    ]
    apart = _seconds_apart(water.get("AcquisitionTime"), fat.get("AcquisitionTime"))
    if apart is not None and apart > _ONE_ACQUISITION_S:
        doubts.append(f"they were acquired {apart:.0f} s apart")
    factor, note, unclear = _philips_factor(water, fat)
    doubts += [unclear] if unclear else []
    checks: tuple[Check, ...] = ()
    if doubts:
        text = (
            f"Water and fat may not belong together: {'; '.join(doubts)}. Fat fractions are wrong "
            "if the two images are not of one acquisition and one scale."
        )
        checks = (Check(CHECK, "warn", text),)
    return CommonScale(factor, (note,) if note else (), checks)


def _philips_factor(water: Mapping[str, Any], fat: Mapping[str, Any]) -> tuple[float, str, str]:
    """Return what fat is multiplied with, a note on it, and what cannot be settled."""
    images = {"water": water, "fat": fat}
    displayed = {name: _shows_display_values(fields) for name, fields in images.items()}
    if None in displayed.values():
        return 1.0, "", ""
    to_floating = {}
    for name, fields in images.items():
        scale = 1.0
        if displayed[name]:
            scale = _positive(fields.get("PhilipsScaleSlope")) * _positive(
                fields.get("PhilipsRescaleSlope", 1.0)
            )
        to_floating[name] = 1.0 / scale if scale else math.nan
    if any(math.isnan(value) for value in to_floating.values()):
        if displayed["water"] == displayed["fat"]:
            return 1.0, "", "they hold Philips display values and PhilipsScaleSlope is not known"
        return 1.0, "", "one holds Philips display values, the other floating point values"
    factor = to_floating["fat"] / to_floating["water"]
    if abs(factor - 1) <= _EQUAL:
        return 1.0, "", ""
    note = (
        f"Fat was multiplied by {factor:.4g}: water and fat are Philips display values of "
        "different scale slopes."
    )
    return factor, note, ""


def _shows_display_values(fields: Mapping[str, Any]) -> bool | None:
    """Tell display from floating point values; None if the image is not of a Philips scanner."""
    used = fields.get("UsePhilipsFloatNotDisplayScaling")
    if isinstance(used, bool | int | float):
        return not used
    # Without the converter's word, slopes alone say that the values were scaled for display.
    return True if "PhilipsScaleSlope" in fields else None


def _positive(value: object) -> float:
    """Return a positive number, 0 for anything else."""
    number = field_number(value)
    return number if number is not None and 0 < number < math.inf else 0.0


def _equal(one: object, other: object) -> bool:
    """Compare numbers and lists of numbers with tolerance, anything else as it is."""
    try:
        first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    except (TypeError, ValueError):
        return one == other
    same = first.shape == second.shape
    return same and bool(np.allclose(first, second, rtol=_EQUAL, atol=_EQUAL * 0.1))


def _seconds_apart(one: object, other: object) -> float | None:
    """Return the time between two DICOM or BIDS times of day; None where one is not readable."""
    seconds = [_time_of_day(value) for value in (one, other)]
    if seconds[0] is None or seconds[1] is None:
        return None
    apart = abs(seconds[0] - seconds[1])
    return min(apart, _ONE_DAY_S - apart)


def _time_of_day(value: object) -> float | None:
    text = str(value) if isinstance(value, str | int | float) else ""
    for form in ("%H:%M:%S.%f", "%H:%M:%S", "%H%M%S.%f", "%H%M%S"):
        try:
            found = datetime.strptime(text, form)
        except ValueError:
            continue
        return found.hour * 3600 + found.minute * 60 + found.second + found.microsecond / 1e6
    return None


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
