"""The two-point estimate from one in-phase and one opposed-phase magnitude.

It reads at most about 50 %, because fat with a little water looks like water with a little fat:
whatever it says above 40 % is worth nothing, and subcutaneous fat reads as lean tissue.
"""

import numpy as np

from pipelines.arrays import Bool, Float32, Index
from pipelines.errors import DataError
from pipelines.water_fat.separation.decision import PhaseSign
from pipelines.water_fat.separation.echoes import is_in_phase, is_opposed, main_peak_angles
from pipelines.water_fat.separation.model import EchoModel
from pipelines.water_fat.separation.solution import Solution

# Decay assumed between the two echoes, 1/s: that of healthy muscle at 3 T.
ASSUMED_R2STAR = 33.0
# Largest fat fraction (0-1) at which the estimate may be used.
LARGEST_VALID = 0.4


def separate_two_points(
    magnitude: Float32, voxel: Index, fat_layer: Bool, model: EchoModel
) -> Solution:
    """Estimate water and fat of water-dominant tissue.

    `magnitude` is (2, voxels); `voxel` and `fat_layer` are (voxels,).
    """
    angles = main_peak_angles(model.times_s, model.main_shift_hz)
    inside, opposed = is_in_phase(angles), is_opposed(angles)
    if not ((inside[0] and opposed[1]) or (opposed[0] and inside[1])):
        raise DataError(
            "Two magnitude echoes can be used only if one has water and fat in phase and the other "
            f"in opposed phase; here the main fat peak is at {angles[0]:.0f} and {angles[1]:.0f} "
            "degrees to water.",
            "Check EchoTime and MagneticFieldStrength, or give the scanner's water and fat images.",
        )
    plus, minus = (0, 1) if inside[0] else (1, 0)
    level = magnitude * np.exp(ASSUMED_R2STAR * model.times_s.astype(np.float32))[:, None]
    top = np.maximum(level[plus], np.finfo(np.float32).tiny)
    ratio = level[minus] / top
    # ratio = (1 + q (a - 1)) / (1 + q (b - 1)) with the real fat signals a (opposed), b (in phase).
    a, b = float(model.fat[minus].real), float(model.fat[plus].real)
    fraction = (1 - ratio) / ((1 - a) - ratio * (1 - b))
    amount = top / (1 - fraction * (1 - b))
    doubtful = (fraction > LARGEST_VALID) | fat_layer
    notes = (
        "Two magnitude echoes: two-point estimate, valid up to "
        f"{100 * LARGEST_VALID:.0f} % fat; R2* was taken as {ASSUMED_R2STAR:g} 1/s.",
    )
    return Solution(
        method="two-point magnitude",
        voxel=voxel,
        water=(amount * (1 - fraction)).astype(np.float32),
        fat=(amount * fraction).astype(np.float32),
        r2star=None,
        field=None,
        doubtful=doubtful,
        precession="not used",
        phase_sign=PhaseSign("not used", 0.0),
        decision=None,
        residual=None,
        notes=notes,
    )
