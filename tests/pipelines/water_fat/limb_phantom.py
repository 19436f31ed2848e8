"""Water and fat images of analytic limbs: skin, subcutaneous fat, muscle, bone, with noise.

A simulation with known truth, not a scan.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SKIN_MM = 2.5
FAT_SIGNAL, MUSCLE_SIGNAL, SKIN_SIGNAL = 1000.0, 400.0, 300.0
FAT_FF, SKIN_FF = 90.0, 10.0


@dataclass(frozen=True)
class Limb:
    """A round limb; lengths in mm, the muscle's fat fraction in percent."""

    x: float
    y: float = 0.0
    radius: float = 70.0
    fat_mm: float = 12.0
    muscle_ff: float = 5.0
    bone_mm: float = 14.0


TWO_THIGHS = (Limb(-85.0), Limb(85.0))


@dataclass(frozen=True)
class Scene:
    """Limbs in a field of view."""

    limbs: tuple[Limb, ...] = TWO_THIGHS
    sigma: float = 0.0
    shape: tuple[int, int, int] = (240, 144, 5)
    voxel_mm: tuple[float, float, float] = (1.6, 1.6, 10.0)
    rotation_deg: float = 0.0
    zero_background: bool = False
    skip: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    seed: int = 0


@dataclass(frozen=True)
class Phantom:
    """Images of a scene and its truth: label 0 air, 1 + index of the limb; fat fraction in %."""

    water: npt.NDArray[np.float32]
    fat: npt.NDArray[np.float32]
    affine: Array
    limb: npt.NDArray[np.uint8]
    ff: npt.NDArray[np.float32]

    @property
    def total(self) -> npt.NDArray[np.float32]:
        return self.water + self.fat


def make_phantom(scene: Scene) -> Phantom:
    """Draw the limbs of a scene; `skip` holds pairs (limb, slice) that are missing."""
    dx, dy, dz = scene.voxel_mm
    nx, ny, nz = scene.shape
    affine = np.diag([dx, dy, dz, 1.0])
    affine[:2, 3] = -dx * (nx - 1) / 2, -dy * (ny - 1) / 2
    grid_x = (np.arange(nx) * dx + affine[0, 3])[:, None]
    grid_y = (np.arange(ny) * dy + affine[1, 3])[None, :]
    angle = np.deg2rad(scene.rotation_deg)
    x = grid_x * np.cos(angle) + grid_y * np.sin(angle)
    y = -grid_x * np.sin(angle) + grid_y * np.cos(angle)
    signal, ff = np.zeros(scene.shape), np.zeros(scene.shape)
    label = np.zeros(scene.shape, np.uint8)
    for i, limb in enumerate(scene.limbs):
        r = np.hypot(x - limb.x, y - limb.y)
        layers = (
            (limb.radius, SKIN_SIGNAL, SKIN_FF),
            (limb.radius - SKIN_MM, FAT_SIGNAL, FAT_FF),
            (limb.radius - SKIN_MM - limb.fat_mm, MUSCLE_SIGNAL, limb.muscle_ff),
            (limb.bone_mm, 10.0, 0.0),
            (limb.bone_mm - 5.0, FAT_SIGNAL, FAT_FF),
        )
        for k in range(nz):
            if (i, k) in scene.skip:
                continue
            for radius, level, percent in layers:
                inside = r <= radius
                signal[:, :, k][inside], ff[:, :, k][inside] = level, percent
            label[:, :, k][r <= limb.radius] = i + 1
    water, fat = signal * (1 - ff / 100), signal * ff / 100
    rng = np.random.default_rng(scene.seed)
    noisy = []
    for image in (water, fat):
        real, imaginary = scene.sigma * rng.standard_normal((2, *scene.shape))
        magnitude = np.hypot(image + real, imaginary)
        noisy.append(np.where((label == 0) & scene.zero_background, 0, magnitude))
    return Phantom(
        noisy[0].astype(np.float32),
        noisy[1].astype(np.float32),
        affine,
        label,
        np.where(label > 0, ff, np.nan).astype(np.float32),
    )


def exchanged(
    phantom: Phantom, where: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return water and fat with the two exchanged at some voxels."""
    return (
        np.where(where, phantom.fat, phantom.water),
        np.where(where, phantom.water, phantom.fat),
    )


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Overlap of two masks."""
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))
