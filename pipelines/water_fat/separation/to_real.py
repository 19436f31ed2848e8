"""From complex water and fat to real values that noise leaves unbiased.

The magnitude of a noisy fat signal is never zero, so a fat fraction of magnitudes reads several
percent in muscle without fat. Water and fat of a voxel share one phase; their parts along it
scatter around the true values, above and below, and their mean is right (Bydder et al., Magn Reson
Imaging 2011;29:216; Liu et al., Magn Reson Med 2007;58:354).
"""

import numpy as np

from pipelines.arrays import Complex64, Float32


def phase_offset(water: Complex64, fat: Complex64) -> float:
    """Return the phase of fat relative to water that all voxels have in common, rad.

    It is near zero where echo times and spectrum are exact. Radio-frequency pulses with a phase
    that depends on frequency, or echo times counted from another point of the pulse, shift it;
    projecting fat on the phase of water would then lose part of the fat.

    `water` and `fat` are (voxels,).
    """
    product = fat * water.conj()
    larger = np.maximum(np.abs(water), np.abs(fat))
    weight = 1 / np.maximum(larger, np.finfo(np.float32).tiny)
    return float(np.angle((product * weight).sum(dtype=np.complex128)))


def to_real(water: Complex64, fat: Complex64) -> tuple[Float32, Float32, float]:
    """Project water and fat on their common phase.

    `water`, `fat`, `water` and `fat` are (voxels,).
    """
    offset = phase_offset(water, fat)
    turned = fat * np.complex64(np.exp(-1j * offset))
    total = water + turned
    direction = total.conj() / np.maximum(np.abs(total), np.finfo(np.float32).tiny)
    return (water * direction).real, (turned * direction).real, offset


def percent(water: Float32, fat: Float32) -> Float32:
    """Return 100 fat / (water + fat), not clipped; NaN where there is no signal.

    Noise takes single voxels below 0 and above 100; clipping them would bias the mean of a muscle
    without fat by up to half of the noise.
    """
    total = water + fat
    known = total > 0
    result: Float32 = np.where(known, 100 * fat / np.where(known, total, 1), np.nan)
    return result.astype(np.float32)
