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
# Pads of fat under the skin, above the knee and under the buttock: how thick they are, the levels
# over which they fade, and the directions in which they bulge (degrees, in a leg whose lateral side
# is at 180; 270 is behind) with their half width.
PAD_MM = (6.0, 35.0)
PAD_HALF_LENGTH = (0.12, 0.35)
PAD_HALF_WIDTH_DEG = (30.0, 75.0)
KNEE_PAD_LEVELS = (-0.15, 0.25)
BUTTOCK_PAD_LEVELS = (0.7, 1.15)
BUTTOCK_PAD_DIRECTION_DEG = (200.0, 310.0)
# Level above which the thighs merge into the pelvis.
MERGE_LEVELS = (0.85, 1.35)
# Radii of what may lie beside or between the thighs (hands, genitals), pixels.
APPENDAGE_RADII = (6.0, 20.0)


@dataclass(frozen=True)
class Pad:
    """A pad of fat under the skin of both legs.

    Attributes
    ----------
    thickness : float
        Where it is thickest, mm.
    level, half_length : float
        Height along the leg of its middle, and how far it reaches from there.
    direction, half_width : float
        Where it lies around the leg, radians; a lateral pad is at pi in either leg.
    """

    thickness: float
    level: float
    half_length: float
    direction: float
    half_width: float


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
    pads : tuple of Pad
        Where the layer is thicker than elsewhere.
    """

    layer: Float32
    layer_at_knee: float
    merge_level: float
    pelvis_margin: float
    skin_pixels: int
    appendage: Bool
    pads: tuple[Pad, ...] = ()


def draw_wrapping(
    shape: tuple[int, int],
    bank: NoiseBank,
    rng: np.random.Generator,
    *,
    appendage_chance: float,
    pad_chance: float,
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
        _draw_pads(rng) if pad_chance > 0 and rng.random() < pad_chance else (),
    )


def _draw_pads(rng: np.random.Generator) -> tuple[Pad, ...]:
    """Draw a pad above the knee and one under the buttock."""
    places = (KNEE_PAD_LEVELS, (0.0, 360.0)), (BUTTOCK_PAD_LEVELS, BUTTOCK_PAD_DIRECTION_DEG)
    return tuple(
        Pad(
            rng.uniform(*PAD_MM),
            rng.uniform(*levels),
            rng.uniform(*PAD_HALF_LENGTH),
            np.deg2rad(rng.uniform(*directions)),
            np.deg2rad(rng.uniform(*PAD_HALF_WIDTH_DEG)),
        )
        for levels, directions in places
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
    body = depth > -wrapping.layer * share - pad_thickness(wrapping.pads, depth, right, level)
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


def pad_thickness(pads: tuple[Pad, ...], depth: Float32, right: Bool, level: float) -> Float32:
    """Return by how much (mm) pads widen the fat around each pixel of a section."""
    thickness = np.zeros(depth.shape, np.float32)
    x, y = np.ogrid[: depth.shape[0], : depth.shape[1]]
    near = [pad for pad in pads if abs(level - pad.level) < pad.half_length]
    for side, lateral in ((~right, 1), (right, -1)):
        inside = side & (depth > 0)
        if not near or not inside.any():
            continue
        center = [float(axis.mean()) for axis in np.nonzero(inside)]
        around = np.arctan2(y - center[1], lateral * (x - center[0]))
        for pad in near:
            away = np.abs(np.angle(np.exp(1j * (around - pad.direction)))) / pad.half_width
            height = 1 - abs(level - pad.level) / pad.half_length
            bump = pad.thickness * height * np.cos(np.pi / 2 * np.minimum(away, 1)) ** 2
            thickness[side] += bump[side].astype(np.float32)
    return thickness


def fill_rows(body: Bool) -> Bool:
    """Fill each row of a body between its outermost pixels, as where two thighs have merged."""
    from_left = np.maximum.accumulate(body, axis=0)
    from_right = np.maximum.accumulate(body[::-1], axis=0)[::-1]
    filled: Bool = from_left & from_right
    return filled
