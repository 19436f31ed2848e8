"""Alternating (bipolar) readouts: found, and taken out where a straight phase ramp describes them.

When every second echo is read in the opposite direction, eddy currents and delays give the even
echoes a phase of their own that runs linearly along the readout direction (Peterson and Månsson,
Magn Reson Med 2014;71:1371). It looks like neither field nor fat and spoils both. Four or more
evenly spaced echoes show it.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.arrays import Complex64, Complex128, Float32, Float64, Floating
from pipelines.errors import DataError
from pipelines.water_fat.separation.blocks import Blocks, EchoProducts
from pipelines.water_fat.separation.candidates import field_grid, residual_curve
from pipelines.water_fat.separation.model import EchoModel

# +1: the phase of fat falls behind that of water with echo time, as our model has it.
Sign = Literal[1, -1]
SIGNS: tuple[Sign, Sign] = (1, -1)

# Blocks looked at; more do not change the answer.
SAMPLED_BLOCKS = 3000
# The residual decides if that of the other sign is larger by this share of the signal's energy.
# With noiseless data of 4-8 echoes it is 0.2-3 %.
DECISIVE_SHARE = 5e-4

# Phases of the even echoes that are tried; a shift by pi is the same as another field.
TRIED_PHASES = np.arange(12) * (np.pi / 12) - np.pi / 2
# Steepest ramp looked for (rad/mm): that of a readout delayed by several samples.
STEEPEST_RAMP = 0.1
# Change of phase (rad) by which the coarse ramp is refined, and how often.
REFINING_STEP = 0.1
REFINEMENTS = 4
# An alternation counts from this phase on (rad, root mean square over the body), and if removing
# it takes at least this share of the signal's energy out of the residual.
SMALLEST_PHASE = 0.05
SMALLEST_GAIN = 3e-4
# A ramp does not describe it if phases chosen block by block would take out this share of the
# energy in addition, and more than this share of what the ramp took out.
LARGEST_REST = 3e-3
LARGEST_RELATIVE_REST = 0.3


@dataclass(frozen=True)
class Alternation:
    """Phase of the second, fourth, ... echo against the others, over space.

    Attributes
    ----------
    plane : ndarray of shape (3,)
        Phase at block (0, 0), rad, and its change per block along axes 0 and 1.
    phase_rms : float
        Root mean square over the blocks, rad.
    without, residual, rest : float
        Residual as a share of the signal's energy: without the alternation, with it, and with a
        phase for each block.
    """

    plane: Float64
    phase_rms: float
    without: float
    residual: float
    rest: float

    @property
    def found(self) -> bool:
        """Whether the readout alternates."""
        gain = self.without - self.residual
        return self.phase_rms >= SMALLEST_PHASE and gain >= SMALLEST_GAIN

    @property
    def is_ramp(self) -> bool:
        """Whether the ramp describes it."""
        left, gain = self.residual - self.rest, self.without - self.residual
        return left <= max(LARGEST_REST, LARGEST_RELATIVE_REST * gain)

    def at(self, x: Float64, y: Float64) -> Float32:
        """Return the phase at positions given in blocks, rad."""
        phase: Float32 = (self.plane[0] + self.plane[1] * x + self.plane[2] * y).astype(np.float32)
        return phase


def find_alternation(products: EchoProducts, blocks: Blocks, model: EchoModel) -> Alternation:
    """Fit a phase ramp that every second echo may have."""
    step = -(-products.power.shape[1] // SAMPLED_BLOCKS)
    sampled = EchoProducts(products.pairs, products.power[:, ::step], products.cross[:, ::step])
    x, y, _ = (
        place[::step].astype(np.float64) for place in np.unravel_index(blocks.cell, blocks.shape)
    )
    grid = field_grid(model)

    def residual(phase: Floating) -> Float32:
        least: Float32 = residual_curve(_turned(sampled, phase), model, grid).min(axis=1)
        return least

    table = np.stack([residual(np.full(x.size, phase)) for phase in TRIED_PHASES], axis=1)
    # First harmonic of the residual over one turn of twice the phase: its direction is about the
    # phase that fits, its length how much that matters.
    plane = _coarse_ramp(-(table @ np.exp(2j * TRIED_PHASES)), x, y, blocks)
    design = np.stack([np.ones_like(x), x, y], axis=1)
    for _ in range(REFINEMENTS):
        phase = design @ plane
        below, here, above = (residual(phase + d * REFINING_STEP) for d in (-1, 0, 1))
        bend = np.maximum(below - 2 * here + above, 0).astype(np.float64)
        slope = (above - below).astype(np.float64) / 2
        normal = design.T @ (design * bend[:, None])
        step = np.linalg.lstsq(normal, design.T @ slope, rcond=None)[0]
        plane = plane - REFINING_STEP * step
    energy = sampled.power.sum(axis=0, dtype=np.float64)
    phase = design @ plane
    final = residual(phase)
    return Alternation(
        plane,
        phase_rms=float(np.sqrt(np.average(phase**2, weights=energy))),
        without=float(residual(np.zeros_like(phase)).sum(dtype=np.float64) / energy.sum()),
        residual=float(final.sum(dtype=np.float64) / energy.sum()),
        rest=float(np.minimum(final, table.min(axis=1)).sum(dtype=np.float64) / energy.sum()),
    )


def remove_alternation(
    signal: Complex64,
    alternation: Alternation,
    blocks: Blocks,
    image_shape: tuple[int, int, int],
) -> Complex64:
    """Return the signal with the phase of its even echoes put right.

    `signal` is (echoes, voxels).
    """
    if not alternation.is_ramp:
        raise DataError(
            "The phase of the echoes fits no field map: even and odd echoes differ, but not by the "
            "straight ramp of a bipolar readout.",
            "Check the order of the echoes and of EchoTime. A bipolar readout with curved phase "
            "cannot be corrected: use a monopolar one, or the scanner's water and fat images.",
        )
    x, y, _ = np.unravel_index(blocks.voxel, image_shape)
    phase = alternation.at((x + 0.5) / blocks.size[0] - 0.5, (y + 0.5) / blocks.size[1] - 0.5)
    corrected = signal.copy()
    corrected[1::2] *= np.exp(np.complex64(-1j) * phase)
    return corrected


def _turned(products: EchoProducts, phase: Floating) -> EchoProducts:
    """Return the products with `phase` (per block) taken from every second echo."""
    turn = np.exp(1j * phase).astype(np.complex64)
    factor = {0: np.ones_like(turn), 1: turn, -1: turn.conj()}
    cross = [
        c * factor[n % 2 - m % 2] for (n, m), c in zip(products.pairs, products.cross, strict=True)
    ]
    return EchoProducts(products.pairs, products.power, np.stack(cross))


def _coarse_ramp(fits: Complex128, x: Float64, y: Float64, blocks: Blocks) -> Float64:
    """Fit half the angle of `fits` by a plane, by Fourier transform."""
    image = np.zeros(blocks.shape[:2], np.complex128)
    np.add.at(image, (x.astype(int), y.astype(int)), fits)
    padded = [int(2 ** np.ceil(np.log2(4 * n))) for n in image.shape]
    spectrum = np.abs(np.fft.fft2(image, padded))
    slopes = [2 * np.pi * np.fft.fftfreq(n) for n in padded]
    limits = 2 * STEEPEST_RAMP * blocks.edge_mm
    allowed = np.logical_and.outer(np.abs(slopes[0]) <= limits[0], np.abs(slopes[1]) <= limits[1])
    i, j = np.unravel_index(np.argmax(np.where(allowed, spectrum, -1)), spectrum.shape)
    along = slopes[0][i] * x + slopes[1][j] * y
    constant = float(np.angle((fits * np.exp(-1j * along)).sum()))
    # Twice the phase was fitted. Of the two phases pi apart, the smaller one is taken.
    middle = constant / 2 + float(np.average(along, weights=np.abs(fits))) / 2
    constant -= 2 * np.pi * np.round(middle / np.pi)
    return np.array([constant / 2, slopes[0][i] / 2, slopes[1][j] / 2])


def conjugate(products: EchoProducts) -> EchoProducts:
    """Return the products of the same echoes with the sign of their phase changed."""
    return EchoProducts(products.pairs, products.power, products.cross.conj())


def residual_share(products: EchoProducts, model: EchoModel) -> float:
    """Return what the model leaves over, as a share of the energy of the signal."""
    step = -(-products.power.shape[1] // SAMPLED_BLOCKS)
    part = EchoProducts(products.pairs, products.power[:, ::step], products.cross[:, ::step])
    least = residual_curve(part, model, field_grid(model)).min(axis=1)
    return float(least.sum(dtype=np.float64) / part.power.sum(dtype=np.float64))
