"""Estimate the fascia lata: the envelope of all muscles of a thigh, labelled or not."""

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from pipelines.arrays import Float32, Float64, Index, UInt8
from pipelines.segmentation.synthesis.canvas import PIXEL_MM
from pipelines.segmentation.synthesis.label_cleaning import signed_distance

QUADRICEPS = (2, 3, 4, 5)
HAMSTRINGS = (8, 9, 10)
# Least labelled area of both for a slice that is labelled all round, pixels.
LEAST_QUADRICEPS = 300
LEAST_HAMSTRINGS = 150
# Smallest labelled area whose hull means anything, pixels.
LEAST_HULL = 20
# Distance from the muscles to the fascia.
MARGIN_MM = (0.5, 3.0)
# Millimetres by which the envelope widens per millimetre beyond the complete slices.
GROWTH_TO_HIP = (0.0, 0.12)
GROWTH_TO_KNEE = (-0.16, -0.05)
# Thickness of the buttock, the level at which it begins and the level over which it grows, and the
# direction in which it bulges (degrees; 180 is lateral, 270 is behind).
BUTTOCK_MM = (12.0, 35.0)
BUTTOCK_START = (0.55, 0.9)
BUTTOCK_GROWTH = 0.35
BUTTOCK_DIRECTION_DEG = (200.0, 265.0)


def complete_slices(leg: UInt8) -> Index:
    """Return the slices in which the thigh is labelled all round."""
    present = [
        z
        for z in range(leg.shape[2])
        if np.isin(leg[:, :, z], QUADRICEPS).sum() > LEAST_QUADRICEPS
        and np.isin(leg[:, :, z], HAMSTRINGS).sum() > LEAST_HAMSTRINGS
    ]
    if not present:
        present = [int(np.argmax((leg > 0).sum(axis=(0, 1))))]
    return np.array(present)


def fascia(
    leg: UInt8,
    complete: Index,
    heights: Float64,
    grid: Float64,
    rng: np.random.Generator,
) -> dict[float, Float32]:
    """Return the signed distance (mm) to the fascia lata at some heights.

    In complete slices it is the convex hull of the muscles. Beyond them the last complete hull is
    carried on, widening towards the hip and narrowing towards the knee, and moved with the
    muscles that are still labelled.
    """
    margin = rng.uniform(*MARGIN_MM)
    hulls = {
        z: signed_distance(convex_hull_image(leg[:, :, z] > 0)) * PIXEL_MM + margin
        for z in range(leg.shape[2])
        if (leg[:, :, z] > 0).sum() > LEAST_HULL
    }
    envelope: dict[float, Float32] = {float(heights[z]): hulls[z] for z in complete}
    for edge, sign in ((complete[-1], 1), (complete[0], -1)):
        growth = rng.uniform(*(GROWTH_TO_HIP if sign > 0 else GROWTH_TO_KNEE))
        shift = np.zeros(2)
        beyond = [float(h) for h in heights if sign * (h - heights[edge]) > 0]
        ends = [grid[-1] if sign > 0 else grid[0]]
        for height in sorted([*beyond, *ends], key=lambda h: sign * h):
            index = np.flatnonzero(heights == height)
            if index.size and int(index[0]) in hulls:
                shift = _shift_between(leg[:, :, edge], leg[:, :, index[0]], shift)
            carried = ndimage.shift(hulls[edge], shift, order=1, mode="nearest")
            carried += growth * abs(height - heights[edge])
            if index.size and int(index[0]) in hulls:
                carried = np.maximum(carried, hulls[int(index[0])])
            envelope[height] = carried
    return {h: ndimage.gaussian_filter(f, 2.0) for h, f in sorted(envelope.items())}


def _shift_between(here: UInt8, there: UInt8, fallback: Float64) -> Float64:
    """Return the mean motion (pixels) of the muscles that both slices show."""
    moves, weights = [], []
    for value in np.intersect1d(here[here > 0], there[there > 0]):
        a, b = here == value, there == value
        moves.append(np.subtract(ndimage.center_of_mass(b), ndimage.center_of_mass(a)))
        weights.append(min(a.sum(), b.sum()))
    if not moves:
        return fallback
    # Muscles cross inside their envelope, which itself moves about half as far.
    move: Float64 = 0.5 * np.average(moves, axis=0, weights=weights)
    return move


def limb_centers(depth: Float32) -> Float64:
    """Return the centre of the limb in each section, pixels."""
    centers = [ndimage.center_of_mass(depth[:, :, k] > 0) for k in range(depth.shape[2])]
    return np.array(centers)


def gluteal_bulge(
    shape: tuple[int, ...],
    centers: Float64,
    level: Float64,
    rng: np.random.Generator,
) -> Float32:
    """Return how far (mm) the buttock pushes the fascia outwards behind the upper thigh."""
    thickness = rng.uniform(*BUTTOCK_MM)
    start = rng.uniform(*BUTTOCK_START)
    direction = np.deg2rad(rng.uniform(*BUTTOCK_DIRECTION_DEG))
    x, y = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    bulge = np.zeros(shape, np.float32)
    for k, height in enumerate(level):
        strength = thickness * np.clip((height - start) / BUTTOCK_GROWTH, 0, 1)
        if strength > 0:
            angle = np.arctan2(y - centers[k, 1], x - centers[k, 0])
            bulge[:, :, k] = strength * np.clip(np.cos(angle - direction), 0, 1)
    return bulge
