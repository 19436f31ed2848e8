"""What anatomy says about a fat fraction map, limb by limb: are water and fat exchanged in it."""

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float32
from pipelines.water_fat.separation.anatomy import Anatomy

# Log odds of marrow that is all fat; red marrow of children reads about 50 % and is silent.
MARROW_LOG_ODDS = 3.0
MARROW_VOXELS = 50
# Log odds of a layer under the skin that reads this many points more fat than what lies deeper. A
# thin layer over a large bone can show the contrary, hence the limit.
LAYER_LOG_ODDS = 3.0
LAYER_POINTS = 60.0
# Lean muscle is commoner than muscle of 90 % fat: 12 to 1.
LEAN_LOG_ODDS = 2.5
LEAN_POINTS = 40.0
DEEP_VOXELS = 200


def anatomical_terms(
    ff: Float32, swaps: pd.DataFrame, anatomy: Anatomy, limb: Bool
) -> dict[str, float]:
    """Return the log odds of marrow, fat layer and lean muscle for one connected limb.

    Exchanging water and fat in the map changes the sign of every term.

    `ff` is (x, y, z), in percent; `limb` is (x, y, z).
    `ff`: Fat fraction of the solution, percent, NaN outside tissue.
    """
    known = limb & np.isfinite(ff)
    marrow = ff[known & anatomy.marrow]
    terms = {}
    if marrow.size >= MARROW_VOXELS:
        terms["marrow"] = _limited(MARROW_LOG_ODDS, float(np.median(marrow)) - 50, 50)
    layer = _layer_contrast(swaps, limb_names(anatomy, limb))
    if np.isfinite(layer):
        terms["fat_layer"] = _limited(LAYER_LOG_ODDS, layer, LAYER_POINTS)
    inner = known & ~anatomy.fat
    inner = inner if inner.sum() >= DEEP_VOXELS else known
    if inner.any():
        lean = 50 - float(np.mean(np.clip(ff[inner], 0, 100), dtype=np.float64))
        terms["lean_prior"] = _limited(LEAN_LOG_ODDS, lean, LEAN_POINTS)
    return terms


def limb_names(anatomy: Anatomy, limb: Bool) -> list[str]:
    """Return the names of the limbs of which most voxels belong to this connected piece."""
    names = []
    for number, name in enumerate(anatomy.limbs.names, 1):
        own = anatomy.limbs.labels == number
        if (own & limb).sum() > own.sum() / 2:
            names.append(name)
    return names


def _limited(largest: float, points: float, full: float) -> float:
    return largest * float(np.clip(points / full, -1, 1))


def _layer_contrast(swaps: pd.DataFrame, names: list[str]) -> float:
    """Return how much more fat the shell reads than the core, points: median over limb slices."""
    rows = swaps[swaps["limb"].isin(names)]
    contrast = (rows["shell_ff"] - rows["core_ff"]).dropna()
    return float(contrast.median()) if len(contrast) else np.nan
