"""Draw where each pixel of a new section comes from: pose, size and shape of the thighs."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Float64, Index
from pipelines.segmentation.synthesis.noise_bank import NoiseBank

# Width of the zone between the legs in which one leg's pose fades into the other's, pixels.
BLEND_PIXELS = 24.0
# Size (pixels) of places that swell or shrink, and by how much.
SWELLING_RADIUS = (6.0, 15.0)
SWELLING_GAIN = (-0.45, 0.7)


@dataclass(frozen=True)
class PoseRange:
    """Spread of the random poses.

    Attributes
    ----------
    scale : tuple of float
        Smallest and largest size relative to the source.
    aspect : float
        Standard deviation of the logarithm of the ratio of width to height.
    rotation_deg : float
        Standard deviation of each leg's rotation in the section.
    shift : float
        Standard deviation of the position, pixels.
    warp, ripple : float
        Amplitude of the slow and the fast elastic deformation, pixels.
    swellings : int
        Places in which the section swells or shrinks, as muscles do that hypertrophy or waste.
    """

    scale: tuple[float, float] = (0.72, 1.22)
    aspect: float = 0.08
    rotation_deg: float = 9.0
    shift: float = 7.0
    warp: float = 5.0
    ripple: float = 1.6
    swellings: int = 8


def draw_source_positions(
    shape: tuple[int, int],
    source_shape: tuple[int, int],
    midline: float,
    bank: NoiseBank,
    rng: np.random.Generator,
    *,
    pose: PoseRange,
) -> Float32:
    """Draw, for each pixel of a new section, its position in the source section.

    The result is (2, x, y).
    """
    x, y = np.meshgrid(
        np.arange(shape[0], dtype=np.float32) - (shape[0] - 1) / 2,
        np.arange(shape[1], dtype=np.float32) - (shape[1] - 1) / 2,
        indexing="ij",
    )
    x += rng.normal(0, pose.shift)
    y += rng.normal(0, pose.shift)
    size = rng.uniform(*pose.scale)
    separation = rng.normal(0, pose.shift)
    weight = np.clip(x / BLEND_PIXELS + 0.5, 0, 1)
    half_width = source_shape[0] / 4
    positions = np.zeros((2, *shape), np.float32)
    for side, share in ((-1, 1 - weight), (1, weight)):
        angle = np.deg2rad(rng.normal(0, pose.rotation_deg))
        aspect = np.exp(rng.normal(0, pose.aspect))
        stretch = np.array([aspect, 1 / aspect]) / (size * np.exp(rng.normal(0, 0.03)))
        dx, dy = x - side * (half_width * size + separation), y - rng.normal(0, pose.shift / 3)
        cos, sin = np.cos(angle), np.sin(angle)
        positions[0] += share * (side * half_width + stretch[0] * (cos * dx - sin * dy))
        positions[1] += share * (stretch[1] * (sin * dx + cos * dy))
    positions[0] += midline
    positions[1] += (source_shape[1] - 1) / 2
    for axis in range(2):
        positions[axis] += rng.uniform(0, pose.warp) * bank.draw("warp", shape, rng)
        positions[axis] += rng.uniform(0, pose.ripple) * bank.draw("ripple", shape, rng)
    for _ in range(pose.swellings):
        center = rng.uniform(0, 1, 2) * shape
        add_swelling(positions, center, rng.uniform(*SWELLING_RADIUS), rng.uniform(*SWELLING_GAIN))
    return positions


def add_swelling(
    positions: Float32,
    center: Float64,
    radius: float,
    gain: float,
) -> None:
    """Magnify the section around a place, in place; everything near it makes room.

    `positions` is (2, x, y); `center` is (2,).
    """
    reach = 3 * radius
    window = tuple(slice(max(int(c - reach), 0), max(int(c + reach) + 1, 0)) for c in center)
    x, y = (
        np.arange(n, dtype=np.float32)[w] - c
        for n, w, c in zip(positions.shape[1:], window, center, strict=True)
    )
    weight = gain * np.exp(-(x[:, None] ** 2 + y**2) / (2 * radius**2))
    # Displace along the local axes of the source, which legs may have turned and scaled.
    nearest = tuple(
        min(max(round(c), 1), n - 2) for c, n in zip(center, positions.shape[1:], strict=True)
    )
    along_x = (
        positions[:, nearest[0] + 1, nearest[1]] - positions[:, nearest[0] - 1, nearest[1]]
    ) / 2
    along_y = (
        positions[:, nearest[0], nearest[1] + 1] - positions[:, nearest[0], nearest[1] - 1]
    ) / 2
    for axis in range(2):
        positions[axis][window] += weight * (along_x[axis] * x[:, None] + along_y[axis] * y)


def nearest_indices(positions: Float32, source_shape: tuple[int, int]) -> Index:
    """Return flat indices of the source pixels nearest to some positions, clipped to the edge."""
    x = np.clip(np.rint(positions[0]), 0, source_shape[0] - 1).astype(np.intp)
    y = np.clip(np.rint(positions[1]), 0, source_shape[1] - 1).astype(np.intp)
    indices: Index = (x * source_shape[1] + y).ravel()
    return indices
