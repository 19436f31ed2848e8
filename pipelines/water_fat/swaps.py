"""Water/fat swaps: where a separation has called fat water and water fat.

Anatomy decides: a shell 2-8 mm under the skin is subcutaneous fat. Where its median fat fraction
is below 50 %, either water and fat are exchanged or the fat there is too thin to fill the shell.
The two are told apart by the skin, which is water: in a swap it looks fattier than the shell.
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from pipelines.arrays import Affine, Array, Bool, Float32, UInt8
from pipelines.geometry import voxel_sizes
from pipelines.water_fat.body import skin_depth
from pipelines.water_fat.limbs import Limbs

# Depth under the skin, mm. In 84 limb slices of three people (thigh to pelvis, one healthy, two
# dystrophic) the shell had a median fat fraction of 68-91 %, the core 3-74 %, and the skin 6-60 %
# and at least 14 points less than the shell.
SKIN_MM = (0.0, 1.5)
SHELL_MM = (2.0, 8.0)
CORE_MM = (12.0, np.inf)
# A depth range with fewer voxels in a limb and slice has no value.
MIN_VOXELS = 50
# Below this the shell is not fat as it stands.
FAT_FROM = 50.0
# A limb and slice is a reference for the others from this shell value on (if its skin or its core
# confirms it), and is taken for swapped up to the other value: 100 minus it is then closer to the
# reference than it is itself, by at least 20 points.
REFERENCE_FROM = 60.0
SWAPPED_UP_TO = 40.0
# Differences, in points, that count as "fattier than the shell".
SKIN_MARGIN = 5.0
CORE_MARGIN = 10.0
# Without any reference all of the volume must be swapped: share of the measured limbs and slices
# that must show it.
GLOBAL_SHARE = 0.8
# A limb that is decided is swapped in single slices, not in this share of them.
_MOST_SLICES = 0.5


def detect_swaps(ff: Float32, body: Bool, limbs: Limbs, affine: Affine) -> pd.DataFrame:
    """Judge water and fat of every limb and slice by the fat under the skin.

    A limb and slice is ``normal`` if its shell is at least 50 % fat, unless both skin and core are
    fattier still. Otherwise it is

    * ``swapped`` if another limb or slice has a shell of fat, this one has the contrary, and its
      skin or its core is fattier than its shell while the other does not contradict; or, where no
      limb and slice of the volume has a shell of fat, if the skin is fattier nearly everywhere and
      the core in the median;
    * ``thin_fat`` if shell, core and skin are in the order of a lean limb or a hand;
    * ``undecided`` otherwise.

    Parameters
    ----------
    ff : ndarray of shape (x, y, z)
        Fat fraction in percent, NaN where unknown.
    body : ndarray of bool, same shape
    limbs : Limbs
        Limb of every voxel.
    affine : ndarray of shape (4, 4)
        Affine of all, mm.

    Returns
    -------
    DataFrame
        One row per limb and slice in which the limb has voxels: ``slice`` (index along axis 2),
        ``limb`` (name), ``skin_ff``, ``shell_ff``, ``core_ff`` (medians, percent, NaN where there
        are too few voxels), ``shell_voxels`` and ``status``.
    """
    rows = []
    for k in range(body.shape[2]):
        labels = limbs.labels[:, :, k]
        present = [i for i in range(len(limbs.names)) if (labels == i + 1).any()]
        if not present:
            continue
        depth = skin_depth(body[:, :, k], affine)
        rows += [
            {"slice": k, "limb": limbs.names[i]}
            | _measure(ff[:, :, k], depth, labels == i + 1, voxel_sizes(affine)[:2].max())
            for i in present
        ]
    columns = ["slice", "limb", "skin_ff", "shell_ff", "core_ff", "shell_voxels"]
    table = pd.DataFrame(rows, columns=columns)
    table["status"] = _judge(table)
    return table


def repair_swaps(
    water: Array, fat: Array, body: Bool, limbs: Limbs, swaps: pd.DataFrame
) -> tuple[Array, Array, pd.DataFrame]:
    """Exchange water and fat in the limbs and slices found swapped.

    The exchange includes the air nearer to this limb than to another, so that the noise around it
    and the partial volume of its skin go with it; arms beside the legs stay as they are. The images
    are new if anything was exchanged; the table says so in ``action`` and ``shell_ff_after``.
    """
    swapped = swaps["status"] == "swapped"
    table = _with_action(swaps, swapped, "exchanged")
    table["shell_ff_after"] = swaps["shell_ff"].where(~swapped, 100.0 - swaps["shell_ff"])
    if not swapped.any():
        return water, fat, table
    common = np.result_type(water, fat)
    water, fat = water.astype(common), fat.astype(common)
    for k, limb in swaps.loc[swapped, ["slice", "limb"]].itertuples(index=False):
        here = _territory(body[:, :, k], limbs.labels[:, :, k], limbs.names.index(limb) + 1)
        kept = water[:, :, k][here]
        water[:, :, k][here] = fat[:, :, k][here]
        fat[:, :, k][here] = kept
    return water, fat, table


def flag_swaps(swaps: pd.DataFrame) -> pd.DataFrame:
    """Complete a swap table where there is only a fat fraction map, which is left as it is.

    100 - FF would undo a swap in a map of magnitudes, but not in one corrected for relaxation or
    noise, so it is left to a person.

    Returns
    -------
    DataFrame
        `swaps` with ``action`` (``none`` or ``flagged``) and ``shell_ff_after``.
    """
    table = _with_action(swaps, swaps["status"] == "swapped", "flagged")
    table["shell_ff_after"] = swaps["shell_ff"]
    return table


def _measure(ff: Float32, depth: Float32, limb: Bool, voxel_mm: float) -> dict[str, float]:
    """Return the median fat fraction of skin, shell and core of one limb in one slice."""
    # One voxel of skin at least, and none of it in the shell.
    skin_end = max(SKIN_MM[1], 1.01 * voxel_mm)
    shell_start = max(SHELL_MM[0], skin_end)
    ranges = {
        "skin_ff": (SKIN_MM[0], skin_end),
        "shell_ff": (shell_start, max(SHELL_MM[1], shell_start + voxel_mm)),
        "core_ff": CORE_MM,
    }
    measured: dict[str, float] = {}
    for name, (low, high) in ranges.items():
        values = ff[limb & (depth > low) & (depth <= high)]
        values = values[np.isfinite(values)]
        measured[name] = float(np.median(values)) if values.size >= MIN_VOXELS else np.nan
        if name == "shell_ff":
            measured["shell_voxels"] = values.size
    return measured


def _judge(table: pd.DataFrame) -> list[str]:
    """Return the status of every row."""
    shell, core, skin = (table[name] for name in ("shell_ff", "core_ff", "skin_ff"))
    skin_fattier = skin >= shell + SKIN_MARGIN
    core_fattier = core >= shell + CORE_MARGIN
    low = shell <= SWAPPED_UP_TO
    reference = (shell >= REFERENCE_FROM) & ((skin <= shell - SKIN_MARGIN) | (core < FAT_FROM))
    if reference.any():
        # Noise can make thin skin look fatty, and marrow fills the core of a knee or ankle: each
        # sign counts only if the other does not contradict it.
        by_skin = skin_fattier & (core >= shell - CORE_MARGIN)
        by_core = core_fattier & (skin >= shell - SKIN_MARGIN)
        swapped = low & (by_skin | by_core)
    else:
        swapped = low & skin_fattier & (core >= shell - CORE_MARGIN)
        enough = swapped.sum() >= GLOBAL_SHARE * max(shell.notna().sum(), 1)
        swapped &= enough and (core - shell).median() >= CORE_MARGIN
    # The shell of a lean limb may read 50-70 % because of a swap; then skin and core read more.
    reversed_order = skin_fattier & core_fattier
    lean = (shell >= core + CORE_MARGIN) & (skin <= shell)
    status = np.select(
        [shell.isna(), (shell >= FAT_FROM) & ~reversed_order, swapped, lean],
        ["unmeasured", "normal", "swapped", "thin_fat"],
        "undecided",
    )
    return [str(one) for one in status]


def without_shell(swaps: pd.DataFrame) -> pd.DataFrame:
    """Return the table for a scan whose water and fat are known by other evidence.

    A limb that reads as water under the skin in most slices has no layer of fat there: it gets the
    status ``no_shell``. In fewer slices it may still be swapped.
    """
    measured = swaps[swaps["status"] != "unmeasured"]
    share = (measured["status"] == "swapped").groupby(measured["limb"]).mean()
    bare = (swaps["status"] == "swapped") & (swaps["limb"].map(share) >= _MOST_SLICES)
    return swaps.assign(status=swaps["status"].mask(bare, "no_shell"))


def _with_action(swaps: pd.DataFrame, rows: "pd.Series[bool]", action: str) -> pd.DataFrame:
    table = swaps.copy()
    table["action"] = np.where(rows, action, "none")
    return table


def _territory(body: Bool, labels: UInt8, limb: int) -> Bool:
    """Return a limb and the air that is nearer to it than to any other part of the body."""
    part = np.where(labels > 0, labels, np.where(body, np.uint8(255), np.uint8(0)))
    nearest = ndimage.distance_transform_edt(part == 0, return_distances=False, return_indices=True)
    territory: Bool = part[tuple(nearest)] == limb
    return territory
