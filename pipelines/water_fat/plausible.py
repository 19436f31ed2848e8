"""Fat fractions that are none: quotients of noise, and values that no tissue has."""

import numpy as np

from pipelines.arrays import Array, Bool, Float32
from pipelines.quality import Check

# Noise scatters unclipped fat fractions around 0 and 100 %. What lies further out is no measurement
# but a quotient of two values near zero, or the marker of a background.
PLAUSIBLE_PERCENT = (-50.0, 150.0)
# Water plus fat up to this multiple of the SD of its noise is noise.
NOISE_MULTIPLE = 3.0
# Share of the body (percent) without a fat fraction that is usual: cortical bone, tendons, air.
MISSING_PERCENT = 10.0


def without_impossible(ff: Float32) -> Float32:
    """Return the map (percent) with no value where it lies outside -50...150 %; never clipped."""
    low, high = PLAUSIBLE_PERCENT
    with np.errstate(invalid="ignore"):
        return np.where((ff >= low) & (ff <= high), ff, np.float32(np.nan))


def is_noise(total: Array, noise: float) -> Bool:
    """Tell where water plus fat, with noise of the given SD, holds no signal."""
    within: Bool = np.asarray(total <= NOISE_MULTIPLE * noise)
    return within


def check_missing(ff: Float32, body: Bool) -> Check:
    """Report the share of the body that has no fat fraction."""
    share = 100.0 * float((~np.isfinite(ff[body])).mean()) if body.any() else 100.0
    text = f"{share:.2g} % of the body have no fat fraction: no signal, or values no tissue has"
    if share <= MISSING_PERCENT:
        return Check("no_fat_fraction", "pass", text + ".", share, "%", MISSING_PERCENT)
    text += "; look whether muscles are affected (n_voxels_no_ff)."
    return Check("no_fat_fraction", "warn", text, share, "%", MISSING_PERCENT)
