"""The unit a fat fraction map is stored in: fraction, percent or permille.

No standard fixes it: QMRITools and MyoQMRI store 0-1, other software percent, Philips consoles
0-1000. The maximum is of no use for telling them apart, because the background of many maps holds
noise or values such as 10000; a high percentile inside the body is.
"""

from typing import Literal

import numpy as np

from pipelines.arrays import Array, Bool, Float32
from pipelines.errors import DataError
from pipelines.water_fat.plausible import without_impossible

FatFractionUnits = Literal["fraction", "percent", "permille"]

# Percentile inside the body that is compared with the limits: subcutaneous fat and bone marrow
# bring it near 100 % in any limb, and single voxels cannot move it.
DECIDING_PERCENTILE = 99.0
# Upper limits: 1, 100 and 1000 for pure fat, with half as much again for noise.
UPPER_LIMITS: tuple[tuple[FatFractionUnits, float], ...] = (
    ("fraction", 1.5),
    ("percent", 150.0),
    ("permille", 1500.0),
)
# Fewer voxels than this with a value decide nothing.
MIN_VOXELS = 100
TO_PERCENT: dict[FatFractionUnits, float] = {"fraction": 100.0, "percent": 1.0, "permille": 0.1}

_HINT = "Say it: --fat-fraction-units fraction, percent or permille."


def body_level(ff: Array, body: Bool) -> float:
    """Return the percentile of the map inside the body by which its unit is told."""
    values = ff[body]
    values = values[np.isfinite(values)]
    if values.size < MIN_VOXELS:
        raise DataError(
            f"The fat fraction map has {values.size} values inside the body, too few to tell its "
            "unit.",
            _HINT,
        )
    return float(np.percentile(values, DECIDING_PERCENTILE))


def detect_units(ff: Array, body_mask: Bool) -> FatFractionUnits:
    """Tell the unit of a fat fraction map from a body with subcutaneous fat or marrow in it."""
    level = body_level(ff, body_mask)
    if level <= 0:
        raise DataError(
            "The unit of the fat fraction map cannot be told: inside the body it holds no value "
            "above zero.",
            "Check that this is a fat fraction map. " + _HINT,
        )
    for units, limit in UPPER_LIMITS:
        if level <= limit:
            return units
    raise DataError(
        "The unit of the fat fraction map cannot be told: "
        f"{DECIDING_PERCENTILE:.0f} % of the body lie below {level:.4g}, "
        f"but even permille end at {UPPER_LIMITS[-1][1]:.0f}.",
        "Check that this is a fat fraction map and that its scl_slope is right. " + _HINT,
    )


def to_percent(ff: Array, units: FatFractionUnits) -> Float32:
    """Convert a fat fraction map to percent.

    Parameters
    ----------
    ff : ndarray
        Fat fraction in `units`.
    units : {'fraction', 'percent', 'permille'}

    Returns
    -------
    ndarray of float32
        Percent, limited to 0-100. NaN where the map is not finite or lies outside -50...150 %,
        which no measurement does.
    """
    percent = ff.astype(np.float32) * np.float32(TO_PERCENT[units])
    return without_impossible(percent).clip(0, 100)
