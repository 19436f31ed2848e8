"""Draw complete training samples: a normalized slice and the class of every pixel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pipelines.arrays import Bool, Float32, UInt8
from pipelines.segmentation.channels import normalize_dixon
from pipelines.segmentation.synthesis.anatomy import Thigh
from pipelines.segmentation.synthesis.body import Wrapping, draw_wrapping, wrap_in_skin
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE, SECTION_MM
from pipelines.segmentation.synthesis.deformation import (
    PoseRange,
    draw_source_positions,
    nearest_indices,
)
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.scanner import ScannerRange, scan
from pipelines.segmentation.synthesis.selective_growth import Growth, draw_growth, grow
from pipelines.segmentation.synthesis.signals import (
    Look,
    add_vessels,
    draw_look,
    paint,
    shrink_muscle,
)
from pipelines.segmentation.synthesis.tissues import (
    CLASS_NAMES,
    FAT,
    FATTY_RIM,
    MUSCLES,
    class_of_tissue,
)

Contrast = Literal["dixon", "water", "fat", "in_phase", "opposed_phase", "t1"]
SINGLE_CONTRASTS: tuple[Contrast, ...] = ("water", "fat", "in_phase", "opposed_phase", "t1")


# Slice thicknesses of muscle protocols, mm; each is drawn equally often.
THICKNESSES_MM = (3.0, 5.0, 8.0, 12.0, 16.0, 20.0, 26.0)
# Hips and buttocks hold many muscles like those of the thigh, and few label maps reach them.
PROXIMAL_LEVEL = 0.95
# Depth to which a wasting muscle gives way to fat.
ATROPHY_PIXELS = (1.0, 4.0)
# Chance that the fat that takes a wasting muscle's room is inside its outline. Outlines follow the
# fascia where they can, so the label maps of patients rarely show muscles as small as what is
# left of them.
RIM_INSIDE_CHANCE = 0.6
# How far a rectus femoris wastes inside its own fascia, whose outline readers go on drawing.
HOLLOW_PIXELS = (4.0, 9.0)
RECTUS_FEMORIS = CLASS_NAMES.index("rectus_femoris")
# Smallest share of the width that a cut field of view keeps.
LEAST_FIELD = 0.4


@dataclass(frozen=True)
class SamplerRange:
    """What the samples look like and how often.

    Attributes
    ----------
    shape : tuple of int
        Pixels of a sample along left-right and posterior-anterior.
    native, proximal : float
        Chances that a section lies on a slice of the label map, and that it lies above
        :data:`PROXIMAL_LEVEL`; else it lies anywhere.
    single_leg, cut_field, missing_channel, atrophy, growth, appendage : float
        Chances of a field of view with one leg, of a narrow field of view, of a single-contrast
        image, of muscles shrunk inside their compartments, of muscles that swell or waste beside
        their neighbours, of genitals or a hand in the picture.
    hollow, pads, replaced : float
        Chances of a rectus femoris that wastes deep inside its outline, of pads of fat above the
        knee and under the buttock, of muscles that are mostly fat. None by default, so that the
        scans on which models are measured stay the same; :data:`TRAINING_RANGES` has them.
    pose, scanner
        Spread of the poses and of the imperfections.
    """

    shape: tuple[int, int] = (256, 160)
    native: float = 0.6
    proximal: float = 0.2
    single_leg: float = 0.12
    cut_field: float = 0.06
    missing_channel: float = 0.12
    atrophy: float = 0.4
    growth: float = 0.5
    appendage: float = 0.15
    hollow: float = 0.0
    pads: float = 0.0
    replaced: float = 0.0
    pose: PoseRange = field(default_factory=PoseRange)
    scanner: ScannerRange = field(default_factory=ScannerRange)


TRAINING_RANGES = SamplerRange(hollow=0.15, pads=0.5, replaced=0.25)


@dataclass(frozen=True)
class Scene:
    """What all slices of one synthetic scan share.

    Attributes
    ----------
    thigh : Thigh
        Anatomy.
    positions : ndarray of float32, shape (2, x, y)
        Source position of each pixel.
    right, visible : ndarray of bool, shape (x, y)
        Pixels of the right leg; pixels inside the field of view.
    look, wrapping
        Appearance; fat and skin.
    atrophy : dict of int to float
        Pixels by which muscles shrink inside their compartments.
    rim_inside : bool
        Whether the outline of such a muscle is that of its compartment.
    hollow : float
        Pixels by which rectus femoris shrinks inside its outline.
    growth : list of Growth
        Muscles that swell or waste and push or draw their neighbours.
    half_sections : int
        Thin sections above and below the middle one that make a slice.
    contrast : str
        Images the site has.
    fat_weight : float
        Brightness of fat in a T1-like image.
    flipped : bool
        Left and right exchanged.
    """

    thigh: Thigh
    positions: Float32
    right: Bool
    visible: Bool
    look: Look
    wrapping: Wrapping
    atrophy: dict[int, float]
    rim_inside: bool
    hollow: float
    growth: list[Growth]
    half_sections: int
    contrast: Contrast
    fat_weight: float
    flipped: bool


@dataclass(frozen=True)
class Sample:
    """One training sample.

    Attributes
    ----------
    image : ndarray of float32, shape (2, x, y)
        Normalized water and fat.
    classes : ndarray of uint8, shape (x, y)
        Class of each pixel (:data:`~pipelines.segmentation.synthesis.tissues.CLASS_NAMES`).
    """

    image: Float32
    classes: UInt8


class Sampler:
    """Draws samples from completed thighs.

    Parameters
    ----------
    thighs : sequence of Thigh
        Anatomies to draw from, each equally often.
    bank : NoiseBank
        Textures.
    seed : int or sequence of int
        Seed of the samples: the same seed gives the same sequence.
    ranges : SamplerRange, optional
        What to draw.
    """

    def __init__(
        self,
        thighs: Sequence[Thigh],
        bank: NoiseBank,
        seed: int | Sequence[int],
        ranges: SamplerRange | None = None,
    ) -> None:
        self._thighs = list(thighs)
        self._bank = bank
        self._rng = np.random.default_rng(seed)
        self._ranges = ranges or SamplerRange()
        self._class_of = class_of_tissue()

    def draw(self) -> Sample:
        """Draw a slice of a new scan."""
        thigh = self._thighs[self._rng.integers(len(self._thighs))]
        scene = self.draw_scene(thigh)
        return self.draw_slice(scene, self._draw_section(thigh))

    def draw_scene(self, thigh: Thigh) -> Scene:
        """Draw what the slices of one scan of a thigh share."""
        rng, ranges, shape = self._rng, self._ranges, self._ranges.shape
        positions = draw_source_positions(
            shape, CANVAS_SHAPE, thigh.midline, self._bank, rng, pose=ranges.pose
        )
        right = positions[0] > thigh.midline
        shrunk = rng.choice(MUSCLES, rng.integers(1, 5), replace=False)
        single = rng.random() < ranges.missing_channel
        growth = draw_growth(rng) if rng.random() < ranges.growth else []
        return Scene(
            thigh=thigh,
            positions=positions,
            right=right,
            visible=draw_field_of_view(right, ranges, rng),
            look=draw_look(rng, growth, ranges.replaced),
            wrapping=draw_wrapping(
                shape,
                self._bank,
                rng,
                appendage_chance=ranges.appendage,
                pad_chance=ranges.pads,
            ),
            atrophy={int(value): rng.uniform(*ATROPHY_PIXELS) for value in shrunk}
            if rng.random() < ranges.atrophy
            else {},
            rim_inside=bool(rng.random() < RIM_INSIDE_CHANCE),
            hollow=rng.uniform(*HOLLOW_PIXELS)
            if ranges.hollow > 0 and rng.random() < ranges.hollow
            else 0.0,
            growth=growth,
            half_sections=int(rng.choice(THICKNESSES_MM) / SECTION_MM / 2 + rng.random()),
            contrast=SINGLE_CONTRASTS[rng.integers(len(SINGLE_CONTRASTS))] if single else "dixon",
            fat_weight=rng.uniform(1.5, 4.0),
            flipped=bool(rng.random() < 0.5),
        )

    def draw_slice(self, scene: Scene, section: int) -> Sample:
        """Draw the slice of a scan whose middle is a section of its thigh."""
        rng, shape = self._rng, self._ranges.shape
        last = scene.thigh.tissue.shape[2] - 1
        through = range(section - scene.half_sections, section + scene.half_sections + 1)
        numbers = [min(max(number, 0), last) for number in through]
        indices = nearest_indices(scene.positions, CANVAS_SHAPE)
        if scene.growth:
            ungrown = scene.thigh.tissue[:, :, section].ravel()[indices].reshape(shape)
            positions = grow(scene.positions, ungrown, scene.right, scene.growth)
            indices = nearest_indices(positions, CANVAS_SHAPE)
        tissue, pelvis = (
            [stack[:, :, number].ravel()[indices].reshape(shape) for number in numbers]
            for stack in (scene.thigh.tissue, scene.thigh.pelvis)
        )
        depth = scene.thigh.depth[:, :, section].ravel()[indices].reshape(shape).astype(np.float32)
        level = float(scene.thigh.level[section])
        sections = wrap_in_skin(
            tissue, pelvis, depth, right=scene.right, level=level, wrapping=scene.wrapping
        )
        sections = add_vessels(sections, depth, rng)
        outlined = sections
        filling = FATTY_RIM if scene.rim_inside else FAT
        for value, pixels in scene.atrophy.items():
            sections = [shrink_muscle(thin, value, pixels, filling) for thin in sections]
        if not scene.rim_inside:
            outlined = sections
        if scene.hollow:
            sections = [
                shrink_muscle(thin, RECTUS_FEMORIS, scene.hollow, FATTY_RIM) for thin in sections
            ]
        pair = paint(sections, scene.right, scene.look, self._bank, rng) * scene.visible
        classes = np.where(scene.visible, self._class_of[majority(outlined)], 0).astype(np.uint8)
        scanned = scan(pair, self._bank, rng, self._ranges.scanner)
        image = make_contrast(scanned, scene.contrast, scene.fat_weight)
        if scene.flipped:
            image, classes = image[:, ::-1], classes[::-1]
        return Sample(np.ascontiguousarray(image), np.ascontiguousarray(classes))

    def _draw_section(self, thigh: Thigh) -> int:
        choice = self._rng.random() - self._ranges.native
        if choice < 0:
            return int(self._rng.choice(np.flatnonzero(thigh.native)))
        if choice < self._ranges.proximal:
            return int(self._rng.choice(np.flatnonzero(thigh.level >= PROXIMAL_LEVEL)))
        return int(self._rng.integers(thigh.tissue.shape[2]))


def draw_field_of_view(right: Bool, ranges: SamplerRange, rng: np.random.Generator) -> Bool:
    """Draw which pixels the scanner sees: mostly all, sometimes one leg or a narrow field."""
    visible = np.ones(right.shape, np.bool_)
    if rng.random() < ranges.single_leg:
        visible &= right == (rng.random() < 0.5)
    if rng.random() < ranges.cut_field:
        width = rng.uniform(LEAST_FIELD, 1.0)
        start = rng.uniform(0, 1 - width)
        columns = np.arange(right.shape[0]) / right.shape[0]
        visible &= ((columns >= start) & (columns < start + width))[:, None]
    return visible


def majority(sections: list[UInt8]) -> UInt8:
    """Return the tissue that most of the sections show in each pixel, the middle one on a tie."""
    middle = len(sections) // 2
    order = [middle, *(i for i in range(len(sections)) if i != middle)]
    best = sections[middle].copy()
    most = np.zeros(best.shape, np.uint8)
    for index in order:
        votes = np.zeros(best.shape, np.uint8)
        for section in sections:
            votes += section == sections[index]
        wins = votes > most
        best[wins], most[wins] = sections[index][wins], votes[wins]
    return best


def make_contrast(pair: Float32, contrast: Contrast, fat_weight: float = 2.0) -> Float32:
    """Return the normalized channels a site with this contrast would feed to the model.

    `pair` and the result are (2, x, y).
    """
    water, fat = pair[..., None]
    if contrast == "dixon":
        return normalize_dixon(water, fat)[..., 0]
    if contrast == "fat":
        return normalize_dixon(None, fat)[..., 0]
    image = {
        "water": water,
        "in_phase": water + fat,
        "opposed_phase": np.abs(water - fat),
        "t1": water + fat_weight * fat,
    }[contrast]
    return normalize_dixon(image, None)[..., 0]
