"""Noise of water and fat images, and the fat fraction that noise alone makes.

A magnitude image has no zero: where there is no fat, the fat image holds the mean of Rayleigh
noise, so the fat fraction of pure muscle reads several percent on a noisy scan. Neither median nor
ratio of sums removes that bias; it can only be measured and reported.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from pipelines.arrays import Affine, Array, Bool, Float64
from pipelines.geometry import voxel_sizes

# Noise is measured in a belt around the body. Nearer lie blurring and ringing; further out many
# scanners attenuate the background: on a GE thigh the belt gives the noise seen inside fat (10-11),
# the far background a fifth of it.
BELT_MM = (5.0, 15.0)
SAMPLED_SLICES = 16
MIN_BELT_VOXELS = 200
# A belt voxel counts if fewer than this share of its neighbours are exactly zero, and a slice if
# at least this share of its belt counts; otherwise the scanner has zeroed the background.
MAX_ZERO_SHARE = 0.5
MIN_USED_SHARE = 0.25
NEIGHBOURHOOD = 5
MAX_NEGATIVE_SHARE = 0.01
# Rayleigh distribution with parameter sigma (Gudbjartsson and Patz, Magn Reson Med 1995;34:910):
# median, mean, and 75th / 25th percentile. Ghosts widen the last, smoothing narrows it.
RAYLEIGH_MEDIAN = float(np.sqrt(2 * np.log(2)))
RAYLEIGH_MEAN = float(np.sqrt(np.pi / 2))
RAYLEIGH_QUARTILE_RATIO = float(np.sqrt(np.log(4) / np.log(4 / 3)))
QUARTILE_RATIO_RANGE = (0.73 * RAYLEIGH_QUARTILE_RATIO, 1.37 * RAYLEIGH_QUARTILE_RATIO)
# Muscle signal is taken where water exceeds fat, unless that is less than this share of the body.
MIN_LEAN_SHARE = 0.05


@dataclass(frozen=True)
class NoiseEstimate:
    """Noise of a pair of water and fat images.

    Attributes
    ----------
    sigma_water, sigma_fat : float or None
        Standard deviation of the noise in each of the real and imaginary channels, in units of
        the image. None if it cannot be measured.
    signal : float
        Median of water + fat in lean tissue.
    snr : float or None
        `signal` / `sigma_fat`: noise in the fat image is what biases low fat fractions.
    ff_floor : float or None
        Expected fat fraction (percent) of tissue without fat at the median signal.
    reason : str
        Why the noise cannot be measured, or an empty string.
    """

    sigma_water: float | None
    sigma_fat: float | None
    signal: float
    snr: float | None
    ff_floor: float | None
    reason: str = ""


def background_belt(body: Bool, affine: Affine) -> Bool:
    """Return the air around the body in which noise is measured.

    Parameters
    ----------
    body : ndarray of bool, shape (x, y, z)
        Body mask.
    affine : ndarray of shape (4, 4)
        Its affine, mm.

    Returns
    -------
    ndarray of bool, same shape
        Filled in at most 16 slices spread over those that hold body.
    """
    belt = np.zeros(body.shape, np.bool_)
    slices = np.flatnonzero(body.any(axis=(0, 1)))
    picked = np.linspace(0, len(slices) - 1, min(SAMPLED_SLICES, len(slices))).astype(int)
    for k in slices[picked]:
        distance = ndimage.distance_transform_edt(~body[:, :, k], sampling=voxel_sizes(affine)[:2])
        belt[:, :, k] = (distance > BELT_MM[0]) & (distance <= BELT_MM[1])
    return belt


def rayleigh_sigma(image: Array, belt: Bool) -> tuple[float | None, str]:
    """Measure the noise of a magnitude image in the air around the body.

    In every slice the median of the belt gives sigma, which ghosts in a part of it hardly move;
    slices whose quartiles do not fit the Rayleigh distribution are left out; the median over the
    rest is returned.

    Parameters
    ----------
    image : ndarray of shape (x, y, z)
        Magnitude image.
    belt : ndarray of bool, same shape
        From :func:`background_belt`.

    Returns
    -------
    sigma : float or None
        In units of the image, or None if it cannot be measured.
    reason : str
        Why not, or an empty string.
    """
    air = image[belt]
    air = air[np.isfinite(air)]
    if air.size < MIN_BELT_VOXELS:
        return None, "the image shows too little air around the body"
    if (air < 0).mean() > MAX_NEGATIVE_SHARE:
        return None, "the background holds negative values, so this is not a magnitude image"
    if not air.any():
        return None, "the background was set to zero"
    step = _intensity_step(air)
    sigmas = []
    zeroed = True
    for k in np.flatnonzero(belt.any(axis=(0, 1))):
        values = _noisy_values(image[:, :, k], belt[:, :, k])
        if values is None:
            continue
        zeroed = False
        low, middle, high = np.percentile(_dither(values, step), (25, 50, 75))
        if QUARTILE_RATIO_RANGE[0] < high / low < QUARTILE_RATIO_RANGE[1]:
            sigmas.append(middle / RAYLEIGH_MEDIAN)
    if zeroed:
        return None, "most of the background was set to zero"
    if not sigmas:
        return None, "the background is not noise: it is filtered or full of artefacts"
    return float(np.median(sigmas)), ""


def rician_mean(signal: npt.ArrayLike, sigma: float) -> Float64:
    """Return the expected magnitude of a signal with complex Gaussian noise of `sigma` per channel.

    sigma sqrt(pi/2) L(-signal^2 / 2 sigma^2) with the Laguerre polynomial L of order 1/2, written
    with scaled Bessel functions so that it holds at any signal-to-noise ratio.
    """
    true = np.asarray(signal, np.float64)
    # Beyond this the first terms of the series are exact to 1e-9, and the Bessel functions fail.
    strong = true > 100 * sigma
    half = np.where(strong, 0.0, true) ** 2 / (4 * sigma**2)
    laguerre = (1 + 2 * half) * special.ive(0, half) + 2 * half * special.ive(1, half)
    series = true + sigma**2 / (2 * np.where(strong, true, 1.0))
    return np.where(strong, series, sigma * RAYLEIGH_MEAN * laguerre)


def ff_noise_floor(
    signal: npt.ArrayLike, sigma_fat: float, sigma_water: float | None = None
) -> Float64:
    """Return the fat fraction (percent) that tissue of a true signal without any fat shows.

    ``100 E|F| / (E|W| + E|F|)``, where ``|F|`` is Rayleigh and ``|W|`` Rician distributed; the
    noise of water is that of fat if not given.
    """
    fat = RAYLEIGH_MEAN * sigma_fat
    water = rician_mean(signal, sigma_fat if sigma_water is None else sigma_water)
    return 100 * fat / (water + fat)


def estimate_noise(water: Array, fat: Array, body: Bool, affine: Affine) -> NoiseEstimate:
    """Measure the noise of water and fat images and the floor it puts under the fat fraction."""
    belt = background_belt(body, affine)
    sigma_water, water_reason = rayleigh_sigma(water, belt)
    sigma_fat, fat_reason = rayleigh_sigma(fat, belt)
    w, f = water[body].astype(np.float32), fat[body].astype(np.float32)
    lean = w > f
    if lean.mean() < MIN_LEAN_SHARE:
        lean = np.isfinite(w) & np.isfinite(f)
    signal = float(np.median(w[lean] + f[lean])) if lean.any() else 0.0
    if sigma_fat is None or sigma_water is None or signal <= 0:
        return NoiseEstimate(
            sigma_water, sigma_fat, signal, None, None, fat_reason or water_reason or "no signal"
        )
    # Where there is no fat, the sum holds the mean of the noise of the fat image as well.
    clean = max(signal - RAYLEIGH_MEAN * sigma_fat, 0.0)
    floor = float(ff_noise_floor(clean, sigma_fat, sigma_water))
    return NoiseEstimate(sigma_water, sigma_fat, signal, clean / sigma_fat, floor)


def _intensity_step(values: Array) -> float:
    """Return the distance between neighbouring intensities of a quantized image."""
    levels = np.unique(values)
    return float(np.diff(levels).min()) if levels.size > 1 else float(levels[0])


def _noisy_values(image: Array, belt: Bool) -> Array | None:
    """Return the belt values of a slice where the background has not been zeroed."""
    zeros = ndimage.uniform_filter((image == 0).astype(np.float32), NEIGHBOURHOOD)
    used = belt & (zeros < MAX_ZERO_SHARE) & np.isfinite(image)
    if used.sum() < max(MIN_USED_SHARE * belt.sum(), MIN_BELT_VOXELS):
        return None
    values: Array = image[used]
    return values


def _dither(values: Array, step: float) -> Float64:
    """Undo rounding by adding noise of one step, so that quantiles of small integers are smooth."""
    rounding = np.random.default_rng(0).uniform(-0.5, 0.5, values.size) * step
    return np.abs(values.astype(np.float64) + rounding)
