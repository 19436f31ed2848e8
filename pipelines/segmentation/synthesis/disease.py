"""Draw the fat replacement of each muscle: how much, and in which pattern.

Muscular dystrophies replace muscle by fat selectively: neighbours differ by tens of points, the
two sides mostly agree, and within a muscle the fat is diffuse, patchy, streaky or compact.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Floating, Index, Int64
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.tissues import FIRST_CELL, MUSCLES

# Textures that shape the pattern inside a muscle.
PATTERNS = ("smooth", "patch", "streak_x", "streak_y", "streak_diagonal", "grain")
PATTERN_CHANCES = (0.2, 0.22, 0.15, 0.15, 0.15, 0.13)
# Healthy people, selectively and generally affected patients: chances of each in a sample.
COHORT_CHANCES = (0.25, 0.5, 0.25)
HIGHEST_FAT_FRACTION = 0.95
# Share of the muscles that are mostly fat where some are, how much fat, and how far sides differ.
REPLACED_SHARE = (0.2, 0.7)
REPLACED_FAT_FRACTION = (0.6, 0.95)
REPLACED_ASYMMETRY = 0.05
# Fraction of the pattern's range that the boundary between spared and replaced tissue spans.
SOFTNESS = (0.04, 0.3)


@dataclass(frozen=True)
class Replacement:
    """Fat replacement of every tissue of both sides, as look-up tables of shape (2 * 256,).

    The row of tissue ``t`` on side ``s`` is ``256 * s + t``.

    Attributes
    ----------
    mean : ndarray
        Fat fraction of the tissue, 0-1.
    low, high : ndarray
        Fat fraction of its spared and of its replaced parts.
    threshold, softness : ndarray
        Where on the pattern (0-1) the boundary lies, and how wide it is.
    pattern : ndarray of int
        Index into :data:`PATTERNS`.
    """

    mean: Float32
    low: Float32
    high: Float32
    threshold: Float32
    softness: Float32
    pattern: Int64


def draw_fat_fractions(rng: np.random.Generator) -> Float32:
    """Draw the fat fraction (0-1) of each of 256 tissues on both sides, shape (2, 256)."""
    cohort = rng.choice(3, p=COHORT_CHANCES)
    if cohort == 0:
        common = rng.uniform(0.01, 0.10) + rng.uniform(0, 0.08, 256)
        asymmetry = 0.02
    elif cohort == 1:
        concentration = rng.uniform(1.0, 4.0)
        center = rng.uniform(0.1, 0.7)
        common = rng.beta(concentration * center, concentration * (1 - center), 256)
        asymmetry = rng.choice((0.04, 0.12))
    else:
        common = rng.uniform(0.45, 0.92) + rng.normal(0, 0.12, 256)
        spared = rng.random(256) < rng.uniform(0, 0.35)
        common = np.where(spared, rng.uniform(0.05, 0.5, 256), common)
        asymmetry = 0.06
    if rng.random() < 0.5:
        # Neighbours of one muscle group are often replaced alike.
        cells = slice(FIRST_CELL, None)
        common[cells] = rng.choice(common[list(MUSCLES)]) + 0.3 * (
            common[cells] - common[cells].mean()
        )
    sides = common + rng.normal(0, asymmetry, (2, 256))
    return np.clip(sides, 0.005, HIGHEST_FAT_FRACTION).astype(np.float32)


def replace_muscles(fractions: Float32, rng: np.random.Generator) -> Float32:
    """Return fat fractions in which some muscles, on both sides, are mostly fat.

    `fractions` is (2, 256), in 0-1.
    """
    chosen = rng.random(256) < rng.uniform(*REPLACED_SHARE)
    fatty = rng.uniform(*REPLACED_FAT_FRACTION, 256) + rng.normal(0, REPLACED_ASYMMETRY, (2, 256))
    replaced = np.where(chosen, np.clip(fatty, 0.005, HIGHEST_FAT_FRACTION), fractions)
    return replaced.astype(np.float32)


def draw_replacement(mean: Float32, rng: np.random.Generator) -> Replacement:
    """Draw a pattern of replacement for each tissue such that its mean is as given.

    `mean` is (2, 256), in 0-1.
    """
    mean = mean.reshape(-1)
    contrast = rng.beta(1.3, 1.3, mean.size)
    low = mean * (1 - contrast)
    high = np.minimum(mean + contrast * (0.97 - mean) * rng.uniform(0.5, 1.0, mean.size), 0.97)
    softness = rng.uniform(*SOFTNESS, mean.size)
    share = np.clip((mean - low) / np.maximum(high - low, 1e-6), 0, 1)
    return Replacement(
        mean,
        low.astype(np.float32),
        high.astype(np.float32),
        _threshold_for_share(share, softness).astype(np.float32),
        softness.astype(np.float32),
        rng.choice(len(PATTERNS), mean.size, p=PATTERN_CHANCES),
    )


def _threshold_for_share(share: Floating, softness: Floating) -> Floating:
    """Solve for the threshold t at which the mean of sigmoid((u - t) / s), u in 0-1, is `share`."""
    low, high = np.full(share.shape, -3.0), np.full(share.shape, 4.0)
    for _ in range(30):
        t = (low + high) / 2
        mean = softness * (np.logaddexp(0, (1 - t) / softness) - np.logaddexp(0, -t / softness))
        low, high = np.where(mean > share, t, low), np.where(mean > share, high, t)
    threshold: Floating = (low + high) / 2
    return threshold


def draw_patterns(bank: NoiseBank, shape: tuple[int, int], rng: np.random.Generator) -> Float32:
    """Return one uniform texture for each of :data:`PATTERNS`, shape (patterns, pixels)."""
    return np.stack([bank.draw_uniform(name, shape, rng).ravel() for name in PATTERNS])


def fat_fraction_map(rows: Index, replacement: Replacement, patterns: Float32) -> Float32:
    """Return the fat fraction of each pixel.

    `rows` is (pixels,); `patterns` is (patterns, pixels).
    """
    texture = patterns[replacement.pattern[rows], np.arange(rows.size)]
    exponent = (texture - replacement.threshold[rows]) / replacement.softness[rows]
    share = 1 / (1 + np.exp(-np.clip(exponent, -30, 30)))
    low = replacement.low[rows]
    fraction: Float32 = low + (replacement.high[rows] - low) * share
    return fraction
