"""Water or fat? What magnitudes alone say, in tissue that is nearly pure.

Water decays as a plain exponential, whatever its R2*. Fat does not: its peaks beat against each
other, and the magnitude follows the pattern ``|c(t)|`` of the spectrum times a decay. Mixtures of
the two follow ``|1 - q + q c(t)|``. So each block of the image is fitted from both sides, as water
with up to 50 % fat and as fat with up to 50 % water, with a decay of a plausible size. Most blocks
fit both ways and are silent (with echoes in opposed, in, and opposed phase all mixtures are); some
fit only one, and contradict a solution that says the other. No phase, field or anatomy is needed.

What is not known is kept open: several spectra stand for fat, each also with half of its pattern
(in the purest fat of a real thigh the pattern had 58 % of its modelled strength), and echoes may
deviate from the model.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float32, Float64, Index
from pipelines.water_fat.separation.model import TYPICAL_R2STAR, EchoModel
from pipelines.water_fat.separation.spectra import fat_spectrum

# Spectra of fat between which the likelihood does not choose, and shares of their pattern.
SPECTRA = ("ismrm-6", "hamilton-9", "ren-9", "triplett-10")
PATTERN_SHARES = (0.5, 1.0)
# Fat fractions (0-1) of the two sides, with some room for an imperfect model beyond 0 and 1.
WATER_SIDE = np.arange(-0.02, 0.505, 0.01)
FAT_SIDE = np.arange(0.5, 1.035, 0.01)
# R2* (1/s) scatters by this much around the typical value: so wide that a fast or slow decay of
# water (marrow of children, iron, poor shimming) is not taken for a pattern of fat.
R2STAR_SD = 80.0
# Relative deviation of a single echo from the model, beside noise.
MODEL_ERROR = 0.03
# A block contradicts water (or fat) if its squared deviation, in units of its variance, is at least
# this much larger than that from the other, which itself must fit.
CONTRADICTION = 1.0
STILL_FITS = 6.0
# Blocks speak if every echo is above this multiple of the noise.
_SPEAKING_SNR = 3.0
# Nearly pure: fat fraction (0-1) up to the first and from the second value on.
NEARLY_PURE = (0.2, 0.8)
# Share of the blocks that contradict what they are: pulsating vessels, edges, motion. In the muscle
# of a real thigh it was 0.04 %; the expected share is taken larger, so that no scan is overrated.
EXPECTED_OUTLIERS = 0.007
# Blocks that are looked at before the share of a class counts half: neighbours are not independent.
HALF_WEIGHT_BLOCKS = 10.0
# All blocks together share one scanner, spectrum and shimming, so their evidence ends here (log of
# the odds, 400 to 1).
LARGEST_LOG_ODDS = 6.0
_CHUNK = 4096
_FAINTEST = 0.02


@dataclass(frozen=True)
class Contradictions:
    """Which blocks can be water only or fat only, by their magnitudes."""

    not_water: Bool
    not_fat: Bool


@dataclass(frozen=True)
class Deviations:
    """How far each block is from water and from fat, squared, in units of its variance.

    Attributes
    ----------
    water, fat : ndarray of shape (blocks,)
    speaks : ndarray of bool, shape (blocks,)
        Whether all echoes are above the noise.
    """

    water: Float32
    fat: Float32
    speaks: Bool

    @property
    def log_odds(self) -> Float32:
        """Log odds for water by the echoes of each block; 0 where noise hides them."""
        odds: Float32 = np.where(self.speaks, (self.fat - self.water) / 2, 0)
        return odds


def deviations(power: Float32, count: Index, model: EchoModel, noise: float) -> Deviations:
    """Fit the blocks from both sides.

    `power` is (echoes, blocks); `count` is (blocks,).
    """
    square = power / count - 2 * noise**2
    speaks = square.min(axis=0) > (_SPEAKING_SNR * noise) ** 2
    square = np.maximum(square, np.float32(max(noise, 1e-6) ** 2))
    logarithm = (np.log(square).T / 2).astype(np.float32)
    variance = (noise**2 / square).mean(axis=0) / count + MODEL_ERROR**2
    water, fat = (
        _deviation(logarithm, variance.astype(np.float32), model, side)
        for side in (WATER_SIDE, FAT_SIDE)
    )
    return Deviations(water, fat, speaks)


def find_contradictions(
    power: Float32, count: Index, model: EchoModel, noise: float
) -> Contradictions:
    """Find the blocks whose magnitudes only water or only fat can have.

    `power` is (echoes, blocks); `count` is (blocks,).
    """
    found = deviations(power, count, model, noise)
    return Contradictions(
        found.speaks & (found.water - found.fat > CONTRADICTION) & (found.fat < STILL_FITS),
        found.speaks & (found.fat - found.water > CONTRADICTION) & (found.water < STILL_FITS),
    )


def log_odds(found: Contradictions, fat_share: Float32, chosen: Bool) -> float:
    """Return by how much the magnitudes prefer a solution to the one with water and fat exchanged.

    The share of contradicting blocks in a class of tissue is small if the class is right (an
    exponential distribution around :data:`EXPECTED_OUTLIERS`) and may be anything if it is not.

    `fat_share` is (blocks,), in 0-1; `chosen` is (blocks,).
    """
    low, high = NEARLY_PURE
    fat, water = chosen & (fat_share >= high), chosen & (fat_share <= low)
    difference = _share(found.not_water, fat) - _share(found.not_water, water)
    difference += _share(found.not_fat, water) - _share(found.not_fat, fat)
    return float(np.clip(difference / EXPECTED_OUTLIERS, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS))


def _share(blocks: Bool, members: Bool) -> float:
    return float((blocks & members).sum() / (members.sum() + HALF_WEIGHT_BLOCKS))


def _deviation(
    logarithm: Float32, variance: Float32, model: EchoModel, fractions: Float64
) -> Float32:
    """Return the squared deviation of each block from the nearest signal of one side."""
    times = model.times_s.astype(np.float32)
    centred = times - times.mean()
    patterns = _patterns(model, fractions)
    patterns -= patterns.mean(axis=1, keepdims=True)
    # The amplitude is free (means are taken off), the decay has a prior: both are linear here.
    signal = logarithm + np.float32(TYPICAL_R2STAR) * times
    signal -= signal.mean(axis=1, keepdims=True)
    least = np.empty(len(signal), np.float32)
    for begin in range(0, len(signal), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        ridge = centred @ centred + variance[part] / np.float32(R2STAR_SD**2)
        square = (signal[part] ** 2).sum(axis=1)[:, None] + (patterns**2).sum(axis=1)
        square -= 2 * signal[part] @ patterns.T
        slope = (signal[part] @ centred)[:, None] - patterns @ centred
        square -= slope**2 / ridge[:, None]
        least[part] = np.maximum(square.min(axis=1), 0) / variance[part]
    return least


def _patterns(model: EchoModel, fractions: Float64) -> Float32:
    """Return the logarithm of the magnitude of every mixture, shape (mixtures, echoes)."""
    rows = []
    for name in SPECTRA:
        phasor = fat_spectrum(name).phasor(model.times_s, model.field_strength_t)
        for share in PATTERN_SHARES:
            fat = np.abs(phasor) ** share * np.exp(1j * np.angle(phasor))
            mixed = np.abs(1 - fractions[:, None] + fractions[:, None] * fat)
            rows.append(np.log(np.maximum(mixed, _FAINTEST)))
    return np.concatenate(rows).astype(np.float32)
