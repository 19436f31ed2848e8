"""Fat spectra: where the fat signal lies relative to water, and how it evolves with echo time.

The spectra are data (``spectra.json``). A fat fraction depends on the spectrum by up to a few
points, so its name is reported with every result and two studies with different spectra differ
like two scanners.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from pipelines.arrays import Complex128, Float64
from pipelines.errors import DataError
from pipelines.package_data import package_json

# CODATA 2018: shielded or not makes no difference at this precision.
PROTON_MHZ_PER_TESLA = 42.577478518

DEFAULT_SPECTRUM = "ismrm-6"


@dataclass(frozen=True)
class FatSpectrum:
    """Peaks of the fat signal.

    Attributes
    ----------
    name : str
        Key in ``spectra.json``.
    shift_ppm : ndarray of shape (peaks,)
        Frequency relative to water; negative for the main peaks.
    amplitude : ndarray of shape (peaks,)
        Relative areas, adding up to one.
    source : str
        Publication.
    """

    name: str
    shift_ppm: Float64
    amplitude: Float64
    source: str

    def shift_hz(self, field_strength_t: float) -> Float64:
        """Return the frequency of each peak relative to water, in Hz."""
        hz: Float64 = self.shift_ppm * PROTON_MHZ_PER_TESLA * field_strength_t
        return hz

    def main_shift_hz(self, field_strength_t: float) -> float:
        """Return the frequency of the largest peak relative to water, in Hz (negative)."""
        return float(self.shift_hz(field_strength_t)[self.amplitude.argmax()])

    def phasor(self, times_s: Float64, field_strength_t: float) -> Complex128:
        """Return the signal of one unit of fat at each echo time, without decay.

        Parameters
        ----------
        times_s : ndarray of shape (echoes,)
            Echo times in seconds.
        field_strength_t : float
            Main field in tesla.

        Returns
        -------
        ndarray of shape (echoes,)
            Complex sum over the peaks; 1 at time zero.
        """
        turns = np.outer(times_s, self.shift_hz(field_strength_t))
        signal: Complex128 = np.exp(2j * np.pi * turns) @ self.amplitude
        return signal


@cache
def _table() -> Mapping[str, FatSpectrum]:
    table = {}
    for name, row in package_json(__package__, "spectra.json").items():
        amplitude = np.array(row["amplitude"], np.float64)
        shift = np.array(row["ppm"], np.float64) - row["water_ppm"]
        table[name] = FatSpectrum(name, shift, amplitude / amplitude.sum(), row["source"])
    return table


def fat_spectrum(name: str = DEFAULT_SPECTRUM) -> FatSpectrum:
    """Return a fat spectrum by name.

    Raises
    ------
    DataError
        If there is no spectrum of this name.
    """
    table = _table()
    if name not in table:
        raise DataError(f"There is no fat spectrum called '{name}'.", f"Known: {', '.join(table)}.")
    return table[name]
