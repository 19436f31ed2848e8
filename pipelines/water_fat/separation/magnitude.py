"""Magnitude-only separation of three and more echoes.

``|s_n| = M |1 - q + q c_n| exp(-R t_n)`` with the fat fraction q. Water with a little fat and fat
with a little water look alike; the fat spectrum makes a difference (Triay Bagur et al., Magn
Reson Med 2019;82:460), which is used here: the fit starts from both sides and the lower residual
counts, summed over the neighbours. Where it hardly differs (three echoes in and opposed phase) the
voxel is marked doubtful.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.water_fat.separation.model import TYPICAL_R2STAR, EchoModel
from pipelines.water_fat.separation.neighbourhood import Neighbourhood, Real, Spread
from pipelines.water_fat.separation.solution import Solution

# Fat fractions (0-1) from which the two fits start.
STARTS = (0.1, 0.9)
STEPS = 10
# Noise takes fat fractions beyond 0 and 1; the model holds on a bit further.
FRACTION_LIMITS = (-0.3, 1.3)
R2STAR_SPREAD = Spread(TYPICAL_R2STAR, 30.0)
R2STAR_LIMITS = (-20.0, 400.0)
# Edge length (voxels) of the window over which the two residuals are compared, and the difference
# (in units of the noise variance, per voxel) below which the choice is doubtful.
COMPARED_WINDOW = 5
DECISIVE = 1.0
# Share of the signal that no real scan follows the model better than.
MODEL_ERROR = 0.01
_LARGEST_STEP = 0.2


@dataclass(frozen=True)
class _Fit:
    amount: Real
    fraction: Real
    r2star: Real
    misfit: Real


def separate_magnitude(
    magnitude: Real,
    voxel: npt.NDArray[np.intp],
    image_shape: tuple[int, int, int],
    model: EchoModel,
    noise: float,
) -> Solution:
    """Separate water and fat without phase.

    Parameters
    ----------
    magnitude : ndarray of shape (echoes, voxels)
        Magnitude of the tissue voxels.
    voxel : ndarray of shape (voxels,)
        Flat index of each voxel in the image.
    image_shape : tuple of int
        Shape of the image.
    model : EchoModel
        Echo times (three or more) and fat signal.
    noise : float
        SD of the real channel.
    """
    neighbours = Neighbourhood(voxel, image_shape)
    lean, fatty = (_fit(magnitude, start, neighbours, model, noise) for start in STARTS)
    energy = (magnitude**2).mean(axis=0)
    variance = noise**2 + MODEL_ERROR**2 * energy
    against_fat = (fatty.misfit - lean.misfit) / variance
    ones = np.ones_like(against_fat)
    mean = neighbours.window_sum(against_fat, COMPARED_WINDOW) / neighbours.window_sum(
        ones, COMPARED_WINDOW
    )
    is_fat = mean < 0
    amount = np.where(is_fat, fatty.amount, lean.amount)
    fraction = np.where(is_fat, fatty.fraction, lean.fraction)
    r2star = np.where(is_fat, fatty.r2star, lean.r2star)
    doubtful = np.abs(mean) < DECISIVE
    notes = (
        f"{model.echoes} magnitude echoes without phase: magnitude fit; "
        f"{100 * doubtful.mean():.0f} % of the tissue could as well have water and fat exchanged.",
    )
    return Solution(
        method="multi-echo magnitude fit",
        voxel=voxel,
        water=amount * (1 - fraction),
        fat=amount * fraction,
        r2star=r2star,
        field=None,
        doubtful=doubtful,
        precession="not used",
        residual=None,
        notes=notes,
    )


def _fit(
    magnitude: Real, start: float, neighbours: Neighbourhood, model: EchoModel, noise: float
) -> _Fit:
    """Gauss-Newton fit of amount and fat fraction per voxel, and of R2* shared by neighbours."""
    fraction = np.full(magnitude.shape[1], start, np.float32)
    r2star = np.full_like(fraction, TYPICAL_R2STAR)
    same_class = np.zeros_like(fraction)
    for _ in range(STEPS):
        amount, rest, by_fraction, by_decay = _linearized(magnitude, fraction, r2star, model)
        # Step of the fraction with the decay known, then of the decay with the fraction free.
        qq = (by_fraction**2).sum(axis=0)
        qr = (by_fraction * by_decay).sum(axis=0) / np.maximum(qq, np.finfo(np.float32).tiny)
        free_decay = by_decay - by_fraction * qr
        weight = (free_decay**2).sum(axis=0)
        target = weight * r2star + (free_decay * rest).sum(axis=0)
        new = np.clip(
            neighbours.average(target, weight, same_class, noise, R2STAR_SPREAD), *R2STAR_LIMITS
        )
        step = (by_fraction * rest).sum(axis=0) / np.maximum(qq, np.finfo(np.float32).tiny)
        step = np.clip(step - qr * (new - r2star), -_LARGEST_STEP, _LARGEST_STEP)
        fraction = np.clip(fraction + step, *FRACTION_LIMITS).astype(np.float32)
        r2star = new
    amount, rest, _, _ = _linearized(magnitude, fraction, r2star, model)
    outside = np.maximum(-fraction, 0) + np.maximum(fraction - 1, 0)
    misfit = (rest**2).sum(axis=0) + (amount * outside) ** 2
    misfit += noise**2 * ((r2star - R2STAR_SPREAD.typical) / R2STAR_SPREAD.deviation) ** 2
    return _Fit(amount, fraction, r2star, misfit.astype(np.float32))


def _linearized(
    magnitude: Real, fraction: Real, r2star: Real, model: EchoModel
) -> tuple[Real, Real, Real, Real]:
    """Return the best amount, the residual, and its slopes with the amount free."""
    times = model.times_s.astype(np.float32)[:, None]
    contrast = (model.fat - 1).astype(np.complex64)[:, None]
    mixed = 1 + contrast * fraction
    size = np.maximum(np.abs(mixed), np.float32(1e-3))
    decay = np.exp(-times * r2star)
    shape = size * decay
    energy = (shape**2).sum(axis=0)
    amount = (shape * magnitude).sum(axis=0) / energy
    rest = magnitude - amount * shape
    slope_fraction = amount * (mixed.conj() * contrast).real / size * decay
    slope_decay = -amount * times * shape
    free = []
    for slope in (slope_fraction, slope_decay):
        free.append(slope - shape * ((slope * shape).sum(axis=0) / energy))
    return amount, rest, free[0], free[1]
