"""Draw training samples from labelled slices of real scans, changed strongly.

A few patients do not show what muscles can look like, so every sample has another pose and shape,
another pattern and amount of fat in each muscle, and the imperfections of another scanner.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from pipelines.arrays import Bool, Float32, UInt8
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE
from pipelines.segmentation.synthesis.deformation import (
    draw_source_positions,
    nearest_indices,
)
from pipelines.segmentation.synthesis.disease import (
    draw_fat_fractions,
    draw_patterns,
    draw_replacement,
    fat_fraction_map,
)
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.sampler import (
    ATROPHY_PIXELS,
    SINGLE_CONTRASTS,
    Sample,
    SamplerRange,
    draw_field_of_view,
    make_contrast,
)
from pipelines.segmentation.synthesis.scanner import ScannerRange, scan
from pipelines.segmentation.synthesis.selective_growth import draw_growth, grow
from pipelines.segmentation.synthesis.signals import FAT_GAIN_LOG, shrink_muscle
from pipelines.segmentation.synthesis.tissues import (
    FATTY_RIM,
    FIRST_CELL,
    MUSCLES,
    OTHER_MUSCLE_CLASS,
)

# A real image brings noise and blur of its own.
REAL_SCANNER = ScannerRange(noise=(0.0, 0.05), blur=(0.0, 1.0))
# Chance that the fat of a sample's muscles changes, the share of the muscles in which it does, and
# the chance that such a muscle loses fat instead of gaining some.
CHANGE_CHANCE = 0.65
CHANGED_SHARE = (0.15, 0.8)
LEANER_CHANCE = 0.25
# Share of its fat that a muscle loses.
LOST_FAT = (0.3, 0.95)
# Fat fraction of what has taken the room of a wasted muscle.
RIM_FAT = (0.65, 0.97)
# Spread of the logarithm of fat's brightness relative to water's.
FAT_BRIGHTNESS_SPREAD = 0.2


@dataclass(frozen=True)
class RealSlice:
    """A labelled slice of a real scan on the canvas.

    Attributes
    ----------
    image : ndarray of float32, shape (2, x, y)
        Normalized water and fat.
    classes : ndarray of uint8, shape (x, y)
        Class of every pixel (:data:`~pipelines.segmentation.synthesis.tissues.CLASS_NAMES`).
    midline : float
        Position between the legs along axis 0, pixels.
    """

    image: Float32
    classes: UInt8
    midline: float
    # Spline coefficients of the image: only one interpolation blurs a sample.
    coefficients: Float32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        filtered = np.stack([ndimage.spline_filter(channel) for channel in self.image])
        object.__setattr__(self, "coefficients", filtered.astype(np.float32))


class RealSampler:
    """Draws samples from slices of real scans.

    Parameters
    ----------
    cases : sequence of sequence of RealSlice
        The slices of each scan; each scan is drawn equally often.
    bank : NoiseBank
        Textures.
    seed : int or sequence of int
        Seed of the samples: the same seed gives the same sequence.
    ranges : SamplerRange, optional
        Shape, poses and chances of the samples; the scanner's imperfections are
        :data:`REAL_SCANNER`.
    """

    def __init__(
        self,
        cases: Sequence[Sequence[RealSlice]],
        bank: NoiseBank,
        seed: int | Sequence[int],
        ranges: SamplerRange | None = None,
    ) -> None:
        self._cases = [list(case) for case in cases]
        self._bank = bank
        self._rng = np.random.default_rng(seed)
        self._ranges = ranges or SamplerRange()

    def draw(self) -> Sample:
        """Draw a changed slice."""
        rng, ranges, shape = self._rng, self._ranges, self._ranges.shape
        case = self._cases[rng.integers(len(self._cases))]
        source = case[rng.integers(len(case))]
        positions = draw_source_positions(
            shape, CANVAS_SHAPE, source.midline, self._bank, rng, pose=ranges.pose
        )
        right = positions[0] > source.midline
        if rng.random() < ranges.growth:
            ungrown = _nearest(source.classes, positions)
            positions = grow(positions, ungrown, right, draw_growth(rng))
        pair = np.stack(
            [
                ndimage.map_coordinates(channel, positions, order=3, prefilter=False)
                for channel in source.coefficients
            ]
        ).clip(0)
        classes = _nearest(source.classes, positions)
        if rng.random() < CHANGE_CHANCE:
            pair = self._change_fat(pair, classes, right)
        pair[1] *= np.exp(rng.normal(0, FAT_BRIGHTNESS_SPREAD))
        visible = draw_field_of_view(right, ranges, rng)
        scanned = scan(pair * visible, self._bank, rng, REAL_SCANNER)
        classes = np.where(visible, classes, 0).astype(np.uint8)
        single = rng.random() < ranges.missing_channel
        contrast = SINGLE_CONTRASTS[rng.integers(len(SINGLE_CONTRASTS))] if single else "dixon"
        image = make_contrast(scanned, contrast, rng.uniform(1.5, 4.0))
        if rng.random() < 0.5:
            image, classes = image[:, ::-1], classes[::-1]
        return Sample(np.ascontiguousarray(image), np.ascontiguousarray(classes))

    def _change_fat(self, pair: Float32, classes: UInt8, right: Bool) -> Float32:
        """Let some muscles gain fat in a pattern, alone or where they waste, and others lose it."""
        rng = self._rng
        tissue = classes.copy()
        tissue[tissue == OTHER_MUSCLE_CLASS] = FIRST_CELL
        wasted = rng.choice(MUSCLES, rng.integers(1, 5), replace=False)
        if rng.random() < self._ranges.atrophy:
            for value in wasted:
                pixels = rng.uniform(*ATROPHY_PIXELS)
                tissue = shrink_muscle(tissue, int(value), pixels, FATTY_RIM)
        changed = np.zeros((2, 256), np.bool_)
        able = [*MUSCLES, FIRST_CELL]
        changed[:, able] = rng.random((2, len(able))) < rng.uniform(*CHANGED_SHARE)
        leaner = changed & (rng.random((2, 256)) < LEANER_CHANCE)
        fractions = np.where(changed & ~leaner, draw_fat_fractions(rng), 0.0).astype(np.float32)
        fractions[:, FATTY_RIM] = rng.uniform(*RIM_FAT)
        lost = np.where(leaner, rng.uniform(*LOST_FAT, (2, 256)), 0.0).astype(np.float32)
        rows = 256 * right.ravel().astype(np.intp) + tissue.ravel()
        patterns = draw_patterns(self._bank, right.shape, rng)
        wanted = fat_fraction_map(rows, draw_replacement(fractions, rng), patterns)
        gain = float(np.exp(rng.normal(*FAT_GAIN_LOG)))
        return replace_by_fat(
            pair, wanted.reshape(right.shape), lost.ravel()[rows].reshape(right.shape), gain
        )


def replace_by_fat(pair: Float32, wanted: Float32, lost: Float32, gain: float) -> Float32:
    """Exchange water for fat where a higher fat fraction is wanted, and fat for water.

    Parameters
    ----------
    pair : ndarray of shape (2, x, y)
        Water and fat.
    wanted : ndarray of shape (x, y)
        Least fat fraction (0-1, of tissue) that each pixel is to have.
    lost : ndarray of shape (x, y)
        Share (0-1) of its fat that each pixel loses.
    gain : float
        Signal of pure fat relative to pure water in muscle.
    """
    water, fat = pair[0], pair[1] / gain
    water, fat = water + lost * fat, (1 - lost) * fat
    present = fat / np.maximum(water + fat, 1e-6)
    share = np.clip((wanted - present) / np.maximum(1 - present, 1e-6), 0, 1)
    changed: Float32 = np.stack([water * (1 - share), gain * (fat + share * water)])
    return changed.astype(np.float32)


def _nearest(classes: UInt8, positions: Float32) -> UInt8:
    return classes.ravel()[nearest_indices(positions, CANVAS_SHAPE)].reshape(positions.shape[1:])
