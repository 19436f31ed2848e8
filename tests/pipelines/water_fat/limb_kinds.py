"""Digital limbs of other kinds than the two thighs of ``multi_echo_phantom``; simulated.

One limb each, as an ellipse with skin, a layer of fat of a given thickness, sectors of muscle and
bones of a cortex around marrow. Fat fractions vary smoothly within each tissue, as they do in
people. The echoes are made by ``multi_echo_phantom.signal``.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tests.pipelines.water_fat.multi_echo_phantom import (
    BONE,
    FIRST_MUSCLE,
    MARROW,
    PROTON_HZ_PER_TESLA,
    SEPTUM,
    SUBCUTANEOUS,
    Phantom,
)

SKIN = 5
SKIN_MM = 1.5


@dataclass(frozen=True)
class Bone:
    """A round bone: centre and radius, and thickness of its cortex, mm."""

    x: float
    y: float
    radius: float
    cortex: float = 2.0


@dataclass(frozen=True)
class Kind:
    """A kind of limb: half axes and fat layer in mm, fat fractions in percent."""

    half: tuple[float, float]
    layer_mm: float
    muscles: tuple[float, ...]
    bones: tuple[Bone, ...]
    marrow: float = 96.0
    voxel_mm: tuple[float, float, float] = (2.0, 2.0, 6.0)


LEAN = (2.0, 4.0, 3.0, 6.0, 5.0, 12.0)
FEMUR = (Bone(5.0, 8.0, 14.0, 5.0),)
KINDS = {
    "thigh": Kind((78, 70), 10.0, LEAN, FEMUR),
    "thin shell": Kind((68, 62), 3.0, LEAN, FEMUR),
    "no shell": Kind((64, 58), 0.0, LEAN, FEMUR),
    "calf": Kind((54, 50), 5.0, LEAN, (Bone(-14, 22, 13, 4.0), Bone(18, 14, 7, 2.5))),
    "child": Kind((38, 35), 2.0, LEAN, (Bone(3, 4, 8, 2.5),), 60.0, (1.5, 1.5, 5.0)),
    "hand": Kind(
        (42, 14),
        0.5,
        LEAN,
        tuple(Bone(-29 + 14.5 * n, 2, 5.0, 1.3) for n in range(5)),
        97.0,
        (0.9, 0.9, 4.0),
    ),
    "foot": Kind(
        (40, 30),
        2.0,
        LEAN,
        (Bone(-20, 9, 9, 1.4), Bone(2, 11, 11, 1.4), Bone(22, 6, 8, 1.4)),
        95.0,
        (1.2, 1.2, 4.0),
    ),
    "fat replaced": Kind((70, 64), 8.0, (84.0, 88.0, 90.0, 86.0, 82.0, 91.0), FEMUR),
}


def make_limb(
    name: str,
    *,
    field_strength_t: float = 3.0,
    slices: int = 4,
    b0_ppm: float = 1.0,
    seed: int = 0,
) -> Phantom:
    """Build one limb of a kind."""
    kind = KINDS[name]
    size = np.array(kind.voxel_mm)
    nx, ny = (2 * int((half + 14.0) / mm) for half, mm in zip(kind.half, size, strict=False))
    shape = (nx, ny, slices)
    x, y, z = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij")
    x, y = (x - (nx - 1) / 2) * size[0], (y - (ny - 1) / 2) * size[1]
    height = (z - (slices - 1) / 2) * size[2]
    angle = np.arctan2(y / kind.half[1], x / kind.half[0])
    wave = 1 + 0.03 * np.sin(3 * angle) + height / 2000.0
    radius = np.hypot(x / kind.half[0], y / kind.half[1]) / wave
    # Depth under the skin, exact enough for an ellipse.
    slope = np.hypot(np.cos(angle) / kind.half[0], np.sin(angle) / kind.half[1])
    depth = (1 - radius) / slope
    labels = np.zeros(shape, np.int16)
    labels[depth > 0] = SKIN
    labels[depth > SKIN_MM] = SUBCUTANEOUS
    inner = depth > SKIN_MM + kind.layer_mm
    turn = (angle + 0.004 * height + np.pi) / (2 * np.pi)
    sector = np.floor(turn * len(kind.muscles)).astype(int) % len(kind.muscles)
    labels[inner] = FIRST_MUSCLE["left"] + sector[inner]
    seam = inner & (np.abs(turn * len(kind.muscles) % 1 - 0.5) > 0.5 - 0.6 / (radius * 12 + 1))
    labels[seam & (radius > 0.3)] = SEPTUM
    for bone in kind.bones:
        off = np.hypot(x - bone.x, y - bone.y)
        labels[off < bone.radius] = BONE
        labels[off < bone.radius - bone.cortex] = MARROW
    rng = np.random.default_rng(seed)
    ff, density = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    r2star = np.full(shape, 45.0, np.float32)
    tissues = {
        SKIN: (12.0, 2.0, 40.0, 0.7),
        BONE: (30.0, 0.0, 80.0, 0.03),
        MARROW: (kind.marrow, 3.0, 65.0, 1.2),
        SUBCUTANEOUS: (91.0, 4.0, 40.0, 1.3),
        SEPTUM: (45.0, 10.0, 45.0, 1.0),
    }
    for n, level in enumerate(kind.muscles):
        tissues[FIRST_MUSCLE["left"] + n] = (level, 1.5, 30.0 + 3 * n, 1.0)
    for tissue, (level, spread, decay, amount) in tissues.items():
        where = labels == tissue
        rough = ndimage.gaussian_filter(rng.standard_normal(shape), (2, 2, 0))
        ff[where] = np.clip(level + spread * rough / rough.std(), 0, 100)[where]
        r2star[where], density[where] = decay, amount
    s, t = x / kind.half[0], y / kind.half[1]
    ramp = 0.5 * s + 0.2 * t + 0.15 * s * t + 0.1 * s**2 + 0.05 * height / size[2]
    hz = field_strength_t * PROTON_HZ_PER_TESLA * 1e-6
    b0 = np.where(labels > 0, b0_ppm * hz * ramp, 0).astype(np.float32)
    affine = np.diag([*size, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * size
    return Phantom(affine, labels, ff, density, b0, r2star, r2star, field_strength_t)
