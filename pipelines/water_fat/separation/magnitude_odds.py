"""Water or fat, block by block, as log odds that magnitudes allow; and what may be exchanged.

Magnitudes leave two answers, such as 5 % fat or 95 %. Two things speak for one of them: how common
both are in muscle (muscle of 5 % is common, muscle of 95 % is not, even where fat has replaced it;
20 and 80 % are nearly alike) and in fat, and the echoes themselves, as far as no spectrum of fat,
decay and plausible error explains the other one.

Blocks that look alike are the same tissue, and share one scanner: their log odds are averaged, not
added, so that a thousand blocks are no surer than one that is free of noise.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import cg
from scipy.special import expit

from pipelines.arrays import Bool, Float32, Float64
from pipelines.water_fat.body import skin_depth
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.blocks import Neighbours
from pipelines.water_fat.swaps import SHELL_MM

# Fat fractions (0-1) of muscle: a share of people whose muscles have little, falling off with this
# scale, and patients with anything up to where fat that has replaced muscle ends.
_HEALTHY_SHARE = 0.8
_HEALTHY_SCALE = 0.08
_REPLACED_END, _REPLACED_WIDTH = 0.93, 0.015
# Fat fraction of fat under the skin and in marrow, and its scatter below and above.
_PURE_FAT, _PURE_FAT_SD = 0.91, 0.07
_PURE_END, _PURE_END_SD = 0.99, 0.05
# Noise of the fits below zero, and density where nothing is expected.
_NOISE_SD = 0.06
_RARE = 0.02
# Share of fat in the tissue under the skin and in that of the core; log odds of marrow.
_FAT_IN_SHELL = 0.75
_FAT_IN_CORE = 0.04
_MARROW_LOG_ODDS = -4.0
# How deep a layer of fat is expected to reach: this share of the limb's radius, at most so far.
_LAYER_OF_RADIUS = 0.18
_THICKEST_LAYER_MM = 20.0
# Largest log odds from the echoes of one tissue: model errors are shared by all its blocks.
_LARGEST_ECHO_LOG_ODDS = 6.0
_LARGEST_LOG_ODDS = 6.0
# How strongly blocks that are alike are averaged.
_AVERAGING = 16.0
# A difference between the two answers (0-1) from which on the wrong one does harm.
_HARM = 0.3
# A core of which more than the first share is called fat is no longer fat between muscles, and of
# more than the second it is muscle that fat has replaced.
_REPLACED_SHARES = (0.4, 0.7)
# Share of the doubt that concerns muscle; septa and edges have their part in it.
_MUSCLE_PART = 0.93


@dataclass(frozen=True)
class BlockTissue:
    """What is known of each block: both answers, where it lies, and what its echoes say.

    Attributes
    ----------
    fraction : ndarray of shape (2, blocks)
        Fat fractions (0-1) of the two answers.
    echoes : ndarray of shape (blocks,)
        Log odds for water by the echoes alone.
    layer : ndarray of shape (blocks,)
        How far a block lies where a layer of fat is expected, 0-1, see :func:`layer_of_fat`.
    marrow : ndarray of bool, shape (blocks,)
    """

    fraction: Float32
    echoes: Float32
    layer: Float32
    marrow: Bool

    @property
    def shell(self) -> Bool:
        """Blocks that are rather layer than core."""
        shell: Bool = self.layer > 0.5
        return shell


@dataclass(frozen=True)
class BlockOdds:
    """Log odds for water of each block: as any tissue, and as muscle (both averaged)."""

    tissue: Float64
    muscle: Float64


def layer_of_fat(anatomy: Anatomy) -> Float32:
    """Return how far a layer of fat is expected at each voxel: 1 under the skin, 0 in the core.

    A layer is taken to reach down to a quarter of the limb's radius: certain to the depth in which
    the shell is looked for, less so beyond. Thin limbs have thin layers.
    """
    layer = np.zeros(anatomy.body.shape, np.float32)
    depth = np.zeros(anatomy.body.shape, np.float32)
    for k in range(anatomy.body.shape[-1]):
        depth[..., k] = skin_depth(anatomy.body[..., k], anatomy.affine)
    for number in range(1, len(anatomy.limbs.names) + 1):
        limb = anatomy.limbs.labels == number
        if not limb.any():
            continue
        deepest = min(_LAYER_OF_RADIUS * float(depth[limb].max()), _THICKEST_LAYER_MM)
        certain = min(SHELL_MM[1], deepest)
        falling = (deepest - depth[limb]) / max(deepest - certain, 1e-3)
        layer[limb] = np.clip(falling, 0, 1)
    return layer


def block_odds(blocks: BlockTissue, pairs: Neighbours, likeness: Float32) -> BlockOdds:
    """Weigh both answers of every block.

    `likeness` is (pairs,), 0 for blocks that have nothing in common.
    """
    low, high = np.sort(np.clip(blocks.fraction, -0.3, 1.3), axis=0)
    echoes = np.clip(blocks.echoes, -_LARGEST_ECHO_LOG_ODDS, _LARGEST_ECHO_LOG_ODDS)
    by_place = _mirrored(low, high, _FAT_IN_CORE + (_FAT_IN_SHELL - _FAT_IN_CORE) * blocks.layer)
    found = []
    for prior in (by_place, _mirrored(low, high, np.zeros_like(low))):
        own = np.where(blocks.marrow, _MARROW_LOG_ODDS, prior) + echoes
        averaged = _averaged(own.astype(np.float64), pairs, likeness)
        found.append(np.clip(averaged, -_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS))
    return BlockOdds(*found)


def exchanged_share(blocks: BlockTissue, odds: BlockOdds, is_fat: Bool, limb: Bool) -> float:
    """Return which share of a limb's tissue (0-1) is expected to be on the wrong side.

    `is_fat` and `limb` are (blocks,); marrow is left out.
    """
    judged = limb & ~blocks.marrow
    if not judged.any():
        return 0.5
    core = judged & ~blocks.shell
    low, high = _REPLACED_SHARES
    fat_share = float(is_fat[core].mean()) if core.any() else 0.0
    replaced = float(np.clip((fat_share - low) / (high - low), 0, 1))
    is_water = expit(odds.tissue)
    deep = (1 - replaced) * is_water + replaced * expit(odds.muscle)
    wrong = np.where(is_fat, np.where(blocks.shell, is_water, deep), expit(-odds.muscle))
    wrong *= np.ptp(blocks.fraction, axis=0) > _HARM
    return _MUSCLE_PART * float(wrong[judged].mean())


def _mirrored(low: Float32, high: Float32, fat_share: Float32) -> Float32:
    """Return the log odds of the answer with less fat in tissue of which a share is fat."""
    less, more = (
        (1 - fat_share) * _muscle_density(q) + fat_share * _fat_density(q) for q in (low, high)
    )
    return np.log(less / more).astype(np.float32)


def _muscle_density(fraction: Float32) -> Float32:
    below = np.exp(-0.5 * (np.minimum(fraction, 0) / _NOISE_SD) ** 2)
    healthy = np.exp(-np.maximum(fraction, 0) / _HEALTHY_SCALE) / _HEALTHY_SCALE * below
    replaced = np.maximum(expit((_REPLACED_END - fraction) / _REPLACED_WIDTH), 0.1)
    replaced = np.where(fraction < -_NOISE_SD, 0, replaced)
    density = _HEALTHY_SHARE * healthy + (1 - _HEALTHY_SHARE) * replaced + _RARE
    return density.astype(np.float32)


def _fat_density(fraction: Float32) -> Float32:
    off = (np.minimum(fraction, _PURE_END) - _PURE_FAT) / _PURE_FAT_SD
    beyond = np.maximum(fraction - _PURE_END, 0) / _PURE_END_SD
    peak = 1 / (_PURE_FAT_SD * np.sqrt(2 * np.pi))
    density: Float32 = peak * np.exp(-0.5 * (off**2 + beyond**2)).astype(np.float32) + _RARE
    return density


def _averaged(values: Float64, pairs: Neighbours, likeness: Float32) -> Float64:
    """Average over blocks that are alike: the smoothest values near the given ones."""
    n = values.size
    half = coo_array(
        (_AVERAGING * likeness.astype(np.float64), (pairs.first, pairs.second)), (n, n)
    )
    links = (half + half.T).tocsr()
    system: Any = diags_array(1 + np.asarray(links.sum(axis=1)).ravel()) - links
    averaged, _ = cg(system, values, x0=values, rtol=1e-3, maxiter=200)
    return averaged
