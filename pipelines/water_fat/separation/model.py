"""The signal model: water and fat that share one field and one decay.

``s_n = (W + F c_n) exp(-R t_n) exp(2 pi i f t_n)`` with complex W and F, the fat signal ``c_n`` of
a known spectrum, the off-resonance f in Hz and R = R2* in 1/s. For known f and R the model is
linear in W and F; eliminating them leaves the residual energy of a projection (variable
projection, Golub & Pereyra, SIAM J Numer Anal 1973;10:413).
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Complex128, Float32, Float64
from pipelines.water_fat.separation.spectra import FatSpectrum

# Decay (1/s) assumed before it is fitted.
TYPICAL_R2STAR = 40.0
# Noise may carry R2* (1/s) somewhat below zero; cutting it at zero would bias the mean fat
# fraction.
R2STAR_LIMITS = (-20.0, 400.0)
# Share of the signal that a real scan deviates from the model (spectrum, phase, amplitude), which
# bounds how much a residual may be trusted.
MODEL_ERROR = 0.03

# Echo times that miss an even grid by less than this share of a turn over the period of the grid
# make the residual periodic for all practical purposes.
_EVEN_TOLERANCE_TURNS = 0.01


@dataclass(frozen=True)
class EchoModel:
    """What is known before any voxel is looked at.

    Attributes
    ----------
    times_s : ndarray of shape (echoes,)
        Echo times, ascending, in seconds.
    fat : ndarray of shape (echoes,)
        Signal of one unit of fat, see :meth:`.FatSpectrum.phasor`.
    main_shift_hz : float
        Frequency of the main fat peak relative to water (negative).
    field_strength_t : float
        Main field, T.
    spectrum : FatSpectrum
        Where `fat` comes from.
    """

    times_s: Float64
    fat: Complex128
    main_shift_hz: float
    field_strength_t: float
    spectrum: FatSpectrum

    @classmethod
    def of(cls, times_s: Float64, field_strength_t: float, spectrum: FatSpectrum) -> "EchoModel":
        """Build the model of a protocol."""
        return cls(
            times_s,
            spectrum.phasor(times_s, field_strength_t),
            spectrum.main_shift_hz(field_strength_t),
            field_strength_t,
            spectrum,
        )

    @property
    def echoes(self) -> int:
        """Number of echoes."""
        return self.times_s.size

    @property
    def period_hz(self) -> float | None:
        """Field difference that no echo can see, or None if the echoes are unevenly spaced."""
        spacing = float(np.diff(self.times_s).mean())
        even = self.times_s[0] + spacing * np.arange(self.echoes)
        off_turns = np.abs(self.times_s - even).max() / spacing
        return 1.0 / spacing if off_turns < _EVEN_TOLERANCE_TURNS else None

    def basis(self, r2star: float) -> Complex128:
        """Return the signals of one unit of water and of fat, shape (echoes, 2)."""
        columns: Complex128 = np.stack([np.ones_like(self.fat), self.fat], axis=1)
        columns *= np.exp(-r2star * self.times_s)[:, None]
        return columns

    def projector(self, r2star: float) -> Complex128:
        """Return the projection onto what water and fat cannot explain, (echoes, echoes)."""
        basis = self.basis(r2star)
        return np.eye(self.echoes, dtype=np.complex128) - basis @ np.linalg.pinv(basis)


def wrap(field: Float32, period_hz: float | None) -> Float32:
    """Bring field differences (Hz) into half a period around zero."""
    if period_hz is None:
        return field
    period = np.float32(period_hz)
    return (field - period * np.round(field / period)).astype(np.float32)
