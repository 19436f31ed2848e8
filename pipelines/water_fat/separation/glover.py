"""Three echoes with water and fat opposed, in, and opposed: the method of Glover.

Glover and Schneider, Magn Reson Med 1991;18:371. The field is known from the phase between the
opposed echoes; once it is taken out, only the real parts relative to the common phase are used.
That makes the fat fraction immune to what often separates three single acquisitions from the
model: a phase between water and fat other than the echo times say (RF pulse, field strength), a
phase offset of the middle echo, an alternating readout. On a real thigh the median of muscle stays
at 3.4-3.6 % whichever sign of the phase and whichever field strength (2.89 or 3 T) is assumed; a
fit of the full complex signal gives 5.9 %, or exchanges water and fat.

Unlike in the original the fat signal of each echo is that of the whole spectrum and decay is
corrected; with the spectrum ``single-1`` it is the classical three-point method.
"""

import numpy as np

from pipelines.arrays import Complex64, Float32
from pipelines.water_fat.separation.model import EchoModel
from pipelines.water_fat.separation.refinement import Refined

# Largest correction of a fat fraction (0-1) for the effect of noise on a ratio; beyond it a voxel
# is noise.
LARGEST_CORRECTION = 0.05


def real_part_fit(
    signal: Complex64, refined: Refined, model: EchoModel, *, noise: float
) -> tuple[Float32, Float32]:
    """Solve for water and fat with the real parts of the demodulated echoes.

    `signal` is (echoes, voxels); `water` and `fat` are (voxels,).
    """
    turned = [
        echo * np.exp(np.complex64(-2j * np.pi * time) * refined.field)
        for echo, time in zip(signal, model.times_s, strict=True)
    ]
    phase = _common_phase(turned)
    ww, wf, ff, right_w, right_f = (np.zeros_like(refined.field) for _ in range(5))
    for echo, time, fat in zip(turned, model.times_s, model.fat.real, strict=True):
        real = (echo * phase.conj()).real
        decay = np.exp(np.float32(-time) * refined.r2star)
        gain = np.float32(fat) * decay
        ww += decay * decay
        wf += decay * gain
        ff += gain * gain
        right_w += decay * real
        right_f += gain * real
    determinant = ww * ff - wf * wf
    water: Float32 = ((ff * right_w - wf * right_f) / determinant).astype(np.float32)
    fat_part: Float32 = ((ww * right_f - wf * right_w) / determinant).astype(np.float32)
    scale = np.float32(noise**2) / determinant
    covariance: Float32 = (scale * np.stack([ff, -wf, ww])).astype(np.float32)
    shift = _ratio_bias(water, fat_part, covariance)
    return water - shift, fat_part + shift


def _common_phase(turned: list[Complex64]) -> Complex64:
    """Return the phase halfway between the middle echo and the others, as a unit phasor.

    The opposed echoes are turned round where fat dominates. A phase offset between the middle echo
    and the others then takes the same share from the real parts of both.
    """
    opposed = (turned[0] + turned[2]) / 2
    sign = np.sign((opposed * turned[1].conj()).real)
    both = turned[1] + sign * opposed
    unit: Complex64 = both / np.maximum(np.abs(both), np.finfo(np.float32).tiny)
    return unit


def _ratio_bias(water: Float32, fat: Float32, covariance: Float32) -> Float32:
    """Return what noise takes from the mean of fat / (water + fat), times the sum.

    Second order of the ratio of two correlated values; `covariance` holds the variance of water,
    the covariance, and the variance of fat.
    """
    of_water, between, of_fat = covariance
    total = water + fat
    known = total > np.sqrt(of_fat)
    total = np.where(known, total, 1)
    bias = (of_fat + between - fat / total * (of_water + 2 * between + of_fat)) / total
    limit = np.float32(LARGEST_CORRECTION) * total
    shift: Float32 = np.where(known, np.clip(bias, -limit, limit), 0).astype(np.float32)
    return shift
