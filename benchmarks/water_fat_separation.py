#!/usr/bin/env python3
"""Water-fat separation of the multi-echo phantom: swaps, error per muscle, time, memory.

Simulated data with known truth (``tests/pipelines/water_fat/multi_echo_phantom.py``). "matched"
fits with the spectrum that made the signal, "mismatched" with another one. The plain version fits
each voxel by itself from a field of zero, as a script without field map estimation would.

Usage: water_fat_separation.py [--quick]
"""

import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from pipelines.water_fat.separation.separate import SeparationResult, separate  # noqa: E402
from tests.pipelines.water_fat.multi_echo_phantom import (  # noqa: E402
    PROTOCOLS,
    Phantom,
    Protocol,
    make_phantom,
    signal,
)

Array = npt.NDArray[Any]

# A voxel counts as swapped if it is this far (points) from the truth.
SWAPPED_FROM = 50.0
QUICK = ("3pt-3T-in-opposed", "6pt-3T-short")
SPEED = (("6 echoes", "6pt-3T-short", (160, 96, 20)), ("3 echoes", "3pt-1.5T", (256, 160, 32)))


def main() -> None:
    """Print accuracy of every protocol, then the speed."""
    with_phase = tuple(name for name, p in PROTOCOLS.items() if len(p.echo_times_ms) > 2)
    names = QUICK if "--quick" in sys.argv else with_phase
    print(f"{'protocol':20}{'spectrum':>12}{'SNR':>5}{'swapped %':>11}{'worst muscle':>14}")
    for name in names:
        protocol = PROTOCOLS[name]
        for spectrum in ("ismrm-6", "hamilton-9"):
            phantom = make_phantom(field_strength_t=protocol.field_strength_t, steep=True)
            result, _ = run(phantom, protocol, spectrum, snr=40)
            swapped, worst = score(phantom, result)
            kind = "matched" if spectrum == "ismrm-6" else "mismatched"
            print(f"{name:20}{kind:>12}{40:5}{swapped:11.3f}{worst:14.2f}", flush=True)
    print(f"\n{'speed':12}{'voxels':>10}{'s':>8}{'plain s':>9}{'ratio':>7}{'us/voxel':>10}")
    for title, name, shape in SPEED:
        protocol = PROTOCOLS[name]
        phantom = make_phantom(field_strength_t=protocol.field_strength_t, shape=shape)
        _, seconds = run(phantom, protocol, "ismrm-6", snr=40)
        plain = plain_seconds(phantom, protocol)
        voxels = phantom.labels.size
        print(
            f"{title:12}{voxels:10}{seconds:8.1f}{plain:9.1f}{plain / seconds:7.1f}"
            f"{1e6 * seconds / voxels:10.1f}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"peak memory of this process {peak:.0f} MB")


def run(
    phantom: Phantom, protocol: Protocol, spectrum: str, snr: float
) -> tuple[SeparationResult, float]:
    """Separate one simulated scan; return the result and the time it took (s)."""
    echoes = signal(phantom, protocol.echo_times_ms, snr=snr, spectrum=spectrum)
    magnitude, phase = np.abs(echoes), np.angle(echoes)
    start = time.perf_counter()
    result = separate(
        magnitude, phase, protocol.echo_times_ms, phantom.affine, protocol.field_strength_t
    )
    return result, time.perf_counter() - start


def score(phantom: Phantom, result: SeparationResult) -> tuple[float, float]:
    """Return swapped voxels (% of tissue) and the largest error of a muscle's mean (points)."""
    error = (result.ff - phantom.ff)[phantom.tissue]
    swapped = 100 * float((np.abs(error) > SWAPPED_FROM).mean())
    means = [
        float(np.nanmean(result.ff[phantom.eroded(m)])) - float(phantom.ff[phantom.labels == m][0])
        for m in phantom.muscles
    ]
    return swapped, max(means, key=abs)


def plain_seconds(phantom: Phantom, protocol: Protocol, sample: int = 300) -> float:
    """Return the time a voxel-by-voxel fit would take for the whole phantom, from a sample (s)."""
    from scipy.optimize import least_squares

    from pipelines.water_fat.separation.spectra import fat_spectrum

    times = np.array(protocol.echo_times_ms) / 1000
    fat = fat_spectrum("ismrm-6").phasor(times, protocol.field_strength_t)
    echoes = signal(phantom, protocol.echo_times_ms)[phantom.tissue]
    chosen = echoes[np.linspace(0, len(echoes) - 1, sample).astype(int)].astype(complex)

    def residual(p: Array, s: Array, /) -> Array:
        model = (p[0] + 1j * p[1]) + (p[2] + 1j * p[3]) * fat
        off = model * np.exp((2j * np.pi * p[4] - p[5]) * times) - s
        joined: Array = np.concatenate([off.real, off.imag])
        return joined

    start = time.perf_counter()
    for s in chosen:
        least_squares(residual, [s[0].real, s[0].imag, 0, 0, 0, 40], args=(s,))
    return (time.perf_counter() - start) / sample * int(phantom.tissue.sum())


if __name__ == "__main__":
    main()
