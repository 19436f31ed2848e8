"""Fill what the labels leave free with unlabelled muscles, fat and the contents of the pelvis."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from pipelines.arrays import Float32, Float64, UInt8
from pipelines.segmentation.synthesis.canvas import PIXEL_MM, SECTION_MM
from pipelines.segmentation.synthesis.tissues import (
    BACKGROUND,
    FAT,
    FIRST_CELL,
    LAST_CELL,
    MARROW,
)

# A gap narrower than this between labelled muscles holds fat, not another muscle.
NARROWEST_NEIGHBOUR_MM = 7.0
# Distance between the centres of neighbouring unlabelled muscles, in the section and along the leg.
CELL_SPACING_MM = (22.0, 48.0)
CELL_LENGTH_MM = 140.0
# Fat between two unlabelled muscles.
CELL_GAP_MM = (0.3, 2.6)
# Cell borders are bent by waves of this amplitude and length; muscles have no straight edges.
WAVE_AMPLITUDE_MM = (2.0, 9.0)
WAVE_LENGTH_MM = (40.0, 100.0)
# Chance that free space is muscle, by level: heads of gastrocnemius below the knee, fat in its
# hollow, adductors, pectineus and glutei above mid-thigh.
MUSCLE_LEVELS = (-0.3, -0.15, 0.0, 0.3, 0.6, 0.8)
MUSCLE_CHANCES = (0.6, 0.4, 0.15, 0.2, 0.8, 0.9)
# Below the knee's hollow only the back of the leg holds muscle.
ANTERIOR_CHANCE = 0.1
# Share of the pelvic cells that are muscle or organ, and bone; the rest is fat.
PELVIC_MUSCLE_SHARE = 0.5
PELVIC_BONE_SHARE = 0.1


def add_neighbours(
    tissue: UInt8,
    depth: Float32,
    centers: Float64,
    level: Float64,
    rng: np.random.Generator,
) -> UInt8:
    """Fill what is free inside the fascia with unlabelled muscles and fat.

    The free space is cut into long cells around random seeds; each becomes a muscle or fat, by
    chances that follow the anatomy: adductors, pectineus and glutei make the upper thigh mostly
    muscle, the hollow of the knee is mostly fat with the heads of gastrocnemius below it.
    """
    seeds, spacing = _cell_seeds(depth.shape, rng)
    seed_level = np.interp(seeds[:, 2] / spacing[2], np.arange(level.size), level)
    posterior = seeds[:, 1] / spacing[1] < np.interp(
        seeds[:, 2] / spacing[2], np.arange(level.size), centers[:, 1]
    )
    chance = np.interp(seed_level, MUSCLE_LEVELS, MUSCLE_CHANCES)
    chance = np.where((seed_level < 0) & ~posterior, ANTERIOR_CHANCE, chance)
    is_muscle = rng.random(seeds.shape[0]) < chance
    numbers = FIRST_CELL + 1 + rng.permutation(seeds.shape[0]) % (LAST_CELL - FIRST_CELL)
    cells = np.where(is_muscle, numbers, FAT).astype(np.uint8)
    tree = cKDTree(seeds)
    gap = rng.uniform(*CELL_GAP_MM)
    bend = _draw_bend(rng)
    reach = NARROWEST_NEIGHBOUR_MM / 2 / PIXEL_MM
    for k in range(tissue.shape[2]):
        section = tissue[:, :, k]
        free = (section == BACKGROUND) & (depth[:, :, k] > 0)
        core = ndimage.distance_transform_edt(free) > reach
        wide = free & (ndimage.distance_transform_edt(~core) < reach + 0.5)
        section[free] = FAT
        points = np.argwhere(wide)
        if points.size == 0:
            continue
        query = np.column_stack([points, np.full(len(points), k)]) * spacing
        distance, nearest = (np.asarray(found) for found in tree.query(bend(query), k=2))
        inside = distance[:, 1] - distance[:, 0] > gap
        section[tuple(points[inside].T)] = cells[nearest[inside, 0]]
    return tissue


def _cell_seeds(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Float64, Float64]:
    """Return random seeds in a space in which cells are as long as they are wide."""
    width = rng.uniform(*CELL_SPACING_MM)
    spacing = np.array([PIXEL_MM, PIXEL_MM, SECTION_MM * width / CELL_LENGTH_MM])
    extent = np.array(shape) * spacing
    count = int(np.prod(extent / width)) + 8
    return rng.uniform(0, extent, (count, 3)), spacing


def _draw_bend(
    rng: np.random.Generator,
) -> Callable[[Float64], Float64]:
    """Return a function that moves points (mm, last axis x, y, z) along random waves."""
    amplitude = rng.uniform(*WAVE_AMPLITUDE_MM, 2)
    directions = rng.normal(size=(3, 2))
    directions *= 2 * np.pi / rng.uniform(*WAVE_LENGTH_MM, 2) / np.linalg.norm(directions, axis=0)
    phase = rng.uniform(0, 2 * np.pi, 2)

    def bend(points: Float64) -> Float64:
        bent = points.copy()
        bent[..., :2] += amplitude * np.sin(points @ directions + phase)
        return bent

    return bend


def pelvis_cells(shape: tuple[int, ...], rng: np.random.Generator) -> UInt8:
    """Fill a canvas with cells of pelvic muscle, bone, organs and fat."""
    seeds, spacing = _cell_seeds(shape, rng)
    numbers = FIRST_CELL + rng.permutation(seeds.shape[0]) % (LAST_CELL - FIRST_CELL)
    kind = rng.random(seeds.shape[0])
    bone = kind > 1 - PELVIC_BONE_SHARE
    cells = np.where(kind < PELVIC_MUSCLE_SHARE, numbers, np.where(bone, MARROW, FAT))
    tree = cKDTree(seeds)
    # Pelvic contents need no fine outline: every third pixel and section is enough.
    coarse = np.stack(
        np.meshgrid(*(np.arange(0, size, 3) for size in shape), indexing="ij"), axis=-1
    )
    points = _draw_bend(rng)(coarse * spacing)
    distance, nearest = (np.asarray(found) for found in tree.query(points, k=2))
    inside = distance[..., 1] - distance[..., 0] > rng.uniform(*CELL_GAP_MM)
    pelvis = np.where(inside, cells[nearest[..., 0]], FAT)
    fine = pelvis.astype(np.uint8).repeat(3, axis=0).repeat(3, axis=1).repeat(3, axis=2)
    return fine[tuple(slice(size) for size in shape)]
