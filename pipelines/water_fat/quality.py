"""Quality checks of a fat fraction map and the images it came from, in words for the report."""

from collections.abc import Iterable
from itertools import groupby

import numpy as np
import pandas as pd

from pipelines.arrays import Affine, Bool, Float32
from pipelines.geometry import voxel_sizes
from pipelines.quality import Check, CheckLevel
from pipelines.water_fat.fat_fraction import VoxelCounts
from pipelines.water_fat.grids import MatchedGrids
from pipelines.water_fat.limbs import Limbs
from pipelines.water_fat.noise import NoiseEstimate
from pipelines.water_fat.plausible import check_missing
from pipelines.water_fat.swaps import FAT_FROM, SHELL_MM
from pipelines.water_fat.units import FatFractionUnits

COUNTING = "(counted from 0 at the feet)"


# Share of the field of view that legs or trunk plausibly fill, percent. Two thighs fill 15-40 %
# of a square field and up to 90 % of a tight one.
BODY_SHARE_PERCENT = (1.0, 95.0)
# Above this, fat fractions of healthy muscle (2-6 %) drown in the noise: magnitude images of three
# echoes reach it at a signal-to-noise ratio of about 24.
NOISE_FLOOR_PERCENT = 5.0
# Hardly any disease makes one whole leg this much fattier than the other; a swap does.
LEFT_RIGHT_POINTS = 40.0
# A limb that runs along the image border over this length is cut by it; a round limb that only
# touches it does so over less.
CUT_MM = 30.0
# Percent of the body's voxels.
NON_FINITE_PERCENT = 0.0
NEGATIVE_PERCENT = 1.0
SATURATED_PERCENT = 0.1
# In a body with subcutaneous fat or marrow the 99th percentile of the fat fraction lies in this
# range, percent; outside it the unit of the map was probably taken wrongly.
PLAUSIBLE_FAT_PERCENT = (50.0, 120.0)


def dixon_checks(
    ff: Float32,
    body: Bool,
    limbs: Limbs,
    affine: Affine,
    swaps: pd.DataFrame,
    *,
    noise: NoiseEstimate | None = None,
    counts: VoxelCounts | None = None,
    grids: MatchedGrids | None = None,
    units: tuple[FatFractionUnits, float] | None = None,
) -> list[Check]:
    """Judge a fat fraction map and its sources.

    Parameters
    ----------
    ff : ndarray of shape (x, y, z)
        Fat fraction in percent, after any repair.
    body : ndarray of bool, same shape
    limbs : Limbs
    affine : ndarray of shape (4, 4)
        Affine of all, mm.
    swaps : DataFrame
        From ``repair_swaps`` or ``flag_swaps``.
    noise : NoiseEstimate, optional
        Of the water and fat images; without it the noise counts as unknown.
    counts : VoxelCounts, optional
        Of the water and fat images.
    grids : MatchedGrids, optional
        How water and fat were brought together, if they lay on different grids.
    units : tuple of str and float, optional
        Unit in which a map was stored, and the percentile inside the body by which it is judged,
        in percent.

    Returns
    -------
    list of Check
        In the order in which a reader needs them.
    """
    checks = [check_body(body), _check_limbs(limbs)]
    if grids is not None and grids.resampled:
        checks.append(Check("grid", "warn", grids.text))
    if units is not None:
        checks.append(check_units(*units))
    checks += [check_swaps(swaps), check_noise(noise), check_missing(ff, body)]
    if len(limbs.names) == 2:
        checks.append(check_left_right(ff, limbs))
    checks += [check_cut(limbs, affine), check_slices(body, limbs)]
    if counts is not None:
        checks += check_voxels(counts)
    return checks


def check_body(body: Bool) -> Check:
    """Check that the body mask has a plausible size."""
    share = 100.0 * float(body.mean())
    low, high = BODY_SHARE_PERCENT
    if share < low:
        text = (
            f"The body mask covers only {share:.1f} % of the image; tissue may have been missed. "
            "Look at its outline."
        )
        return Check("body_mask", "warn", text, share, "%", low)
    if share > high:
        text = (
            f"The body mask covers {share:.0f} % of the image; background may have been taken for "
            "tissue. Look at its outline."
        )
        return Check("body_mask", "warn", text, share, "%", high)
    return Check("body_mask", "pass", f"The body fills {share:.0f} % of the image.", share, "%")


def _check_limbs(limbs: Limbs) -> Check:
    """Report how many limbs were found."""
    number = len(limbs.names)
    if number == 2:
        text = "Two limbs were found, left and right."
    else:
        text = "One limb was found; the image alone does not tell whether it is left or right."
    return Check("limbs", "pass", text, float(number), "limbs")


