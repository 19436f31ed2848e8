"""Put the femur and the patella into a thigh whose muscles leave room for them."""

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from pipelines.arrays import Bool, Float32, Float64, UInt8
from pipelines.segmentation.synthesis.canvas import PIXEL_MM
from pipelines.segmentation.synthesis.tissues import BACKGROUND, CORTEX, MARROW

VASTUS_LATERALIS, VASTUS_INTERMEDIUS, VASTUS_MEDIALIS = 3, 4, 5

# Outer radius and cortical thickness of the femoral shaft and of its ends, mm: a shaft of 26-30 mm
# with a cortex of 5-8 mm, condyles about twice as wide under a thin shell.
SHAFT_RADIUS_MM = 14.0
SHAFT_CORTEX_MM = 6.0
END_RADIUS_MM = 30.0
END_CORTEX_MM = 1.5
# The shaft widens to the condyles over about this length.
FLARE_MM = 70.0
# The condyles lie this far in front of the middle of the knee.
CONDYLE_OFFSET_MM = 6.0


def add_femur(
    tissue: UInt8,
    leg: UInt8,
    heights: Float64,
    grid: Float64,
    *,
    level: Float64,
    centers: Float64,
    depth: Float32,
    rng: np.random.Generator,
) -> UInt8:
    """Put the femur into the hole that vastus intermedius leaves around it."""
    found = {
        float(heights[z]): place
        for z in range(leg.shape[2])
        if (place := _femoral_hole(leg[:, :, z])) is not None
    }
    if not found:
        return tissue
    known = np.array(sorted(found))
    places = np.array([found[h] for h in known])
    axis = _fit_axis(known, places[:, :2], grid)
    knee = grid[int(np.argmin(np.abs(level + rng.uniform(0.0, 0.2))))]
    flare = np.clip((knee + FLARE_MM - grid) / FLARE_MM, 0, 1.2)
    # The condyles lie in the middle of the knee, in front of the hollow.
    towards = np.clip((known[0] + 20 - grid) / FLARE_MM, 0, 1)[:, None]
    axis += 0.8 * towards * (centers + np.array([0, CONDYLE_OFFSET_MM / PIXEL_MM]) - axis)
    hip = np.clip((grid - (known[-1] - 20)) / 60, 0, 1)
    size = np.clip(np.median(places[:, 2]) * PIXEL_MM / SHAFT_RADIUS_MM, 0.85, 1.15)
    widening = np.maximum(flare**1.5, 0.5 * hip)
    radius = size * (SHAFT_RADIUS_MM + (END_RADIUS_MM - SHAFT_RADIUS_MM) * widening)
    cortex = SHAFT_CORTEX_MM * rng.uniform(0.7, 1.2) * (1 - widening).clip(0) + END_CORTEX_MM
    x, y = np.meshgrid(np.arange(leg.shape[0]), np.arange(leg.shape[1]), indexing="ij")
    for k in range(grid.size):
        aspect = 1 + 0.25 * min(flare[k], 1)
        distance = PIXEL_MM * np.hypot((x - axis[k, 0]) / aspect, y - axis[k, 1])
        section = tissue[:, :, k]
        free = (section == BACKGROUND) & (depth[:, :, k] > 1)
        # Labelled muscle next to the bone wins: the bone is what the muscles leave free.
        section[free & (distance < radius[k])] = CORTEX
        section[free & (distance < radius[k] - cortex[k])] = MARROW
        if level[k] < 0:
            _add_patella(section, axis[k], radius[k], free)
    return tissue


def _add_patella(
    section: UInt8,
    femur: Float64,
    radius: float,
    free: Bool,
) -> None:
    """Put the patella in front of the condyles, where the section is not a muscle."""
    x, y = np.ogrid[: section.shape[0], : section.shape[1]]
    front = femur[1] + (radius + 12) / PIXEL_MM
    distance = PIXEL_MM * np.hypot((x - femur[0]) / 1.7, y - front)
    section[free & (distance < 12) & (section == BACKGROUND)] = CORTEX
    section[free & (distance < 10) & (section == CORTEX)] = MARROW


def _femoral_hole(section: UInt8) -> tuple[float, float, float] | None:
    """Return centre and radius (pixels) of the hole inside vastus intermedius, if there is one."""
    if (section == VASTUS_INTERMEDIUS).sum() < 60:
        return None
    hull = convex_hull_image(
        np.isin(section, (VASTUS_LATERALIS, VASTUS_INTERMEDIUS, VASTUS_MEDIALIS))
    )
    near = ndimage.distance_transform_edt(section != VASTUS_INTERMEDIUS) * PIXEL_MM < 25
    hole = ndimage.distance_transform_edt(section == 0) * (hull & near & (section == 0))
    radius = float(hole.max())
    if radius * PIXEL_MM < 6:
        return None
    x, y = np.unravel_index(int(hole.argmax()), hole.shape)
    return float(x), float(y), radius


def _fit_axis(
    known: Float64,
    places: Float64,
    grid: Float64,
) -> Float64:
    """Fit the bowed axis of the femur and carry it on straight beyond the known heights."""
    degree = min(2, known.size - 1)
    inside = np.clip(grid, known[0], known[-1])
    axis = np.empty((grid.size, 2))
    for column in range(2):
        fit = np.polynomial.Polynomial.fit(known, places[:, column], degree)
        axis[:, column] = fit(inside) + 0.5 * fit.deriv()(inside) * (grid - inside)
    return axis
