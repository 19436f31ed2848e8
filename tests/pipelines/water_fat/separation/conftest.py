"""Scans of the digital phantom that several modules use."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from pipelines.water_fat.separation.options import SeparationOptions
from pipelines.water_fat.separation.separate import SeparationResult, separate
from tests.pipelines.water_fat.multi_echo_phantom import (
    PROTOCOLS,
    Array,
    Phantom,
    Protocol,
    make_phantom,
    signal,
)

INTENSITY = 500.0


@dataclass(frozen=True)
class Scan:
    """A simulated scan: complex echoes scaled to intensities, and its truth."""

    phantom: Phantom
    protocol: Protocol
    echoes: Array

    @property
    def magnitude(self) -> Array:
        return np.abs(self.echoes)

    @property
    def phase(self) -> Array:
        return np.angle(self.echoes)

    def separated(
        self, phase: Array | None = None, *, magnitude_only: bool = False, **options: object
    ) -> SeparationResult:
        """Separate, with the true phase unless another one is given."""
        if not magnitude_only and phase is None:
            phase = self.phase
        return separate(
            self.magnitude,
            phase,
            self.protocol.echo_times_ms,
            self.phantom.affine,
            self.protocol.field_strength_t,
            options=SeparationOptions(**options),  # type: ignore[arg-type]
        )


def scan(
    name: str,
    *,
    slices: int = 2,
    snr: float = 50.0,
    b0_ppm: float = 1.5,
    steep: bool = False,
    fat_decay_excess: float = 0.0,
    spectrum: str = "ismrm-6",
    bipolar: tuple[float, float, float] | None = None,
) -> Scan:
    """Simulate a protocol of the phantom."""
    protocol = PROTOCOLS[name]
    phantom = make_phantom(
        field_strength_t=protocol.field_strength_t,
        b0_ppm=b0_ppm,
        steep=steep,
        fat_decay_excess=fat_decay_excess,
        shape=(160, 96, slices),
    )
    echoes = signal(phantom, protocol.echo_times_ms, snr=snr, spectrum=spectrum, bipolar=bipolar)
    return Scan(phantom, protocol, INTENSITY * echoes)


@pytest.fixture(scope="session")
def make_scan() -> Callable[..., Scan]:
    """Return the function that simulates a scan."""
    return scan


@pytest.fixture(scope="session")
def six_echoes() -> Scan:
    """A scan of six echoes at 3 T."""
    return scan("6pt-3T-short")


def muscle_errors(ff: Array, phantom: Phantom) -> dict[int, float]:
    """Return mean fat fraction minus truth (points) of the eroded muscles."""
    return {
        m: float(np.nanmean(ff[phantom.eroded(m)]) - phantom.ff[phantom.labels == m][0])
        for m in phantom.muscles
    }


def muscle_truth(phantom: Phantom) -> dict[int, float]:
    """Return the fat fraction of each muscle."""
    return {m: float(phantom.ff[phantom.labels == m][0]) for m in phantom.muscles}


def swapped_share(result: SeparationResult, phantom: Phantom, period_hz: float | None) -> float:
    """Return the percentage of tissue voxels whose field and fat fraction are both far off."""
    assert result.b0 is not None
    field_error = result.b0 - phantom.b0
    if period_hz is not None:
        field_error -= period_hz * np.round(field_error / period_hz)
    ppm = field_error / (42.577 * phantom.field_strength_t)
    swapped = (np.abs(ppm) > 1.2) & (np.abs(result.ff - phantom.ff) > 30)
    return 100 * float(swapped[phantom.tissue].mean())