def check_units(units: FatFractionUnits, level: float) -> Check:
    """Check that a map holds fat once its unit is taken as it was."""
    low, high = PLAUSIBLE_FAT_PERCENT
    text = f"The fat fraction map was read as {units}: 99 % of the body lie below {level:.0f} %."
    if low <= level <= high:
        return Check("ff_units", "pass", text, level, "%")
    text += (
        f" A body with fat under the skin has {low:.0f}-{high:.0f} % there, so the unit may be "
        "wrong; give it with --fat-fraction-units."
    )
    return Check("ff_units", "warn", text, level, "%", low if level < low else high)


def check_swaps(swaps: pd.DataFrame) -> Check:
    """Report water/fat swaps found by the fat under the skin, and what was done about them."""
    shell = f"the layer {SHELL_MM[0]:.0f}-{SHELL_MM[1]:.0f} mm under the skin"
    swapped = swaps[swaps["status"] == "swapped"]
    lowest = float(swaps["shell_ff_after"].min()) if swaps["shell_ff"].notna().any() else None
    if not swapped.empty:
        number = float(len(swapped))
        where = _limb_slices(swapped)
        if (swapped["action"] == "exchanged").all():
            text = (
                f"Water and fat were swapped in the {where}: {shell} read as water. They were "
                "exchanged there; look at the repaired slices."
            )
            return Check("water_fat_swap", "warn", text, number, "slices", 0.0)
        text = (
            f"Water and fat seem to be swapped in the {where}: {shell} reads as water. The fat "
            "fractions there are wrong (probably 100 minus the value) and were not changed."
        )
        return Check("water_fat_swap", "fail", text, number, "slices", 0.0)
    bare = swaps[swaps["status"] == "no_shell"]
    if not bare.empty:
        text = (
            f"The layer of fat under the skin is thin or absent in the {_limb_slices(bare)}: "
            f"{shell} reads as water there. Which of the two is fat was decided by other evidence; "
            "a swap of single slices would not be seen there."
        )
        return Check("water_fat_swap", "warn", text, float(len(bare)), "slices", 0.0)
    undecided = swaps[swaps["status"] == "undecided"]
    if not undecided.empty:
        text = (
            f"A water/fat swap cannot be excluded in the {_limb_slices(undecided)}: {shell} is not "
            "fat there, because fat is thin or because of a swap. Look at these slices."
        )
        return Check("water_fat_swap", "warn", text, lowest, "%", FAT_FROM)
    if lowest is None:
        text = f"Water/fat swaps could not be looked for: {shell} was too small to be measured."
        return Check("water_fat_swap", "warn", text)
    text = f"No water/fat swap: {shell} is fat in every limb and slice (lowest {lowest:.0f} %)."
    thin = swaps[swaps["status"] == "thin_fat"]
    if not thin.empty:
        text = (
            f"No water/fat swap: {shell} is fattier than the core in every limb and slice, though "
            f"fat is thin in the {_limb_slices(thin)}."
        )
    return Check("water_fat_swap", "pass", text, lowest, "%", FAT_FROM)


def check_noise(noise: NoiseEstimate | None) -> Check:
    """Report the fat fraction that noise alone makes."""
    if noise is None:
        text = (
            "The noise is not known, because there are no water and fat images; low fat fractions "
            "may be noise."
        )
        return Check("noise_floor", "warn", text, None, "%", NOISE_FLOOR_PERCENT)
    if noise.ff_floor is None:
        text = f"The noise could not be measured: {noise.reason}. Low fat fractions may be noise."
        return Check("noise_floor", "warn", text, None, "%", NOISE_FLOOR_PERCENT)
    text = (
        f"Noise alone makes muscle without fat read {noise.ff_floor:.1f} % (signal-to-noise ratio "
        f"{noise.snr:.0f})"
    )
    if noise.ff_floor <= NOISE_FLOOR_PERCENT:
        return Check("noise_floor", "pass", text + ".", noise.ff_floor, "%", NOISE_FLOOR_PERCENT)
    text += "; fat fractions near or below that do not differ from zero."
    return Check("noise_floor", "warn", text, noise.ff_floor, "%", NOISE_FLOOR_PERCENT)


