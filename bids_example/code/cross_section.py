"""Paint the cross-section of a thigh: which tissue is at which point."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from bids_example.code.power_diagram import (
    Points,
    balanced_weights,
    cell_depths,
    nearest_on_curve,
    squared_length,
)
from bids_example.code.thigh import Content, Section

Floats = npt.NDArray[np.float64]

SKIN_MM = 1.8
VESSEL_MM = 3.2

# Outlines are superellipses; 2 would be ellipses, larger is squarer.
_ROUNDNESS = 2.25

# Half the width of the sheet of fat between two healthy muscles, and between a muscle and the
# fascia, mm.
SEPTUM_HALF_MM = 0.4
# Radius of the fat-filled gussets where three muscles meet, mm.
_CORNER_MM = 1.5

# Spacing of the points on which cell areas are balanced, mm.
_BALANCE_SPACING_MM = 2.0


class Tissue(IntEnum):
    """What a point of the body is made of."""

    AIR = 0
    SKIN = 1
    SUBCUTANEOUS_FAT = 2
    INTERMUSCULAR_FAT = 3
    CORTICAL_BONE = 4
    MARROW = 5
    VESSEL = 6
    TENDON = 7
    NEIGHBOUR_MUSCLE = 8
    MUSCLE = 9


_TISSUE_OF: Mapping[Content, Tissue] = {
    "muscle": Tissue.MUSCLE,
    "neighbour": Tissue.NEIGHBOUR_MUSCLE,
    "fat": Tissue.INTERMUSCULAR_FAT,
    "tendon": Tissue.TENDON,
}


@dataclass(frozen=True)
class Painting:
    """What was found at a list of points.

    Attributes
    ----------
    tissue : ndarray of uint8, shape (n,)
        Values of :class:`Tissue`.
    compartment : ndarray of int, shape (n,)
        Index in ``names`` of the muscle or neighbour muscle, -1 elsewhere.
    names : tuple of str
        Compartments of the section.
    """

    tissue: npt.NDArray[np.uint8]
    compartment: npt.NDArray[np.intp]
    names: tuple[str, ...]


def paint(section: Section, points: Points, thinning: Mapping[str, float]) -> Painting:
    """Tell the tissue at each point of a section.

    Parameters
    ----------
    section : Section
        The thigh at this level.
    points : ndarray of complex, shape (n,)
        Points x + iy in the thigh's coordinates (x lateral, y anterior), mm.
    thinning : Mapping of str to float
        Thickness that a muscle has lost all around, mm; fat takes its place. Muscles not named
        have lost nothing.
    """
    names = tuple(c.name for c in section.compartments)
    tissue = np.full(len(points), Tissue.AIR, np.uint8)
    compartment = np.full(len(points), -1, np.intp)

    skin_depth = outline_depth(points, section.skin)
    tissue[skin_depth > 0] = Tissue.SKIN
    tissue[skin_depth > SKIN_MM] = Tissue.SUBCUTANEOUS_FAT

    fascia_depth = outline_depth(points, section.fascia)
    bone_depth = section.femur_radius - np.abs(points - section.femur)
    inside = np.flatnonzero((fascia_depth > 0) & (bone_depth <= 0))
    tissue[inside] = Tissue.INTERMUSCULAR_FAT
    nearest = np.stack([nearest_on_curve(points[inside], c.curves) for c in section.compartments])
    owner, depths = cell_depths(points[inside], nearest, _weights(section))
    margin = _soft_minimum(np.vstack([depths, fascia_depth[inside]]))
    kept = np.array([SEPTUM_HALF_MM + thinning.get(name, 0.0) for name in names])
    filled = margin > kept[owner]
    content = np.array([_TISSUE_OF[c.content] for c in section.compartments], np.uint8)
    tissue[inside[filled]] = content[owner[filled]]
    compartment[inside[filled]] = owner[filled]

    for vessel in _vessels(section):
        tissue[np.abs(points - vessel) < VESSEL_MM] = Tissue.VESSEL
    bone = (bone_depth > 0) & (fascia_depth > 0)
    tissue[bone] = Tissue.CORTICAL_BONE
    tissue[bone & (bone_depth > section.cortex)] = Tissue.MARROW
    compartment[(tissue != Tissue.MUSCLE) & (tissue != Tissue.NEIGHBOUR_MUSCLE)] = -1
    return Painting(tissue, compartment, names)


def outline_depth(points: Points, radii: Mapping[str, float]) -> Floats:
    """Measure how deep points lie inside an outline, along the ray from the origin (mm)."""
    x, y = points.real, points.imag
    half_width = np.where(x > 0, radii["lateral"], radii["medial"])
    half_height = np.where(y > 0, radii["anterior"], radii["posterior"])
    reach = np.abs(x / half_width) ** _ROUNDNESS + np.abs(y / half_height) ** _ROUNDNESS
    reach = np.maximum(reach ** (1.0 / _ROUNDNESS), 1e-6)
    depth: Floats = np.abs(points) * (1.0 / reach - 1.0)
    return depth


def _weights(section: Section) -> Floats:
    """Balance the compartments on a coarse grid of the same section."""
    reach = max(section.fascia.values())
    axis = np.arange(-reach, reach, _BALANCE_SPACING_MM)
    grid = (axis + 1j * axis[:, None]).ravel()
    outside_bone = np.abs(grid - section.femur) > section.femur_radius
    grid = grid[outside_bone & (outline_depth(grid, section.fascia) > 0)]
    distances = [
        squared_length(grid - nearest_on_curve(grid, c.curves)) for c in section.compartments
    ]
    areas = np.array([c.areas for c in section.compartments])
    return balanced_weights(np.stack(distances), areas, _BALANCE_SPACING_MM**2)


def _soft_minimum(distances: Floats) -> Floats:
    """Smallest distance, less where two are nearly the smallest: this rounds off corners."""
    scaled = np.exp(-np.clip(distances, 0.0, None) / _CORNER_MM)
    minimum: Floats = -_CORNER_MM * np.log(scaled.sum(axis=0))
    return minimum


def _vessels(section: Section) -> list[complex]:
    """Place artery and vein at the two ends of the curve of the vessels' compartment."""
    return [
        end
        for c in section.compartments
        if c.name == "femoral_vessels"
        for end in (c.curves[0] - 2.0 + 2.5j, c.curves[-1] + 2.0 - 2.5j)
    ]
