"""Complete a label map of eleven thigh muscles to a whole thigh.

A label map ends where the labels end, but an image goes on: a femur inside the vasti, adductors,
glutei and calf heads beside and beyond the labelled muscles, a fascia around them. This module
estimates those from the labels, because a model that has never seen an unlabelled muscle takes
every muscle for one of its own.

A completed thigh is a stack of sections on one common canvas (``CANVAS_SHAPE`` pixels of
``PIXEL_MM``) every ``SECTION_MM`` along the leg, finer than the slices of the map; the
sections between two slices come from shape-based interpolation (Raya and Udupa, IEEE Trans Med
Imaging 1990;9:32-42).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.arrays import Array, Bool, Float32, Float64, UInt8
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE, SECTION_MM, to_canvas
from pipelines.segmentation.synthesis.fascia import (
    complete_slices,
    fascia,
    gluteal_bulge,
    limb_centers,
)
from pipelines.segmentation.synthesis.femur import add_femur
from pipelines.segmentation.synthesis.label_cleaning import leg_midline, signed_distance
from pipelines.segmentation.synthesis.neighbours import add_neighbours, pelvis_cells
from pipelines.segmentation.synthesis.tissues import FAT, FIRST_CELL

# Distance (pixels) outside an outline that stands for "ends here": a muscle that is in one slice
# and not in the next tapers to nothing half-way.
ENDED = -8.0


# An image goes on beyond the labels by about three thick slices.
EXTENSION_MM = 72.0
# Chance that the buttock is one muscle (gluteus maximus) rather than several bellies.
ONE_BUTTOCK_MUSCLE = 0.6


@dataclass(frozen=True)
class Thigh:
    """A completed pair of thighs.

    Attributes
    ----------
    tissue : ndarray of uint8, shape (x, y, sections)
        Tissue numbers (:mod:`~pipelines.segmentation.synthesis.tissues`) inside the fascia, 0
        outside.
    pelvis : ndarray of uint8, shape (x, y, sections)
        What lies outside the fasciae where the legs have merged into the pelvis.
    depth : ndarray of float16, shape (x, y, sections)
        Distance to the fascia, mm, positive inside.
    level : ndarray of float, shape (sections,)
        Height along the leg: 0 at the lowest and 1 at the highest complete section.
    midline : float
        Position between the legs along axis 0, pixels.
    native : ndarray of bool, shape (sections,)
        Sections that coincide with a slice of the label map (half a section at most away).
    """

    tissue: UInt8
    pelvis: UInt8
    depth: npt.NDArray[np.float16]
    level: Float64
    midline: float
    native: Bool


def complete_thigh(
    labels: UInt8, spacing: tuple[float, float, float], rng: np.random.Generator
) -> Thigh:
    """Complete a cleaned label map to a whole pair of thighs.

    Parameters
    ----------
    labels : ndarray of shape (x, y, z)
        Cleaned canonical label map, 1-11.
    spacing : tuple of float
        Voxel size, mm.
    rng : numpy.random.Generator
        Draws what the labels do not tell (unlabelled muscles).
    """
    labels = labels[:, :, _labelled_range(labels)]
    canvas = to_canvas(labels, spacing)
    midline = leg_midline(canvas)
    heights = np.arange(canvas.shape[2], dtype=np.float64) * spacing[2]
    grid: Float64 = np.arange(-EXTENSION_MM, heights[-1] + EXTENSION_MM + SECTION_MM, SECTION_MM)
    shape = (*CANVAS_SHAPE, grid.size)
    tissue, depth = np.zeros(shape, np.uint8), np.full(shape, -200, np.float32)
    levels = []
    for side in (0, 1):
        columns = slice(0, round(midline)) if side == 0 else slice(round(midline), CANVAS_SHAPE[0])
        leg = np.zeros_like(canvas)
        leg[columns] = canvas[columns]
        if not leg.any():
            continue
        flip = slice(None, None, -1) if side else slice(None)
        leg_tissue, leg_depth, level = _complete_leg(leg[flip], heights, grid, rng)
        leg_tissue, leg_depth = leg_tissue[flip], leg_depth[flip]
        deeper = leg_depth > depth
        tissue[deeper], depth[deeper] = leg_tissue[deeper], leg_depth[deeper]
        levels.append(level)
    pelvis = pelvis_cells(shape, rng)
    native = np.abs(grid[:, None] - heights[None]).min(axis=1) <= SECTION_MM / 2
    return Thigh(
        _sections_together(tissue),
        _sections_together(pelvis),
        _sections_together(depth.astype(np.float16)),
        np.mean(levels, axis=0),
        midline,
        native,
    )


def _sections_together(stack: Array) -> Array:
    """Return the same stack with each section contiguous in memory, which is how it is read."""
    return np.ascontiguousarray(stack.transpose(2, 0, 1)).transpose(1, 2, 0)


def _labelled_range(labels: UInt8) -> slice:
    present = np.flatnonzero(labels.any(axis=(0, 1)))
    return slice(present[0], present[-1] + 1)


def _complete_leg(
    leg: UInt8,
    heights: Float64,
    grid: Float64,
    rng: np.random.Generator,
) -> tuple[UInt8, Float32, Float64]:
    """Complete one leg whose lateral side has the low index of axis 0."""
    complete = complete_slices(leg)
    level = (grid - heights[complete[0]]) / max(
        heights[complete[-1]] - heights[complete[0]], SECTION_MM
    )
    depth = _interpolate(fascia(leg, complete, heights, grid, rng), grid)
    tissue = _interpolate_labels(leg, heights, grid)
    centers = limb_centers(depth)
    bulge = gluteal_bulge(depth.shape, centers, level, rng)
    buttock = (depth <= 0) & (depth + bulge > 0)
    depth += bulge
    tissue = add_femur(
        tissue, leg, heights, grid, level=level, centers=centers, depth=depth, rng=rng
    )
    tissue = add_neighbours(tissue, depth, centers, level, rng)
    if rng.random() < ONE_BUTTOCK_MUSCLE:
        tissue[buttock & (tissue >= FAT)] = FIRST_CELL
    return tissue, depth, level


def _interpolate(fields: dict[float, Float32], grid: Float64) -> Float32:
    """Interpolate fields known at some heights linearly to the heights of the grid."""
    known = np.array(sorted(fields))
    stack = np.empty((*next(iter(fields.values())).shape, grid.size), np.float32)
    for k, height in enumerate(np.clip(grid, known[0], known[-1])):
        high = min(int(np.searchsorted(known, height)), known.size - 1)
        low = max(high - 1, 0)
        gap = known[high] - known[low]
        weight = (height - known[low]) / gap if gap > 0 else 0.0
        stack[:, :, k] = (1 - weight) * fields[known[low]] + weight * fields[known[high]]
    return stack


def _interpolate_labels(leg: UInt8, heights: Float64, grid: Float64) -> UInt8:
    """Interpolate a label map along the leg by the signed distances of its muscles.

    A muscle that ends between two slices tapers to nothing half-way.
    """
    tissue = np.zeros((*leg.shape[:2], grid.size), np.uint8)
    best = np.zeros(tissue.shape, np.float32)
    step = float(np.diff(heights).mean()) if heights.size > 1 else SECTION_MM
    for value in np.unique(leg[leg > 0]):
        mask = leg == value
        window = _bounding_window(mask.any(axis=2), margin=8)
        mask = mask[window]
        sections = {
            float(h): signed_distance(mask[:, :, z])
            for z, h in enumerate(heights)
            if mask[:, :, z].any()
        }
        first, last = min(sections), max(sections)
        inner = np.flatnonzero((grid > first - step / 2) & (grid < last + step / 2))
        far = np.full(mask.shape[:2], ENDED, np.float32)
        field = _interpolate({first - step: far, **sections, last + step: far}, grid[inner])
        region = (*window, slice(inner[0], inner[-1] + 1))
        wins = field > best[region]
        tissue[region][wins] = value
        best[region][wins] = field[wins]
    return tissue


def _bounding_window(mask: Bool, margin: int) -> tuple[slice, slice]:
    """Return the window of a mask with a margin, clipped to its array."""
    window = []
    for axis in (0, 1):
        used = np.flatnonzero(mask.any(axis=1 - axis))
        window.append(slice(max(used[0] - margin, 0), used[-1] + margin + 1))
    return window[0], window[1]
