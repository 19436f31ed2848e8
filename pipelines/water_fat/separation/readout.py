"""Alternating (bipolar) readouts: found, and taken out where a straight phase ramp describes them.

When every second echo is read in the opposite direction, eddy currents and delays give the even
echoes a phase of their own that runs linearly along the readout direction (Peterson and Månsson,
Magn Reson Med 2014;71:1371). It looks like neither field nor fat and spoils both. Four or more
evenly spaced echoes show it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.water_fat.separation.blocks import Blocks, EchoProducts
from pipelines.water_fat.separation.candidates import field_grid, residual_curve
from pipelines.water_fat.separation.model import EchoModel

Real = npt.NDArray[np.float32]

SAMPLED_BLOCKS = 3000
# Phases of the even echoes that are tried; a shift by pi is the same as another field.
TRIED_PHASES = np.arange(12) * (np.pi / 12) - np.pi / 2
# Steepest ramp looked for (rad/mm): some echoes' worth of readout delay.
STEEPEST_RAMP = 0.1
# An alternation counts from this phase on (rad, root mean square over the body), and if removing
# it takes at least this share of the signal's energy out of the residual.
SMALLEST_PHASE = 0.05
SMALLEST_GAIN = 3e-4
# A ramp describes it if no more than this share of the gain needs another phase per block.
LARGEST_REST = 0.5


@dataclass(frozen=True)
class Alternation:
    """Phase of the second, fourth, ... echo against the others, over space.

    Attributes
    ----------
    constant : float
        Phase at the centre of the grid, rad.
    slope : ndarray of shape (2,)
        Its change along axes 0 and 1, rad per block.
    phase_rms : float
        Root mean square over the blocks, rad.
    gain : float
        Share of the signal's energy that goes out of the residual with it.
    rest : float
        Share that would go out in addition if every block had a phase of its own.
    """

    constant: float
    slope: npt.NDArray[np.float64]
    phase_rms: float
    gain: float
    rest: float

    @property
    def found(self) -> bool:
        """Whether the readout alternates."""
        return self.phase_rms >= SMALLEST_PHASE and self.gain >= SMALLEST_GAIN

    def at(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Real:
        """Return the phase at positions given in blocks, rad."""
        phase: Real = (self.constant + self.slope[0] * x + self.slope[1] * y).astype(np.float32)
        return phase


def find_alternation(products: EchoProducts, blocks: Blocks, model: EchoModel) -> Alternation:
    """Fit a phase ramp that every second echo may have.

    Parameters
    ----------
    products : EchoProducts
        Echo products of the blocks.
    blocks : Blocks
        The coarse grid.
    model : EchoModel
        Echo times (four or more, evenly spaced) and fat signal.
    """
    step = -(-products.power.shape[1] // SAMPLED_BLOCKS)
    power, cross = products.power[:, ::step], products.cross[:, ::step]
    x, y, _ = (place[::step].astype(float) for place in np.unravel_index(blocks.cell, blocks.shape))
    sampled = EchoProducts(products.pairs, power, cross)
    grid = field_grid(model)
    energy = power.sum(axis=0)
    table = np.stack(
        [
            residual_curve(_turned(sampled, np.full(x.size, phase)), model, grid).min(axis=1)
            for phase in TRIED_PHASES
        ],
        axis=1,
    )
    # First harmonic of the residual over one turn of twice the phase: its direction is the phase
    # that fits, its length how much that matters.
    fits = -(table @ np.exp(2j * TRIED_PHASES))
    constant, slope = _fit_ramp(fits, x, y, blocks)
    ramp = Alternation(constant, slope, 0.0, 0.0, 0.0)
    phase = ramp.at(x, y)
    with_ramp = residual_curve(_turned(sampled, phase), model, grid).min(axis=1)
    without = residual_curve(sampled, model, grid).min(axis=1)
    total = float(energy.sum(dtype=np.float64))
    gain = float((without - with_ramp).sum(dtype=np.float64)) / total
    rest = float((with_ramp - np.minimum(with_ramp, table.min(axis=1))).sum(dtype=np.float64))
    rms = float(np.sqrt(np.average(phase.astype(np.float64) ** 2, weights=energy)))
    return Alternation(constant, slope, rms, gain, rest / total)


def remove_alternation(
    signal: npt.NDArray[np.complex64],
    alternation: Alternation,
    blocks: Blocks,
    image_shape: tuple[int, int, int],
) -> npt.NDArray[np.complex64]:
    """Return the signal with the phase of its even echoes put right.

    Parameters
    ----------
    signal : ndarray of complex64, shape (echoes, voxels)
        Signal of the tissue voxels, sorted as ``blocks.voxel``.
    alternation : Alternation
        From :func:`find_alternation`.
    blocks : Blocks
        The coarse grid.
    image_shape : tuple of int
        Shape of the image.

    Raises
    ------
    DataError
        If no straight ramp describes the alternation.
    """
    if alternation.rest > LARGEST_REST * alternation.gain:
        raise DataError(
            "The phase alternates between odd and even echoes (bipolar readout) in a way that is "
            "not a straight ramp, so it cannot be corrected.",
            "Use a monopolar readout, or the water and fat images of the scanner.",
        )
    x, y, _ = np.unravel_index(blocks.voxel, image_shape)
    phase = alternation.at((x + 0.5) / blocks.size[0] - 0.5, (y + 0.5) / blocks.size[1] - 0.5)
    corrected = signal.copy()
    corrected[1::2] *= np.exp(np.complex64(-1j) * phase)
    return corrected


def _turned(products: EchoProducts, phase: npt.NDArray[np.floating]) -> EchoProducts:
    """Return the products with `phase` (per block) taken from every second echo."""
    turn = np.exp(1j * phase).astype(np.complex64)
    factor = {0: np.ones_like(turn), 1: turn, -1: turn.conj()}
    cross = [
        c * factor[n % 2 - m % 2] for (n, m), c in zip(products.pairs, products.cross, strict=True)
    ]
    return EchoProducts(products.pairs, products.power, np.stack(cross))


def _fit_ramp(
    fits: npt.NDArray[np.complex128],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    blocks: Blocks,
) -> tuple[float, npt.NDArray[np.float64]]:
    """Fit half the angle of `fits` by a plane: coarsely by Fourier transform, then linearly."""
    image = np.zeros(blocks.shape[:2], np.complex128)
    np.add.at(image, (x.astype(int), y.astype(int)), fits)
    padded = [int(2 ** np.ceil(np.log2(4 * n))) for n in image.shape]
    spectrum = np.abs(np.fft.fft2(image, padded))
    slopes = [2 * np.pi * np.fft.fftfreq(n) for n in padded]
    limits = 2 * STEEPEST_RAMP * blocks.edge_mm
    allowed = np.logical_and.outer(np.abs(slopes[0]) <= limits[0], np.abs(slopes[1]) <= limits[1])
    i, j = np.unravel_index(np.argmax(np.where(allowed, spectrum, -1)), spectrum.shape)
    plane = np.array([0.0, slopes[0][i], slopes[1][j]])
    plane[0] = np.angle((fits * np.exp(-1j * (plane[1] * x + plane[2] * y))).sum())
    design = np.stack([np.ones_like(x), x, y], axis=1)
    weight = np.abs(fits)[:, None]
    for _ in range(3):
        error = np.angle(fits * np.exp(-1j * (design @ plane)))
        plane += np.linalg.lstsq(design * weight, error * weight[:, 0], rcond=None)[0]
    # Twice the phase was fitted. Of the two phases pi apart, the smaller one is taken.
    half = plane / 2
    middle = float(np.average(design @ half, weights=weight[:, 0]))
    half[0] -= np.pi * np.round(middle / np.pi)
    return float(half[0]), half[1:]
