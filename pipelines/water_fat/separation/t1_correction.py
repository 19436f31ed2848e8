"""Weighting by T1: short repetition times show fat too bright and read too much of it."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32
from pipelines.errors import DataError

# T1 (ms) of muscle and of fat: Gold et al., AJR 2004;183:343.
T1_MS = {1.5: (1130.0, 288.0), 3.0: (1420.0, 371.0)}


@dataclass(frozen=True)
class T1Weighting:
    """How strongly a spoiled gradient echo weights water and fat.

    Attributes
    ----------
    water, fat : float
        Steady-state signal as a share of that of a long repetition time, without T2*.
    """

    water: float
    fat: float

    @property
    def fat_gain(self) -> float:
        """By how much fat is shown brighter than water."""
        return self.fat / self.water

    def bias(self, ff: float) -> float:
        """Return how many points too much a fat fraction of `ff` percent reads."""
        fat = ff * self.fat_gain
        return 100 * fat / (100 - ff + fat) - ff


def t1_weighting(
    repetition_time_ms: float, flip_angle_deg: float, field_strength_t: float
) -> T1Weighting:
    """Return the weighting of a spoiled gradient echo (Ernst equation)."""
    if not (repetition_time_ms > 0 and 0 < flip_angle_deg < 180):
        raise DataError(
            f"Repetition time {repetition_time_ms:g} ms and flip angle {flip_angle_deg:g} degrees "
            "are not those of a gradient echo.",
            "Correct RepetitionTime (ms) and FlipAngle (degrees) in the sidecar.",
        )
    nearest = min(T1_MS, key=lambda field: abs(field - field_strength_t))
    angle = np.radians(flip_angle_deg)
    signals = []
    for t1 in T1_MS[nearest]:
        recovery = np.exp(-repetition_time_ms / t1)
        signals.append(float((1 - recovery) / (1 - recovery * np.cos(angle))))
    return T1Weighting(signals[0], signals[1])


def correct_t1(water: Float32, fat: Float32, weighting: T1Weighting) -> tuple[Float32, Float32]:
    """Scale fat to the weighting of water, which leaves the water image as it is."""
    return water, (fat / np.float32(weighting.fat_gain)).astype(np.float32)
