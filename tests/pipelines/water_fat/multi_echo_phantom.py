"""A digital multi-echo phantom: two thighs with known fat fraction, field and decay.

Simulated, not measured. Each leg has ten muscles of constant fat fraction around a femur, septa
of fat between them, a fascia of fat and a subcutaneous layer. The signal is written down here
independently of the package, so that tests do not compare the fit with itself.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

PROTON_HZ_PER_TESLA = 42.577478518e6

# Fat spectra written out again (ppm from water, relative area), independent of the package's table.
SPECTRA = {
    "ismrm-6": (
        [0.60, -0.39, -1.94, -2.60, -3.40, -3.80],
        [0.048, 0.039, 0.004, 0.128, 0.693, 0.087],
    ),
    "hamilton-9": (
        [-3.80, -3.40, -3.10, -2.68, -2.46, -1.95, -0.50, 0.49, 0.59],
        [0.088, 0.642, 0.058, 0.062, 0.058, 0.006, 0.039, 0.010, 0.037],
    ),
    # Its pattern is 58 % as strong as that of ismrm-6, as measured in the purest fat of a thigh.
    "measured": (
        [0.60, -0.39, -1.94, -2.60, -3.40, -3.80],
        [0.031, 0.022, 0.003, 0.082, 0.800, 0.062],
    ),
    "single-1": ([-3.40], [1.0]),
}

# Fat fraction (percent) and R2* (1/s) of the ten muscles of each leg.
MUSCLE_FF = {
    "left": (0, 2, 5, 12, 20, 30, 45, 60, 80, 95),
    "right": (0, 0, 0, 3, 8, 15, 25, 40, 70, 90),
}
MUSCLE_R2STAR = (30, 20, 40, 33, 80, 25, 60, 45, 35, 50)

BACKGROUND, BONE, MARROW, SUBCUTANEOUS, SEPTUM = 0, 1, 2, 3, 4
FIRST_MUSCLE = {"left": 10, "right": 20}


@dataclass(frozen=True)
class Protocol:
    """Echo times (ms) and field strength (T) of an acquisition."""

    name: str
    field_strength_t: float
    echo_times_ms: tuple[float, ...]


def equidistant(first: float, spacing: float, count: int) -> tuple[float, ...]:
    """Return `count` echo times in ms."""
    return tuple(first + spacing * n for n in range(count))


PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("2pt-3T", 3.0, (1.15, 2.30)),
        Protocol("3pt-3T-in-opposed", 3.0, (3.45, 4.60, 5.75)),
        Protocol("3pt-1.5T", 1.5, (2.87, 6.07, 9.27)),
        Protocol("3pt-3T-short", 3.0, (1.30, 2.10, 2.90)),
        Protocol("4pt-3T", 3.0, equidistant(2.60, 0.76, 4)),
        Protocol("5pt-1.5T-uneven", 1.5, (1.60, 3.30, 4.60, 6.90, 8.10)),
        Protocol("6pt-3T-short", 3.0, equidistant(1.15, 0.96, 6)),
        Protocol("6pt-3T-long", 3.0, equidistant(1.70, 1.40, 6)),
        Protocol("6pt-1.5T", 1.5, equidistant(1.30, 1.90, 6)),
        Protocol("8pt-1.5T", 1.5, equidistant(2.38, 2.38, 8)),
    )
}


@dataclass(frozen=True)
class Phantom:
    """Geometry and truth.

    ``labels`` holds the tissue of every voxel, ``muscles`` the values of the muscles in it;
    ``ff`` in percent, ``b0`` in Hz, ``r2star_water`` and ``r2star_fat`` in 1/s.
    """

    affine: Array
    labels: Array
    ff: Array
    density: Array
    b0: Array
    r2star_water: Array
    r2star_fat: Array
    field_strength_t: float

    @property
    def tissue(self) -> Array:
        """Voxels with water or fat signal (no air, no cortical bone)."""
        return (self.labels != BACKGROUND) & (self.labels != BONE)

    @property
    def muscles(self) -> list[int]:
        """Label values of the muscles."""
        return [int(v) for v in np.unique(self.labels) if v >= FIRST_MUSCLE["left"]]

    def eroded(self, muscle: int) -> Array:
        """Voxels of a muscle whose in-plane neighbours belong to it as well."""
        inside = self.labels == muscle
        core = inside.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                core &= np.roll(inside, step, axis)
        return core


def make_phantom(
    *,
    field_strength_t: float = 3.0,
    b0_ppm: float = 1.5,
    steep: bool = False,
    fat_decay_excess: float = 0.0,
    subcutaneous_ff: float = 95.0,
    shape: tuple[int, int, int] = (160, 96, 20),
    voxel_mm: tuple[float, float, float] = (2.0, 2.0, 5.0),
) -> Phantom:
    """Build two legs.

    Parameters
    ----------
    field_strength_t : float
        Main field, T.
    b0_ppm : float
        Difference of the field between the two sides of one leg.
    steep : bool
        Add sharp local disturbances (near the femur and under the skin), as susceptibility does.
    fat_decay_excess : float
        By how much fat decays faster than water, 1/s; 0 is what the fit assumes.
    subcutaneous_ff : float
        Fat fraction of the layer under the skin; low for a limb without subcutaneous fat.
    shape, voxel_mm : tuple
        Grid.
    """
    nx, ny, nz = shape
    x, y, z = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij")
    x, y = (x - (nx - 1) / 2) * voxel_mm[0], (y - (ny - 1) / 2) * voxel_mm[1]
    height = (z - (nz - 1) / 2) * voxel_mm[2]
    labels = np.zeros(shape, np.int16)
    b0 = np.zeros(shape, np.float32)
    half_width = nx * voxel_mm[0] / 4
    outer = min(half_width - 6.0, ny * voxel_mm[1] / 2 - 8.0)
    hz = field_strength_t * PROTON_HZ_PER_TESLA * 1e-6
    for number, side in enumerate(("left", "right")):
        u, v = x - (2 * number - 1) * half_width, y
        radius = np.hypot(u, v * (1.0 + 0.08 * (2 * number - 1)))
        skin = outer * (1.0 + 0.05 * np.sin(3 * np.arctan2(v, u))) * (1.0 + height / 1500.0)
        relative = radius / skin
        leg = relative < 1.0
        labels[leg] = SUBCUTANEOUS
        angle = np.arctan2(v, u) + 0.002 * height
        bone = np.hypot(u - 4.0, v - 6.0)
        inside = leg & (relative < 0.86) & (bone >= 14.0)
        outer_ring = relative > 0.60
        sector = np.where(
            outer_ring,
            np.floor((angle + np.pi) / (2 * np.pi) * 6.0) % 6,
            6 + np.floor((angle + np.pi) / (2 * np.pi) * 4.0) % 4,
        ).astype(int)
        labels[inside] = FIRST_MUSCLE[side] + sector[inside]
        labels[leg & (bone < 14.0)] = BONE
        labels[leg & (bone < 8.0)] = MARROW
        muscle = labels >= FIRST_MUSCLE["left"]
        edge = np.zeros(shape, bool)
        for axis in (0, 1):
            edge |= (labels != np.roll(labels, 1, axis)) & muscle & np.roll(muscle, 1, axis)
        labels[edge & leg] = SEPTUM
        # The leg's field: a ramp of b0_ppm from side to side, bent, turned and shifted per leg.
        s, t = u / outer, v / outer
        ramp = 0.5 * s + 0.18 * t + 0.20 * s * t + 0.12 * s**2 - 0.15 * t**2
        ramp = ramp + 0.08 * height / (nz * voxel_mm[2] / 2)
        field = b0_ppm * ramp + (0.35, -0.5)[number] * b0_ppm
        if steep:
            dipole = (14.0 / np.maximum(bone, 14.0)) ** 2 * np.cos(2 * np.arctan2(v - 6.0, u - 4.0))
            field = (
                field + 0.35 * dipole + 0.6 * np.exp(-((1.0 - relative) * outer / 8.0)) * (t > 0)
            )
        b0 = np.where(leg, (field * hz).astype(np.float32), b0)
    ff = np.zeros(shape, np.float32)
    r2star = np.full(shape, 45.0, np.float32)
    density = np.zeros(shape, np.float32)
    for tissue, (fat, decay, amount) in {
        BONE: (30.0, 80.0, 0.03),
        MARROW: (92.0, 60.0, 1.0),
        SUBCUTANEOUS: (subcutaneous_ff, 40.0, 1.2),
        SEPTUM: (80.0, 45.0, 1.0),
    }.items():
        where = labels == tissue
        ff[where], r2star[where], density[where] = fat, decay, amount
    for side, first in FIRST_MUSCLE.items():
        for n, fat in enumerate(MUSCLE_FF[side]):
            where = labels == first + n
            ff[where], density[where] = fat, 1.0
            r2star[where] = MUSCLE_R2STAR[n]
    fat_decay = r2star + np.float32(fat_decay_excess)
    affine = np.diag([*voxel_mm, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * voxel_mm
    return Phantom(affine, labels, ff, density, b0, r2star, fat_decay, field_strength_t)


def signal(
    phantom: Phantom,
    echo_times_ms: tuple[float, ...],
    *,
    snr: float = 40.0,
    spectrum: str = "ismrm-6",
    seed: int = 1,
    bipolar: tuple[float, float, float] | None = None,
) -> Array:
    """Return the complex signal of each echo, shape (x, y, z, echoes), complex64.

    Parameters
    ----------
    snr : float
        Water density 1 over the noise SD of the real channel, before any decay.
    spectrum : str
        Key of ``SPECTRA``.
    bipolar : tuple of float, optional
        Constant (rad) and slopes (rad per 100 mm) along axes 0 and 1 of the phase that every
        second echo gets from an alternating readout.
    """
    rng = np.random.default_rng(seed)
    shift, amplitude = (np.array(values) for values in SPECTRA[spectrum])
    amplitude = amplitude / amplitude.sum()
    shift_hz = shift * 1e-6 * PROTON_HZ_PER_TESLA * phantom.field_strength_t
    fat = (phantom.density * phantom.ff / 100).astype(np.float32)
    water = phantom.density - fat
    x, y, z = (
        np.linspace(-1, 1, n, dtype=np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, n in enumerate(phantom.labels.shape)
    )
    first_phase = 0.7 + 1.1 * x + 0.8 * y * x - 0.5 * z
    echoes = []
    for n, t in enumerate(np.array(echo_times_ms) / 1000.0):
        phasor = np.complex64((amplitude * np.exp(2j * np.pi * shift_hz * t)).sum())
        clean = water * np.exp(-phantom.r2star_water * t)
        clean = clean + fat * phasor * np.exp(-phantom.r2star_fat * t)
        phase = first_phase + 2 * np.pi * phantom.b0 * np.float32(t)
        if bipolar is not None and n % 2:
            mm = [np.abs(phantom.affine[a, a]) * (phantom.labels.shape[a] - 1) / 2 for a in (0, 1)]
            phase = phase + bipolar[0] + (bipolar[1] * x * mm[0] + bipolar[2] * y * mm[1]) / 100.0
        echo = (clean * np.exp(1j * phase)).astype(np.complex64)
        if np.isfinite(snr):
            noise = rng.standard_normal((*echo.shape, 2), np.float32).view(np.complex64)[..., 0]
            echo += noise / np.float32(snr)
        echoes.append(echo)
    return np.stack(echoes, axis=-1)
