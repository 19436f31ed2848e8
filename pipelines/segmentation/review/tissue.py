"""Find labels on what cannot be muscle: air, or the fat under the skin.

Muscle replaced by fat can reach the fat fraction of the fat under the skin. Only fat that is as
pure as that and connected with it, in pieces thicker than a fascia, counts here.
"""

import numpy as np
from scipy import ndimage
from skimage.morphology import isotropic_opening

from pipelines.anatomy.vocabulary import label_values
from pipelines.arrays import Affine, Bool, Float32, UInt16
from pipelines.geometry import voxel_sizes
from pipelines.quality import Check, CheckLevel
from pipelines.water_fat.body import skin_depth
from pipelines.water_fat.swaps import SHELL_MM

_NAME = "label_tissue"

# Fat under the skin has at least this fat fraction, percent; replaced muscle seldom more.
LEAST_FAT_PERCENT = 85.0
# Nor does it fall this far below the median of its own layer, in points.
FAT_SPREAD_POINTS = 6.0
# In-plane Gaussian against noise.
SMOOTHING_MM = 1.5
# Bridges thinner than twice this do not connect a muscle with the fat under the skin.
OPENING_MM = 2.0
# Percent of the labelled volume. Labels in place have 0 to 3 % in eight thighs, one of them a
# phantom with muscles of 80-90 % fat.
MAX_PERCENT = 10.0
FAILING_PERCENT = 30.0
# A muscle is named if this percentage of it lies there.
NAMED_PERCENT = 50.0


def fat_under_skin(ff: Float32, body: Bool, affine: Affine) -> Bool:
    """Find the fat under the skin and what cannot be told from it.

    `ff` is (x, y, z), in percent; `body` and the result are (x, y, z); `affine` is (4, 4), in mm.
    """
    spacing = voxel_sizes(affine)[:2]
    found = np.zeros(body.shape, np.bool_)
    layers = []
    for k in range(body.shape[2]):
        depth = skin_depth(body[:, :, k], affine)
        layers.append((depth >= SHELL_MM[0]) & (depth <= SHELL_MM[1]))
    layer = np.stack(layers, axis=2)
    known = layer & np.isfinite(ff)
    if not known.any():
        return found
    limit = max(LEAST_FAT_PERCENT, float(np.median(ff[known])) - FAT_SPREAD_POINTS)
    for k in range(body.shape[2]):
        smooth = ndimage.gaussian_filter(np.nan_to_num(ff[:, :, k]), SMOOTHING_MM / spacing)
        fat = isotropic_opening((smooth > limit) & body[:, :, k], OPENING_MM, spacing=spacing)
        pieces, _ = ndimage.label(fat)
        touching = np.unique(pieces[layer[:, :, k] & fat])
        found[:, :, k] = np.isin(pieces, touching[touching > 0])
    return found


def check_tissue(labels: UInt16, ff: Float32, body: Bool, affine: Affine) -> Check:
    """Say how much of the labels lies outside the body or in the fat under the skin."""
    inside = labels > 0
    total = int(inside.sum())
    if not total:
        return Check(_NAME, "pass", "Nothing is labelled.", 0.0, "%", MAX_PERCENT)
    skin_fat = fat_under_skin(ff, body, affine)
    in_air = 100.0 * float((inside & ~body).sum()) / total
    in_fat = 100.0 * float((inside & skin_fat).sum()) / total
    share = in_air + in_fat
    where = f"{in_air:.0f} % of the labelled volume lies outside the body and {in_fat:.0f} % in "
    if share <= MAX_PERCENT:
        text = f"{where}the fat under the skin."
        return Check(_NAME, "pass", text, share, "%", MAX_PERCENT)
    wrong = labels[inside & (skin_fat | ~body)]
    size = np.bincount(labels[inside])
    percent = 100.0 * np.bincount(wrong, minlength=len(size)) / np.maximum(size, 1)
    pairs = [label_values()[int(value)] for value in np.flatnonzero(percent > NAMED_PERCENT)]
    named = [f"{muscle.name} ({side})" for muscle, side in pairs]
    text = f"{where}fat that is connected with that under the skin and as pure"
    text += f", most of {', '.join(named)}" if named else ""
    text += ". Look at the outlines: are they misplaced, or is muscle wholly replaced?"
    level: CheckLevel = "fail" if share > FAILING_PERCENT else "warn"
    return Check(_NAME, level, text, share, "%", MAX_PERCENT)
