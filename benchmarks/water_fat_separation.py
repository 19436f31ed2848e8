#!/usr/bin/env python3
"""Water-fat separation of the multi-echo phantom: swaps, error per muscle, time, memory.

Simulated data with known truth (``tests/pipelines/water_fat/multi_echo_phantom.py``), not
measurements. "matched" is fitted with the spectrum and the decay that made the signal;
"mismatched" was made with another spectrum and fat that decays 12 1/s faster than water.

water_fat_separation.py [--quick]
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from pipelines.water_fat.separation.separate import SeparationResult, separate  # noqa: E402
from pipelines.water_fat.swaps import FAT_FROM  # noqa: E402
from tests.pipelines.water_fat.limb_kinds import KINDS, make_limb  # noqa: E402
from tests.pipelines.water_fat.multi_echo_phantom import (  # noqa: E402
    PROTOCOLS,
    Phantom,
    Protocol,
    make_phantom,
    signal,
)

Array = npt.NDArray[Any]

# What must be reached: swapped tissue (%), worst muscle (points), muscles without fat (points).
MOST_SWAPPED = 0.05
LARGEST_ERROR = {"matched": 0.3, "mismatched": 3.0}
LARGEST_AT_ZERO = 0.5
# A voxel is swapped if its field is this far off (ppm, modulo the period of the echoes) and its
# fat fraction this many points; noise alone reaches neither together.
SWAPPED_PPM, SWAPPED_POINTS = 1.2, 30.0
# Protocols and spectra of the limbs of other kinds, and the share of their muscle (%) from which on
# water and fat count as exchanged.
DECISIONS = ("3pt-3T-in-opposed", "3pt-1.5T", "6pt-3T-short")
# The same for magnitudes without phase, of three to six echoes.
MAGNITUDE_DECISIONS = (
    "3pt-3T-in-opposed",
    "3pt-1.5T",
    "3pt-3T-short",
    "4pt-3T",
    "5pt-1.5T-uneven",
    "6pt-3T-short",
)
DECISION_SPECTRA = ("ismrm-6", "hamilton-9", "measured")
LARGEST_EXCHANGED = 10.0
QUICK = ("3pt-3T-in-opposed", "6pt-3T-short")


@dataclass(frozen=True)
class Variant:
    """How hard a phantom is."""

    spectrum: str
    b0_ppm: float
    steep: bool
    snr: float

    @property
    def slices(self) -> int:
        """Slices: many at low SNR, so that noise of the means stays small against the limits."""
        return 20 if self.snr > 20 else 60

    @property
    def kind(self) -> str:
        """Whether the fit knows the spectrum and decay of the signal."""
        return "matched" if self.spectrum == "ismrm-6" else "mismatched"


VARIANTS = (
    Variant("ismrm-6", 1.5, False, 60),
    Variant("ismrm-6", 3.0, True, 40),
    Variant("ismrm-6", 3.0, True, 15),
    Variant("hamilton-9", 3.0, True, 40),
    Variant("hamilton-9", 3.0, True, 15),
)


@dataclass(frozen=True)
class SpeedCase:
    """A scan of clinical size."""

    title: str
    protocol: str
    shape: tuple[int, int, int]
    voxel_mm: tuple[float, float, float]
    phase: bool = True


SPEED_CASES = (
    SpeedCase("6 echoes", "6pt-3T-short", (160, 96, 20), (2.0, 2.0, 5.0)),
    SpeedCase("6 echoes, 4 times as many", "6pt-3T-short", (160, 96, 80), (2.0, 2.0, 1.25)),
    SpeedCase("3 echoes, in/opposed", "3pt-3T-in-opposed", (512, 256, 10), (0.8, 0.8, 20.0)),
    SpeedCase("6 magnitudes", "6pt-3T-short", (160, 96, 20), (2.0, 2.0, 5.0), phase=False),
)


def main() -> int:
    """Print accuracy and speed; 1 if a limit is exceeded."""
    if "--case" in sys.argv:
        print(json.dumps(measure(SPEED_CASES[int(sys.argv[-1])])))
        return 0
    missed = print_accuracy(QUICK if "--quick" in sys.argv else tuple(PROTOCOLS))
    missed += print_decisions()
    print_speed()
    return int(missed > 0)


def print_accuracy(names: tuple[str, ...]) -> int:
    """Print one line per protocol and variant and return how many miss a limit."""
    print(
        f"{'protocol':18}{'spectrum':>11}{'B0 ppm':>7}{'SNR':>5}{'swapped %':>11}"
        f"{'worst muscle':>14}{'at 0 %':>8}{'doubtful %':>12}"
    )
    missed = 0
    for name in names:
        protocol = PROTOCOLS[name]
        if len(protocol.echo_times_ms) < 3:
            continue
        for variant in VARIANTS:
            phantom = make_phantom(
                field_strength_t=protocol.field_strength_t,
                b0_ppm=variant.b0_ppm,
                steep=variant.steep,
                fat_decay_excess=0.0 if variant.kind == "matched" else 12.0,
                shape=(160, 96, variant.slices),
                voxel_mm=(2.0, 2.0, 100.0 / variant.slices),
            )
            echoes = signal(
                phantom, protocol.echo_times_ms, snr=variant.snr, spectrum=variant.spectrum
            )
            result = run(phantom, protocol, echoes)
            swapped = swapped_percent(phantom, protocol, result)
            worst, at_zero = muscle_errors(phantom, result)
            miss = (
                swapped > MOST_SWAPPED
                or abs(worst) > LARGEST_ERROR[variant.kind]
                or abs(at_zero) > LARGEST_AT_ZERO
            )
            missed += miss
            print(
                f"{name:18}{variant.kind:>11}{variant.b0_ppm:7.1f}{variant.snr:5.0f}"
                f"{swapped:11.4f}{worst:14.2f}{at_zero:8.2f}"
                f"{100 * result.doubtful[phantom.tissue].mean():12.2f}"
                f"{'  missed' if miss else ''}",
                flush=True,
            )
    print(f"limits missed: {missed}")
    return missed


def print_decisions() -> int:
    """Print what is decided for limbs of all kinds, and how many are exchanged without a word.

    "plain" is the decision by the layer under the skin alone: that it is fat.
    """
    print(
        f"\n{'limb':14}{'phase':>7}{'scans':>7}{'right':>7}{'unsure':>8}{'wrong':>7}"
        f"{'warned':>8}{'plain right':>13}{'right / plain':>15}"
    )
    wrong_in_all = 0
    for kind in KINDS:
        for phase in (True, False):
            counts = dict.fromkeys(("right", "unsure", "wrong", "warned", "plain"), 0)
            names = DECISIONS if phase else MAGNITUDE_DECISIONS
            signs = (False, True) if phase else (False,)
            cases = [(s, n, r) for s in DECISION_SPECTRA for n in names for r in signs]
            for spectrum, name, reverse in cases:
                protocol = PROTOCOLS[name]
                phantom = make_limb(kind, field_strength_t=protocol.field_strength_t)
                echoes = signal(phantom, protocol.echo_times_ms, spectrum=spectrum)
                echoes = echoes.conj() if reverse else echoes
                result = run(phantom, protocol, echoes, phase=phase)
                levels = {check.name: check.level for check in result.checks}
                exchanged = exchanged_share(phantom, result) > LARGEST_EXCHANGED
                counts["wrong" if exchanged and result.decided else "right"] += result.decided
                counts["unsure"] += not result.decided
                counts["warned"] += levels.get("water_fat_decision") == "warn"
                shell = result.swaps["shell_ff"].median()
                counts["plain"] += (shell >= FAT_FROM) != exchanged
            wrong_in_all += counts["wrong"]
            print(
                f"{kind:14}{'yes' if phase else 'no':>7}{len(cases):7}{counts['right']:7}"
                f"{counts['unsure']:8}{counts['wrong']:7}{counts['warned']:8}{counts['plain']:13}"
                f"{counts['right'] / max(counts['plain'], 1):15.1f}",
                flush=True,
            )
    return wrong_in_all


def exchanged_share(phantom: Phantom, result: SeparationResult) -> float:
    """Return the share of muscle (%) whose fat fraction is far off."""
    muscle = np.isin(phantom.labels, phantom.muscles) & np.isfinite(result.ff)
    return 100 * float((np.abs(result.ff - phantom.ff)[muscle] > SWAPPED_POINTS).mean())


def print_speed() -> None:
    """Print time and memory of scans of clinical size, each in a process of its own."""
    print(
        f"\n{'scan':28}{'voxels':>10}{'tissue':>9}{'wall s':>8}{'CPU s':>7}{'MB':>6}"
        f"{'us/voxel':>10}{'plain fit / ours':>18}"
    )
    for number, case in enumerate(SPEED_CASES):
        command = [sys.executable, __file__, "--case", str(number)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        m = json.loads(output)
        ratio = f"{m['plain'] / m['cpu']:18.0f}" if case.phase else f"{'-':>18}"
        print(
            f"{case.title:28}{m['voxels']:10.0f}{m['tissue']:9.0f}{m['wall']:8.1f}{m['cpu']:7.1f}"
            f"{m['mb']:6.0f}{1e6 * m['cpu'] / m['voxels']:10.1f}{ratio}",
            flush=True,
        )


def measure(case: SpeedCase) -> dict[str, float]:
    """Separate a scan and return its size, time (s) and peak memory (MB)."""
    protocol = PROTOCOLS[case.protocol]
    phantom = make_phantom(
        field_strength_t=protocol.field_strength_t, shape=case.shape, voxel_mm=case.voxel_mm
    )
    echoes = signal(phantom, protocol.echo_times_ms)
    plain = plain_seconds(phantom, protocol, echoes) if case.phase else 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    run(phantom, protocol, echoes, phase=case.phase)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {
        "voxels": float(phantom.labels.size),
        "tissue": float(phantom.tissue.sum()),
        "wall": wall,
        "cpu": cpu,
        "mb": peak,
        "plain": plain,
    }


def run(
    phantom: Phantom, protocol: Protocol, echoes: Array, *, phase: bool = True
) -> SeparationResult:
    """Separate one simulated scan."""
    return separate(
        np.abs(echoes),
        np.angle(echoes) if phase else None,
        protocol.echo_times_ms,
        phantom.affine,
        protocol.field_strength_t,
    )


def swapped_percent(phantom: Phantom, protocol: Protocol, result: SeparationResult) -> float:
    """Return the share of tissue voxels (%) with wrong field and wrong fat fraction."""
    assert result.b0 is not None
    off = result.b0 - phantom.b0
    spacing = np.diff(protocol.echo_times_ms)
    if np.ptp(spacing) < 1e-6:
        period = 1000.0 / spacing[0]
        off -= period * np.round(off / period)
    hz_per_ppm = 42.577 * phantom.field_strength_t
    swapped = np.abs(off) > SWAPPED_PPM * hz_per_ppm
    swapped &= np.abs(result.ff - phantom.ff) > SWAPPED_POINTS
    return 100 * float(swapped[phantom.tissue].mean())


def muscle_errors(phantom: Phantom, result: SeparationResult) -> tuple[float, float]:
    """Return the largest error of a muscle's mean, and of one without fat (points)."""
    errors = {}
    for muscle in phantom.muscles:
        truth = float(phantom.ff[phantom.labels == muscle][0])
        mean = float(np.nanmean(result.ff[phantom.eroded(muscle)], dtype=np.float64))
        errors[muscle] = (mean - truth, truth)
    worst = max((error for error, _ in errors.values()), key=abs)
    return worst, max((error for error, truth in errors.values() if truth == 0), key=abs)


def plain_seconds(phantom: Phantom, protocol: Protocol, echoes: Array, sample: int = 200) -> float:
    """Return the CPU time of a voxel-by-voxel fit of all tissue, from a sample (s).

    The fit starts from a field of zero, as a script without field map estimation would.
    """
    from scipy.optimize import least_squares

    from pipelines.water_fat.separation.spectra import fat_spectrum

    times = np.array(protocol.echo_times_ms) / 1000
    fat = fat_spectrum("ismrm-6").phasor(times, protocol.field_strength_t)
    tissue = echoes[phantom.tissue]
    chosen = tissue[np.linspace(0, len(tissue) - 1, sample).astype(int)].astype(complex)

    def residual(p: Array, s: Array, /) -> Array:
        model = (p[0] + 1j * p[1]) + (p[2] + 1j * p[3]) * fat
        off = model * np.exp((2j * np.pi * p[4] - p[5]) * times) - s
        joined: Array = np.concatenate([off.real, off.imag])
        return joined

    start = time.process_time()
    for s in chosen:
        least_squares(residual, [s[0].real, s[0].imag, 0, 0, 0, 40], args=(s,))
    return (time.process_time() - start) / sample * len(tissue)


if __name__ == "__main__":
    sys.exit(main())
