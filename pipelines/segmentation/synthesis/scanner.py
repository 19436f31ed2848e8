"""What a scanner does to ideal water and fat signals: blur, shading, ghosts, swaps, noise."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.arrays import Bool, Float32
from pipelines.segmentation.synthesis.noise_bank import NoiseBank


@dataclass(frozen=True)
class ScannerRange:
    """Spread and chance of the imperfections of a scan.

    Attributes
    ----------
    noise : tuple of float
        Range of the noise's standard deviation, relative to muscle's water signal.
    blur : tuple of float
        Range of the point spread's standard deviation, pixels.
    shading : float
        Largest standard deviation of the logarithm of the coil's sensitivity.
    ghost, swap, smear : float
        Chances of a ghost, of swapped water and fat, of a smeared region.
    """

    noise: tuple[float, float] = (0.005, 0.07)
    blur: tuple[float, float] = (0.25, 0.95)
    shading: float = 0.45
    ghost: float = 0.25
    swap: float = 0.03
    smear: float = 0.12


def scan(
    pair: Float32, bank: NoiseBank, rng: np.random.Generator, scanner: ScannerRange
) -> Float32:
    """Turn ideal water and fat signals into magnitude images.

    `pair` and the result are (2, x, y).
    """
    sigma = rng.uniform(*scanner.blur) * np.exp(rng.normal(0, 0.2, 2))
    image = np.stack([ndimage.gaussian_filter(channel, sigma) for channel in pair])
    if rng.random() < scanner.smear:
        image = smear(image, bank.draw_uniform("warp", image.shape[1:], rng), rng.uniform(1, 4))
    image *= shading(bank, image.shape[1:], rng.uniform(0, scanner.shading), rng)
    if rng.random() < scanner.swap:
        image = swap(image, bank.draw_uniform("warp", image.shape[1:], rng) < rng.uniform(0.1, 0.6))
    if rng.random() < scanner.ghost:
        shift = int(rng.integers(image.shape[2] // 6, image.shape[2] // 2))
        image = image + rng.uniform(0.005, 0.05) * ghost(image, shift, int(rng.integers(1, 3)))
    return add_rician_noise(image, rng.uniform(*scanner.noise), rng)


def add_rician_noise(image: Float32, sigma: float, rng: np.random.Generator) -> Float32:
    """Return the magnitude of a signal with complex Gaussian noise of standard deviation `sigma`.

    Source: Gudbjartsson and Patz, Magn Reson Med 1995;34:910-914.
    """
    real = image + sigma * rng.standard_normal(image.shape, dtype=np.float32)
    noisy: Float32 = np.hypot(real, sigma * rng.standard_normal(image.shape, dtype=np.float32))
    return noisy


def shading(
    bank: NoiseBank, shape: tuple[int, ...], strength: float, rng: np.random.Generator
) -> Float32:
    """Return a smooth coil sensitivity whose logarithm has standard deviation `strength`."""
    field: Float32 = np.exp(strength * bank.draw("warp", (shape[0], shape[1]), rng))
    return field


def ghost(image: Float32, shift: int, axis: int) -> Float32:
    """Return the image displaced both ways along the phase-encoding axis, wrapped around."""
    ghosts: Float32 = np.roll(image, shift, axis) + np.roll(image, -shift, axis)
    return ghosts


def swap(image: Float32, where: Bool) -> Float32:
    """Exchange water and fat in a region, as an uncorrected phase error does."""
    swapped: Float32 = np.where(where, image[::-1], image)
    return swapped


def smear(image: Float32, weight: Float32, sigma: float) -> Float32:
    """Blur a region strongly, as far from the isocentre where gradients bend."""
    soft = np.stack([ndimage.gaussian_filter(channel, sigma) for channel in image])
    share = np.clip((weight - 0.75) * 8, 0, 1)
    smeared: Float32 = image + share * (soft - image)
    return smeared
