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

    def separated(
        self, options: SeparationOptions | None = None, *, phase: bool = True
    ) -> SeparationResult:
        return separate(
            np.abs(self.echoes),
            np.angle(self.echoes) if phase else None,
            self.protocol.echo_times_ms,
            self.phantom.affine,
            self.protocol.field_strength_t,
            options=options,
        )

    def errors(self, ff: Array) -> dict[float, float]:
        """Return mean minus truth (points) of the eroded muscles, by their fat fraction."""
        phantom = self.phantom
        truth = {m: float(phantom.ff[phantom.labels == m][0]) for m in phantom.muscles}
        return {
            level: max(
                (
                    float(np.nanmean(ff[phantom.eroded(m)])) - level
                    for m, value in truth.items()
                    if value == level
                ),
                key=abs,
            )
            for level in set(truth.values())
        }


MakeScan = Callable[..., Scan]


@pytest.fixture(scope="session")
def make_scan() -> MakeScan:
    """Return a function that simulates a protocol of the phantom."""

    def make(name: str, *, snr: float = 50.0, slices: int = 2, **changes: object) -> Scan:
        at_signal = {k: changes.pop(k) for k in ("spectrum", "bipolar") if k in changes}
        protocol = PROTOCOLS[name]
        phantom = make_phantom(
            field_strength_t=protocol.field_strength_t,
            shape=(160, 96, slices),
            **changes,  # type: ignore[arg-type]
        )
        echoes = signal(phantom, protocol.echo_times_ms, snr=snr, **at_signal)  # type: ignore[arg-type]
        return Scan(phantom, protocol, INTENSITY * echoes)

    return make
