"""Let one muscle swell while its neighbour wastes, as selective disease does.

Muscular dystrophies spare some muscles, which then work for the others and grow, while what is
left of a replaced neighbour lies flat beside it (Mercuri et al., J Magn Reson Imaging
2007;25:433-440). A network that has only seen ordinary proportions takes the large lean muscle for
the one that usually is the larger, so both sizes and fat fractions are drawn in pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float32, UInt8
from pipelines.segmentation.synthesis.deformation import add_swelling

# Muscles that touch over a long way, by number (tissues.MUSCLES).
NEIGHBOURS = (
    (1, 2),
    (1, 5),
    (2, 3),
    (2, 4),
    (3, 4),
    (4, 5),
    (6, 7),
    (1, 7),
    (6, 10),
    (8, 9),
    (8, 11),
    (9, 10),
    (3, 11),
)
MOST_PAIRS = 3
# Chances that each muscle of a pair changes, and that only one side of the body does.
CHANGE_CHANCE = 0.8
ONE_SIDED_CHANCE = 0.15
# Gains of the deformation (see deformation.add_swelling) and its reach relative to the muscle's
# radius: cross-sections grow up to twofold and shrink down to two fifths.
SWELLING_GAIN = (-0.6, -0.2)
WASTING_GAIN = (0.2, 0.9)
REACH = (0.7, 1.1)
# Cross-sections smaller than this have no shape to change, pixels.
LEAST_SECTION = 20
# Chance that a muscle's fat fraction follows its size, and the fractions then.
FAT_FOLLOWS_CHANCE = 0.6
SPARED_FAT = (0.02, 0.2)
REPLACED_FAT = (0.4, 0.9)


@dataclass(frozen=True)
class Growth:
    """Change of size of one muscle of one side.

    Attributes
    ----------
    muscle : int
        Number of the muscle.
    right : bool
        Side.
    gain, reach : float
        Of the deformation; negative gains magnify.
    """

    muscle: int
    right: bool
    gain: float
    reach: float


def draw_growth(rng: np.random.Generator) -> list[Growth]:
    """Draw the muscles of a scan that swell or waste."""
    growth = []
    for pair in rng.permutation(NEIGHBOURS)[: rng.integers(1, MOST_PAIRS + 1)]:
        for muscle, gains in zip(rng.permutation(pair), (SWELLING_GAIN, WASTING_GAIN), strict=True):
            if rng.random() >= CHANGE_CHANCE:
                continue
            sides: tuple[bool, ...] = (False, True)
            if rng.random() < ONE_SIDED_CHANCE:
                sides = (bool(rng.random() < 0.5),)
            growth += [
                Growth(int(muscle), right, rng.uniform(*gains), rng.uniform(*REACH))
                for right in sides
            ]
    return growth


def follow_growth(
    fractions: Float32, growth: Sequence[Growth], rng: np.random.Generator
) -> Float32:
    """Return fat fractions in which many swollen muscles are lean and many wasted ones fatty.

    `fractions` is (2, 256), in 0-1.
    """
    followed = fractions.copy()
    for change in growth:
        if rng.random() < FAT_FOLLOWS_CHANCE:
            fat = SPARED_FAT if change.gain < 0 else REPLACED_FAT
            followed[int(change.right), change.muscle] = rng.uniform(*fat)
    return followed


def grow(
    positions: Float32,
    section: UInt8,
    right: Bool,
    growth: Sequence[Growth],
) -> Float32:
    """Return source positions that change the size of single muscles of a section.

    `positions` is (2, x, y); `section` and `right` are (x, y).
    """
    grown = positions.copy()
    for change in growth:
        inside = np.argwhere((section == change.muscle) & (right == change.right))
        if len(inside) < LEAST_SECTION:
            continue
        radius = float(np.sqrt(len(inside) / np.pi))
        add_swelling(grown, inside.mean(axis=0), change.reach * radius, change.gain)
    return grown