def check_left_right(ff: Float32, limbs: Limbs) -> Check:
    """Compare the mean fat fraction of the two limbs over the slices that show both."""
    both = np.logical_and.reduce([(limbs.labels == i).any(axis=(0, 1)) for i in (1, 2)])
    known = np.isfinite(ff[:, :, both])
    values, labels = ff[:, :, both][known], limbs.labels[:, :, both][known]
    if not ((labels == 1).any() and (labels == 2).any()):
        text = "Left and right could not be compared: no slice shows both."
        return Check("left_right_difference", "warn", text, None, "points", LEFT_RIGHT_POINTS)
    left, right = (float(values[labels == i].mean(dtype=np.float64)) for i in (1, 2))
    text = f"Mean fat fraction of the whole limb: left {left:.0f} %, right {right:.0f} %"
    difference = left - right
    apart = abs(difference) > LEFT_RIGHT_POINTS
    text += "; a swap is likelier than disease to make such a difference." if apart else "."
    level: CheckLevel = "warn" if apart else "pass"
    return Check("left_right_difference", level, text, difference, "points", LEFT_RIGHT_POINTS)


def check_cut(limbs: Limbs, affine: Affine) -> Check:
    """Check whether the image border cuts a limb in the plane."""
    dx, dy = voxel_sizes(affine)[:2]
    longest, cut = 0.0, []
    for k in range(limbs.labels.shape[2]):
        labels = limbs.labels[:, :, k]
        for i, name in enumerate(limbs.names):
            limb = labels == i + 1
            along = max(
                limb[0].sum() * dy,
                limb[-1].sum() * dy,
                limb[:, 0].sum() * dx,
                limb[:, -1].sum() * dx,
            )
            longest = max(longest, float(along))
            if along > CUT_MM:
                cut.append({"limb": name, "slice": k})
    if not cut:
        text = "No limb is cut by the border of the image."
        return Check("limb_cut", "pass", text, longest, "mm", CUT_MM)
    text = (
        f"The border of the image cuts the {_limb_slices(pd.DataFrame(cut))}; muscles there may be "
        "incomplete."
    )
    return Check("limb_cut", "warn", text, longest, "mm", CUT_MM)


def check_slices(body: Bool, limbs: Limbs) -> Check:
    """Check for slices without body, and for slices that lack one of two limbs."""
    present = [(limbs.labels == i + 1).any(axis=(0, 1)) for i in range(len(limbs.names))]
    filled = body.any(axis=(0, 1))
    empty = np.flatnonzero(~filled)
    missing = pd.DataFrame(
        [
            {"limb": name, "slice": k}
            for name, has in zip(limbs.names, present, strict=True)
            for k in np.flatnonzero(filled & ~has)
        ]
    )
    parts = []
    if empty.size:
        parts.append(f"slices {ranges(empty)} {COUNTING} show no body")
    if not missing.empty:
        parts.append(f"no limb was found in the {_limb_slices(missing)}")
    number = float(empty.size + len(missing))
    if not parts:
        text = f"All {body.shape[2]} slices show the limbs."
        return Check("slice_coverage", "pass", text, number, "slices", 0.0)
    text = "; ".join(parts)
    return Check("slice_coverage", "warn", text[0].upper() + text[1:] + ".", number, "slices", 0.0)


def check_voxels(counts: VoxelCounts) -> list[Check]:
    """Check for missing, negative and clipped intensities inside the body."""
    judged = (
        ("non_finite", "that are NaN or infinite", counts.non_finite, NON_FINITE_PERCENT),
        ("negative", "with negative signal", counts.negative, NEGATIVE_PERCENT),
        ("saturated", "clipped at the largest value", counts.saturated, SATURATED_PERCENT),
    )
    consequences = {
        "non_finite": "They have no fat fraction.",
        "negative": "They count as no signal.",
        "saturated": "Their fat fraction is wrong.",
    }
    checks = []
    for name, what, number, threshold in judged:
        share = 100.0 * number / max(counts.body, 1)
        text = f"Voxels of the body {what}: {number} ({share:.2g} %)."
        if number:
            text += f" {consequences[name]}"
        level: CheckLevel = "warn" if share > threshold else "pass"
        checks.append(Check(name, level, text, share, "%", threshold))
    return checks


def _limb_slices(rows: pd.DataFrame) -> str:
    """Name limbs and slices: 'left limb, slices 3-5, 9; right limb, slice 4 (counted ...)'."""
    parts = []
    for limb, group in rows.groupby("limb", sort=False):
        slices = sorted(int(k) for k in group["slice"])
        noun = "slice" if len(slices) == 1 else "slices"
        parts.append(f"{limb} limb, {noun} {ranges(slices)}")
    return "; ".join(parts) + f" {COUNTING}"


def ranges(numbers: Iterable[int]) -> str:
    """Write sorted integers as ranges: 3-5, 9."""
    parts = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        parts.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else f"{members[0]}")
    return ", ".join(parts)
