"""What a Dixon scan shows of each tissue: water and fat signal, coil shading, noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bids_example.code.cross_section import Tissue

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Appearance:
    """Signal of a tissue without noise.

    Attributes
    ----------
    total : float
        Water plus fat signal; muscle without fat has 1000.
    fat_percent : float
        Signal fat fraction.
    """

    total: float
    fat_percent: float


# Muscle without fat and pure fat: fat is brighter, as in T1-weighted Dixon scans.
MUSCLE_SIGNAL = 1000.0
FAT_SIGNAL = 1900.0

APPEARANCES: Mapping[Tissue, Appearance] = {
    Tissue.AIR: Appearance(0.0, 0.0),
    Tissue.SKIN: Appearance(700.0, 25.0),
    Tissue.SUBCUTANEOUS_FAT: Appearance(1850.0, 94.0),
    Tissue.INTERMUSCULAR_FAT: Appearance(1750.0, 88.0),
    Tissue.CORTICAL_BONE: Appearance(70.0, 40.0),
    Tissue.MARROW: Appearance(1700.0, 93.0),
    Tissue.VESSEL: Appearance(1450.0, 1.0),
    Tissue.TENDON: Appearance(180.0, 10.0),
}

# Relative change of the receive coil's sensitivity from the middle to the edge of the image.
_SHADING = 0.15


def muscle_total(fat_percent: Floats) -> Floats:
    """Return water plus fat signal of muscle with a given signal fat fraction.

    A voxel with the proton share p of fat gives (1-p) MUSCLE_SIGNAL + p FAT_SIGNAL; solved for
    the signal fat fraction f, the total is 1 / ((1-f)/MUSCLE_SIGNAL + f/FAT_SIGNAL).
    """
    fraction = fat_percent / 100.0
    return 1.0 / ((1.0 - fraction) / MUSCLE_SIGNAL + fraction / FAT_SIGNAL)


def coil_shading(shape: tuple[int, int, int], rng: np.random.Generator) -> Floats:
    """Return a smooth factor near 1 that both images share."""
    x, y, z = np.meshgrid(*[np.linspace(-1.0, 1.0, n) for n in shape], indexing="ij", sparse=True)
    tilt = rng.uniform(-1.0, 1.0, 2)
    factor: Floats = 1.0 + _SHADING * (tilt[0] * x + tilt[1] * y - 0.6 * z**2)
    return factor


def magnitude_with_noise(signal: Floats, sigma: float, rng: np.random.Generator) -> Floats:
    """Return the magnitude of a real signal with complex Gaussian noise (Rician).

    Parameters
    ----------
    signal : ndarray
        Signal without noise.
    sigma : float
        Standard deviation of the noise in the real and in the imaginary part.
    rng : Generator
        Source of randomness.
    """
    real = signal + rng.normal(0.0, sigma, signal.shape)
    imaginary = rng.normal(0.0, sigma, signal.shape)
    magnitude: Floats = np.hypot(real, imaginary)
    return magnitude
