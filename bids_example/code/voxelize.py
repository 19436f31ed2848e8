"""Sample two painted thighs on a voxel grid, finely enough to know what each voxel is made of."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bids_example.code.cross_section import SKIN_MM, Painting, Tissue, paint
from bids_example.code.power_diagram import Floats, Points
from bids_example.code.thigh import Thigh, reference_thigh
from pipelines.anatomy.vocabulary import SIDES, Side

# Points per voxel edge within the slice. Odd, so that "more than half" is never a tie.
SAMPLES_PER_EDGE = 3
SAMPLES_PER_VOXEL = SAMPLES_PER_EDGE**2

# Components 0..9 are the tissues; muscles follow, first all of the left, then all of the right.
_FIRST_MUSCLE = len(Tissue)

# Value of each thigh in the limb image.
LIMB: Mapping[Side, int] = {"left": 1, "right": 2}

_OUTWARD: Mapping[Side, int] = {"left": -1, "right": 1}

# Bending of all outlines, so that no muscle is as smooth as its formula: size and wavelengths.
_BEND_MM = 1.2
_BEND_WAVELENGTHS_MM = (90.0, 140.0)


@dataclass(frozen=True)
class Pose:
    """Where the two thighs lie in the scanner.

    Attributes
    ----------
    gap_mm : float
        Distance between the two thighs where they are thickest; 0 or less: they touch, and press
        each other flat in the midline.
    roll_deg : float
        Rotation of the whole body about its long axis; positive lifts the patient's right side.
    levels : (float, float)
        Levels of the thigh (0 distal to 1 proximal) between which the stack of slices lies.
    sides : tuple of {'left', 'right'}
        Which thighs are there.

    Raises
    ------
    ValueError
        If the levels are not two rising numbers between 0 and 1.
    """

    gap_mm: float = 8.0
    roll_deg: float = 0.0
    levels: tuple[float, float] = (0.01, 0.99)
    sides: tuple[Side, ...] = SIDES

    def __post_init__(self) -> None:
        low, high = self.levels
        if not 0.0 <= low < high <= 1.0:
            raise ValueError(f"levels {self.levels} do not rise between 0 and 1")


def component(name: str, side: Side) -> int:
    """Return the number of the component that a muscle or neighbour muscle is."""
    names = [c.name for c in reference_thigh().compartments]
    return _FIRST_MUSCLE + SIDES.index(side) * len(names) + names.index(name)


def slice_levels(pose: Pose, n_slices: int) -> Floats:
    """Return the level of each slice along the thigh, 0 (distal) to 1 (proximal)."""
    low, high = pose.levels
    levels: Floats = low + (high - low) * (np.arange(n_slices) + 0.5) / n_slices
    return levels


def sample(
    thighs: Mapping[Side, Thigh],
    thinning: Mapping[Side, Mapping[str, float]],
    pose: Pose,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Count what each voxel is made of.

    Parameters
    ----------
    thighs : Mapping of side to Thigh
        The two thighs.
    thinning : Mapping of side to Mapping
        See :func:`.cross_section.paint`.
    pose : Pose
        Where they lie.
    shape, spacing : tuple
        Voxel grid in canonical order, centred on the body's axis; spacing in mm.

    Returns
    -------
    counts : ndarray of uint8, shape (component, x, y, z)
        Number of the voxel's sample points (:data:`SAMPLES_PER_VOXEL` in all) in each component:
        tissues by their value in :class:`.Tissue`, muscles and their neighbours by
        :func:`component`.
    limb : ndarray of uint8, shape (x, y, z)
        Which thigh a voxel belongs to: 1 left, 2 right, 0 neither.
    """
    n_components = _FIRST_MUSCLE + len(SIDES) * len(reference_thigh().compartments)
    counts = np.zeros((n_components, *shape), np.uint8)
    limb = np.zeros(shape, np.uint8)
    points, voxel = _sample_points(shape, spacing, pose.roll_deg)
    for z, level in enumerate(slice_levels(pose, shape[2])):
        content = np.full(points.size, Tissue.AIR, np.intp)
        body = np.zeros(shape[0] * shape[1], np.uint8)
        for side in pose.sides:
            near, local = _in_thigh(points, thighs[side], side, pose.gap_mm)
            painting = paint(thighs[side].section(level), _bent(local, level), thinning[side])
            content[near] = _components(painting, side)
            body[voxel[near[painting.tissue != Tissue.AIR]]] = LIMB[side]
        table = np.bincount(voxel * n_components + content, minlength=body.size * n_components)
        counts[..., z] = table.reshape(*shape[:2], n_components).transpose(2, 0, 1)
        limb[..., z] = body.reshape(shape[:2])
    return counts, limb


def _sample_points(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], roll_deg: float
) -> tuple[Points, npt.NDArray[np.intp]]:
    """List the sample points of a slice, turned back to where an unrolled body would have them.

    Returns the points (x to the right, y to the front) and the number of the voxel of each.
    """
    axes = [
        ((np.arange(n * SAMPLES_PER_EDGE) + 0.5) / SAMPLES_PER_EDGE - n / 2.0) * size
        for n, size in zip(shape[:2], spacing[:2], strict=True)
    ]
    points = axes[0][:, None] + 1j * axes[1]
    x, y = np.indices(points.shape) // SAMPLES_PER_EDGE
    return (points * np.exp(-1j * np.deg2rad(roll_deg))).ravel(), (x * shape[1] + y).ravel()


def _in_thigh(
    points: Points, thigh: Thigh, side: Side, gap_mm: float
) -> tuple[npt.NDArray[np.intp], Points]:
    """Find the sample points on a thigh's side of the body, and their place in its coordinates."""
    outward = points.real * _OUTWARD[side]
    local = outward - (thigh.medial_reach() + SKIN_MM + gap_mm / 2.0) + 1j * points.imag
    reach = np.abs(local) < thigh.reach() + SKIN_MM + 2.0 * _BEND_MM
    near = np.flatnonzero((outward > 0) & reach)
    return near, local[near]


def _bent(points: Points, level: float) -> Points:
    """Shift points by a smooth field that changes along the thigh."""
    shift = np.zeros_like(points)
    for number, wavelength in enumerate(_BEND_WAVELENGTHS_MM):
        wave = 2.0 * np.pi / wavelength
        turn = 2.0 * level + number
        shift += np.sin(wave * points.imag + turn) + 1j * np.sin(wave * points.real - turn)
    bent: Points = points + _BEND_MM * shift
    return bent


def _components(painting: Painting, side: Side) -> npt.NDArray[np.intp]:
    """Return the component at each painted point."""
    result = painting.tissue.astype(np.intp)
    in_muscle = painting.compartment >= 0
    numbers = np.array([component(name, side) for name in painting.names])
    result[in_muscle] = numbers[painting.compartment[in_muscle]]
    return result
