"""From Dixon images to a checked fat fraction map: the steps of this package in their order."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from skimage.morphology import isotropic_dilation

from pipelines.arrays import Affine, Array, Bool, Float32
from pipelines.geometry import voxel_sizes
from pipelines.quality import Check
from pipelines.water_fat.body import body_mask
from pipelines.water_fat.body_from_map import background_value, body_mask_from_ff
from pipelines.water_fat.fat_fraction import count_voxels, fat_fraction
from pipelines.water_fat.grids import MatchedGrids
from pipelines.water_fat.limbs import Limbs, label_limbs
from pipelines.water_fat.noise import NoiseEstimate, estimate_noise
from pipelines.water_fat.plausible import is_noise
from pipelines.water_fat.quality import dixon_checks
from pipelines.water_fat.swaps import detect_swaps, flag_swaps, repair_swaps
from pipelines.water_fat.units import (
    TO_PERCENT,
    FatFractionUnits,
    body_level,
    detect_units,
    to_percent,
)

# The outline of a body found in a fat fraction map alone is rough; values this far outside stay.
MAP_MARGIN_MM = 10.0


@dataclass(frozen=True)
class DixonResult:
    """A fat fraction map with what is known about it.

    Attributes
    ----------
    ff : ndarray of float32, shape (x, y, z)
        Fat fraction in percent, NaN outside the body and where it is unknown.
    water, fat : ndarray or None
        The images after repair; None if only a map was given.
    affine : ndarray of shape (4, 4)
        Affine of all, mm.
    body : ndarray of bool
    limbs : Limbs
    swaps : DataFrame
        One row per limb and slice, see :func:`pipelines.water_fat.swaps.detect_swaps`, with
        ``action`` and ``shell_ff_after``.
    noise : NoiseEstimate or None
        None if only a map was given.
    units : {'fraction', 'percent', 'permille'} or None
        Unit in which a given map was stored.
    checks : list of Check
    decided : bool
        Whether it is known which of water and fat is which; if not, `ff` is the likelier answer.
    """

    ff: Float32
    water: Array | None
    fat: Array | None
    affine: Affine
    body: Bool
    limbs: Limbs
    swaps: pd.DataFrame
    noise: NoiseEstimate | None
    units: FatFractionUnits | None
    checks: list[Check]
    decided: bool = True

    @property
    def measurable_ff(self) -> Float32:
        """The fat fraction, or no value anywhere if water and fat may be exchanged."""
        return self.ff if self.decided else np.full_like(self.ff, np.nan)


def fat_fraction_from_water_fat(
    water: Array,
    fat: Array,
    affine: Affine,
    *,
    grids: MatchedGrids | None = None,
) -> DixonResult:
    """Compute, repair and check the fat fraction of water and fat images.

    Parameters
    ----------
    water, fat : ndarray of shape (x, y, z)
        Images on one grid (see :func:`pipelines.water_fat.grids.match_grids`), canonical.
    affine : ndarray of shape (4, 4)
        Their affine, mm.
    grids : MatchedGrids, optional
        How they were brought onto one grid, for the checks.

    Returns
    -------
    DixonResult

    Raises
    ------
    DataError
        If the shapes differ, there is no signal, or no body can be found.
    """
    ff = fat_fraction(water, fat)
    body = body_mask(_total_signal(water, fat), affine)
    ff[~body] = np.nan
    limbs = label_limbs(body, affine)
    counts = count_voxels(water, fat, body)
    swaps = detect_swaps(ff, body, limbs, affine)
    water, fat, swaps = repair_swaps(water, fat, body, limbs, swaps)
    for k in swaps.loc[swaps["action"] == "exchanged", "slice"].unique():
        repaired = fat_fraction(water[:, :, k], fat[:, :, k])
        ff[:, :, k] = np.where(body[:, :, k], repaired, np.nan)
    noise = estimate_noise(water, fat, body, affine)
    if noise.sigma_water is not None and noise.sigma_fat is not None:
        sigma = float(np.hypot(noise.sigma_water, noise.sigma_fat))
        ff[is_noise(_total_signal(water, fat), sigma)] = np.nan
    checks = dixon_checks(ff, body, limbs, affine, swaps, noise=noise, counts=counts, grids=grids)
    return DixonResult(ff, water, fat, affine, body, limbs, swaps, noise, None, checks)


def fat_fraction_from_map(
    ff: Array,
    affine: Affine,
    units: Literal["auto"] | FatFractionUnits = "auto",
    *,
    signal: Array | None = None,
) -> DixonResult:
    """Bring a fat fraction map to percent and check it. Swaps are flagged, never repaired.

    Parameters
    ----------
    ff : ndarray of shape (x, y, z)
        Map as stored, canonical.
    affine : ndarray of shape (4, 4)
        Its affine, mm.
    units : {'auto', 'fraction', 'percent', 'permille'}
        Unit of the map; ``auto`` tells it from the values inside the body.
    signal : ndarray of shape (x, y, z), optional
        A magnitude image on the same grid (in-phase, water, ...). The body is found in it, and
        far better than in the map.

    Returns
    -------
    DixonResult

    Raises
    ------
    DataError
        If no body is found or the unit cannot be told.
    """
    if signal is None:
        body = body_mask_from_ff(ff, affine)
        kept = _with_margin(body, affine) & (body | (ff != background_value(ff)))
    else:
        body = kept = body_mask(signal, affine)
    found = detect_units(ff, body) if units == "auto" else units
    percent = to_percent(ff, found)
    percent[~kept] = np.nan
    limbs = label_limbs(body, affine)
    swaps = flag_swaps(detect_swaps(percent, body, limbs, affine))
    level = body_level(ff, body) * TO_PERCENT[found]
    checks = dixon_checks(percent, body, limbs, affine, swaps, units=(found, level))
    return DixonResult(percent, None, None, affine, body, limbs, swaps, None, found, checks)


def _total_signal(water: Array, fat: Array) -> Float32:
    """Return water + fat without negative values."""
    total = water.astype(np.float32).clip(0)
    total += fat.astype(np.float32).clip(0)
    return total


def _with_margin(body: Bool, affine: Affine) -> Bool:
    """Return the body with a margin, slice by slice."""
    spacing = voxel_sizes(affine)[:2]
    grown = np.zeros_like(body)
    for k in range(body.shape[2]):
        grown[:, :, k] = isotropic_dilation(body[:, :, k], MAP_MARGIN_MM, spacing=spacing)
    return grown
