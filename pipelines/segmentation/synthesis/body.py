"""Wrap the muscles of a section in what surrounds them: fat, skin, pelvis, a hand."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.arrays import Bool, Float32, UInt8
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.tissues import BACKGROUND, FAT, LAST_CELL, SKIN

# Median subcutaneous layer of the thigh, mm, the spread of its logarithm, and its limits.
LAYER_MEDIAN_MM = 11.0
LAYER_LOG_SPREAD = 0.65
LAYER_LIMITS_MM = (2.0, 60.0)
# Standard deviation of the logarithm of the layer around one thigh: a medial pad of fat is often
# several times as thick as the lateral layer.
LAYER_RELIEF = (0.2, 0.65)
# The layer relative to mid-thigh at the lowest complete section (drawn from this range: there is
# often a pad of fat above the knee), at the highest one, and above.
LAYER_LEVELS = (0.0, 0.5, 1.0, 1.4)
LAYER_AT_KNEE = (0.5, 1.6)
LAYER_ABOVE = (1.0, 1.0, 1.5)
# Level above which the thighs merge into the pelvis.
MERGE_LEVELS = (0.85, 1.35)
# Radii of what may lie beside or between the thighs (hands, genitals), pixels.
APPENDAGE_RADII = (6.0, 20.0)


@dataclass(frozen=True)
class Wrapping:
    """How the thighs of one scan are wrapped.

    Attributes
    ----------
    layer : ndarray of shape (x, y)
        Subcutaneous layer at mid-thigh, mm, for the fascia nearest to each pixel.
    layer_at_knee : float
        Layer above the knee relative to mid-thigh.
    merge_level : float
        Level above which the body closes between the thighs.
    pelvis_margin : float
        Fat between the fascia and the contents of the pelvis, mm.
    skin_pixels : int
        Thickness of the skin.
    appendage : ndarray of bool, shape (x, y)
        A hand or the genitals.
    """

    layer: Float32
    layer_at_knee: float
    merge_level: float
    pelvis_margin: float
    skin_pixels: int
    appendage: Bool


def draw_wrapping(
    shape: tuple[int, int], appendage_chance: float, bank: NoiseBank, rng: np.random.Generator
) -> Wrapping:
    """Draw the wrapping of a scan of `shape` pixels."""
    thickness = np.exp(rng.normal(np.log(LAYER_MEDIAN_MM), LAYER_LOG_SPREAD))
    relief = rng.uniform(*LAYER_RELIEF) * bank.draw("warp", shape, rng)
    layer = np.clip(thickness, *LAYER_LIMITS_MM) * np.exp(relief)
    appendage = np.zeros(shape, np.bool_)
    if rng.random() < appendage_chance:
        x, y = np.ogrid[: shape[0], : shape[1]]
        radii = rng.uniform(*APPENDAGE_RADII, 2)
        place = rng.uniform(0, 1, 2) * shape
        appendage = ((x - place[0]) / radii[0]) ** 2 + ((y - place[1]) / radii[1]) ** 2 < 1
    return Wrapping(
        layer.astype(np.float32),
        rng.uniform(*LAYER_AT_KNEE),
        rng.uniform(*MERGE_LEVELS),
        rng.uniform(3, 15),
        int(rng.integers(1, 3)),
        appendage,
    )


def wrap_in_skin(
    sections: list[UInt8],
    pelvis: list[UInt8],
    depth: Float32,
    *,
    right: Bool,
    level: float,
    wrapping: Wrapping,
) -> list[UInt8]:
    """Wrap thin sections of one slice in fat and skin.

    `sections`, `pelvis` and `right` are (x, y); `depth` is (x, y), in mm.
    """
    share = np.interp(level, LAYER_LEVELS, (wrapping.layer_at_knee, *LAYER_ABOVE))
    body = depth > -wrapping.layer * share
    between = np.zeros_like(body)
    if level > wrapping.merge_level:
        filled = fill_rows(body)
        between = filled & ~body & (depth < -wrapping.pelvis_margin)
        body = filled
    body = ndimage.binary_opening(body, iterations=2)
    appendage = wrapping.appendage & ~body
    body |= appendage
    skin = body & ~ndimage.binary_erosion(body, iterations=wrapping.skin_pixels)
    if not between.any():
        # Two skins meet where the thighs touch.
        skin[:-1] |= (body & ~appendage)[:-1] & (right[:-1] != right[1:])
    wrapped = []
    for inner, outer in zip(sections, pelvis, strict=True):
        section = inner.copy()
        section[body & (section == BACKGROUND)] = FAT
        section[between] = outer[between]
        section[appendage] = LAST_CELL
        section[skin] = SKIN
        section[~body] = BACKGROUND
        wrapped.append(section)
    return wrapped


def fill_rows(body: Bool) -> Bool:
    """Fill each row of a body between its outermost pixels, as where two thighs have merged."""
    from_left = np.maximum.accumulate(body, axis=0)
    from_right = np.maximum.accumulate(body[::-1], axis=0)[::-1]
    filled: Bool = from_left & from_right
    return filled
