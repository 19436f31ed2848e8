"""Local refinement: field and R2* of every voxel, then its water and fat.

Gauss-Newton steps of the variable projection functional. In the model of
:mod:`pipelines.water_fat.separation.model` field and decay act as one complex rate, so the step of
a voxel is the ratio of one complex and one real number. Both are averaged over in-plane neighbours
(:mod:`pipelines.water_fat.separation.neighbourhood`) before they are divided: neighbours share
R2* and the correction of the field, but every voxel keeps its own water and fat. That takes most
of the noise that fitting R2* would add to the fat fraction, without blurring it.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Complex64, Float32, Index
from pipelines.water_fat.separation.model import R2STAR_LIMITS, TYPICAL_R2STAR, EchoModel
from pipelines.water_fat.separation.neighbourhood import (
    R2STAR_SPREAD,
    Neighbourhood,
    Spread,
    fat_class,
)

REFINEMENT_STEPS = 5
# The coarse field is right within about 10 Hz; rad/s.
FIELD_SPREAD = Spread(0.0, 60.0)
# Voxels worked on at a time, so that the temporary arrays stay in the processor's cache.
_CHUNK = 1 << 14


@dataclass(frozen=True)
class Refined:
    """Result per tissue voxel.

    Attributes
    ----------
    water, fat : ndarray of complex64, shape (voxels,)
        Signals at echo time zero.
    field : ndarray of shape (voxels,)
        Off-resonance, Hz.
    r2star : ndarray of shape (voxels,)
        Common decay, 1/s.
    residual : ndarray of shape (voxels,)
        Energy the model leaves over.
    """

    water: Complex64
    fat: Complex64
    field: Float32
    r2star: Float32
    residual: Float32


def refine(
    signal: Complex64,
    field: Float32,
    voxel: Index,
    image_shape: tuple[int, int, int],
    model: EchoModel,
    *,
    noise: float,
) -> Refined:
    """Refine the field, fit R2*, and solve for water and fat.

    `signal` is (echoes, voxels); `field` is (voxels,), in Hz; `voxel` is (voxels,).
    """
    neighbours = Neighbourhood(voxel, image_shape)
    turn = np.zeros_like(field)
    r2star = np.full_like(field, TYPICAL_R2STAR)
    for _ in range(REFINEMENT_STEPS):
        corrected = field + turn / np.float32(2 * np.pi)
        slope, bend, fatty = _normal_equation(signal, corrected, r2star, model)
        # The Gauss-Newton step is dR - i d(turn) = -slope / bend.
        decay_target = bend * r2star - slope.real
        turn_target = bend * turn + slope.imag
        r2star = neighbours.average(decay_target, bend, noise, R2STAR_SPREAD, fatty)
        r2star = np.clip(r2star, *R2STAR_LIMITS)
        turn = neighbours.average(turn_target, bend, noise, FIELD_SPREAD, fatty)
    return solve(signal, field + turn / np.float32(2 * np.pi), r2star, model)


def solve(signal: Complex64, field: Float32, r2star: Float32, model: EchoModel) -> Refined:
    """Solve for water and fat with known field and decay, voxel by voxel.

    `signal` is (echoes, voxels); `field` and `r2star` are (voxels,), in Hz.
    """
    water = np.empty(field.size, np.complex64)
    fat = np.empty(field.size, np.complex64)
    residual = np.empty(field.size, np.float32)
    for part in _chunks(field.size):
        turned = _demodulate(signal[:, part], field[part], model)
        fit = _linear_fit(turned, r2star[part], model)
        water[part], fat[part] = fit.water, fit.fat
        residual[part] = _energy(fit.rest)
    return Refined(water, fat, field, r2star, residual)


@dataclass(frozen=True)
class _Fit:
    """Water and fat of demodulated signals, what they explain, and the rest."""

    water: Complex64
    fat: Complex64
    explained: Complex64
    rest: Complex64


def _normal_equation(
    signal: Complex64, field: Float32, r2star: Float32, model: EchoModel
) -> tuple[Complex64, Float32, Float32]:
    """Return per voxel ``<v, r>``, ``<v, v>`` and the membership of fat-like tissue.

    ``r`` is the residual and ``v = P (t * fit)``. A change dR of the decay and df of the field
    changes the residual by ``(dR - 2 pi i df) v`` (Kaufman's approximation, BIT 1975;15:49).
    """
    slope = np.empty(field.size, np.complex64)
    bend = np.empty(field.size, np.float32)
    fatty = np.empty(field.size, np.float32)
    times = model.times_s.astype(np.float32)[:, None]
    for part in _chunks(field.size):
        fit = _linear_fit(_demodulate(signal[:, part], field[part], model), r2star[part], model)
        v = _linear_fit(times * fit.explained, r2star[part], model).rest
        slope[part] = np.einsum("ij,ij->j", v.conj(), fit.rest)
        bend[part] = _energy(v)
        fatty[part] = fat_class(np.abs(fit.water), np.abs(fit.fat))
    return slope, bend, fatty


def _demodulate(signal: Complex64, field: Float32, model: EchoModel) -> Complex64:
    turns = np.multiply.outer(model.times_s.astype(np.float32), field)
    turned: Complex64 = signal * np.exp(np.complex64(-2j * np.pi) * turns)
    return turned


def _linear_fit(turned: Complex64, r2star: Float32, model: EchoModel) -> _Fit:
    """Solve the 2 x 2 normal equations for water and fat."""
    fat = model.fat.astype(np.complex64)
    decay = np.exp(np.multiply.outer(-model.times_s.astype(np.float32), r2star))
    square = decay * decay
    ww = square.sum(axis=0)
    wf = fat @ square
    ff = (np.abs(fat) ** 2) @ square
    damped = decay * turned
    right_w = damped.sum(axis=0)
    right_f = fat.conj() @ damped
    determinant = ww * ff - (wf.real**2 + wf.imag**2)
    water = (ff * right_w - wf * right_f) / determinant
    fat_part = (ww * right_f - wf.conj() * right_w) / determinant
    explained = decay * (water + np.multiply.outer(fat, fat_part))
    return _Fit(water, fat_part, explained, turned - explained)


def _energy(values: Complex64) -> Float32:
    energy: Float32 = (values.real**2 + values.imag**2).sum(axis=0)
    return energy


def _chunks(size: int) -> list[slice]:
    return [slice(begin, min(begin + _CHUNK, size)) for begin in range(0, size, _CHUNK)]
