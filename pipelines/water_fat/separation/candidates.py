"""Candidate fields of each block: the local minima of what the signal model leaves over."""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float32, Float64
from pipelines.water_fat.separation.blocks import EchoProducts
from pipelines.water_fat.separation.model import TYPICAL_R2STAR, EchoModel

# R2* values (1/s) tried for each field; the better one counts. A single value let the residual
# prefer a wrong field in tissue of R2* 80 at echo times up to 19 ms.
TRIED_R2STAR = (20.0, 60.0)
CANDIDATES = 4
# Steps of the field grid per width of the narrowest dip a residual can have.
_STEPS_PER_DIP = 10
_FEWEST_STEPS = 40
# Without a period, fields up to this far from the scanner frequency are tried.
FIELD_RANGE_PPM = 8.0


@dataclass(frozen=True)
class Candidates:
    """Candidate fields, best first.

    Attributes
    ----------
    field : ndarray of shape (blocks, candidates)
        Off-resonance in Hz; 0 where a block has fewer minima.
    residual : ndarray of shape (blocks, candidates)
        Energy the model leaves over, summed over the block; inf where there is no candidate.
    curvature : ndarray of shape (blocks, candidates)
        Second derivative of the residual by the field (1/Hz^2 times energy).
    water, fat : ndarray of shape (blocks, candidates)
        Energy of water and of fat at echo time zero.
    opposition : ndarray of shape (blocks, candidates)
        How much of the energy comes from water and fat of opposite sign, which tissue cannot have.
    """

    field: Float32
    residual: Float32
    curvature: Float32
    water: Float32
    fat: Float32
    opposition: Float32

    @property
    def fat_share(self) -> Float32:
        """Share of fat in the amplitude, 0-1."""
        water, fat = np.sqrt(np.maximum(self.water, 0)), np.sqrt(np.maximum(self.fat, 0))
        share: Float32 = fat / np.maximum(water + fat, np.finfo(np.float32).tiny)
        return share

    @property
    def exists(self) -> Bool:
        """Which candidates are minima."""
        return np.isfinite(self.residual)


def field_grid(model: EchoModel) -> Float64:
    """Return the fields (Hz) at which the residual is evaluated: one period, or the range."""
    span = float(model.times_s[-1] - model.times_s[0])
    period = model.period_hz
    if period is not None:
        steps = max(_FEWEST_STEPS, int(np.ceil(_STEPS_PER_DIP * span * period)))
        return np.arange(steps, dtype=np.float64) * (period / steps)
    reach = FIELD_RANGE_PPM * abs(model.main_shift_hz) / abs(_main_shift_ppm(model))
    steps = int(np.ceil(2 * reach * _STEPS_PER_DIP * span))
    grid: Float64 = np.linspace(-reach, reach, max(steps, _FEWEST_STEPS))
    return grid


def residual_curve(products: EchoProducts, model: EchoModel, grid: Float64) -> Float32:
    """Return what the model leaves over at each field, shape (blocks, fields).

    With ``s`` demodulated by a field f the residual energy is ``s^H P s``, a trigonometric
    polynomial in f whose coefficients are the echo products.
    """
    lags = np.array([model.times_s[n] - model.times_s[m] for n, m in products.pairs])
    turns = np.exp(2j * np.pi * np.outer(lags, grid))
    moments = np.concatenate([products.cross.real, products.cross.imag, products.power]).T
    least: Float32 | None = None
    for r2star in TRIED_R2STAR:
        projector = model.projector(r2star)
        weights = 2 * np.array([projector[n, m] for n, m in products.pairs])[:, None] * turns
        diagonal = np.repeat(projector.diagonal().real[:, None], grid.size, axis=1)
        table = np.concatenate([weights.real, -weights.imag, diagonal]).astype(np.float32)
        curve = moments @ table
        least = curve if least is None else np.minimum(least, curve, out=least)
    assert least is not None
    return np.maximum(least, 0, out=least)


def find_candidates(products: EchoProducts, model: EchoModel) -> Candidates:
    """Find the best local minima of the residual of each block."""
    grid = field_grid(model)
    curve = residual_curve(products, model, grid)
    before, after = np.roll(curve, 1, axis=1), np.roll(curve, -1, axis=1)
    if model.period_hz is None:
        before[:, 0] = np.inf
        after[:, -1] = np.inf
    minima = np.where((curve <= before) & (curve < after), curve, np.inf)
    most = min(CANDIDATES, max(1, int(np.isfinite(minima).sum(axis=1).max())))
    index = np.argsort(minima, axis=1)[:, :most]
    exists = np.isfinite(np.take_along_axis(minima, index, axis=1))
    left, centre, right = (np.take_along_axis(a, index, axis=1) for a in (before, curve, after))
    bend = np.where(exists, left - 2 * centre + right, np.inf)
    bend = np.where((bend > 0) & np.isfinite(bend), bend, np.inf)
    tilt = np.where(np.isfinite(bend), left - right, 0)
    shift = np.clip(0.5 * tilt / bend, -0.5, 0.5)
    step = grid[1] - grid[0]
    field = np.where(exists, grid[index] + shift * step, 0).astype(np.float32)
    residual = np.where(exists, np.maximum(centre - 0.125 * tilt**2 / bend, 0), np.inf)
    curvature = np.where(np.isfinite(bend), bend / step**2, 0)
    water, fat, mixed = _energies(products, model, field)
    larger = np.maximum(np.maximum(water, fat), np.finfo(np.float32).tiny)
    opposition = np.minimum(mixed, 0) ** 2 / larger
    return Candidates(
        field,
        residual.astype(np.float32),
        curvature.astype(np.float32),
        water,
        fat,
        opposition.astype(np.float32),
    )


def _energies(
    products: EchoProducts, model: EchoModel, field: Float32
) -> tuple[Float32, Float32, Float32]:
    """Return |W|^2, |F|^2 and Re(W conj(F)), summed over each block, per candidate."""
    inverse = np.linalg.pinv(model.basis(TYPICAL_R2STAR))
    result = []
    for a, b in ((0, 0), (1, 1), (0, 1)):
        own = (inverse[a] * inverse[b].conj()).real
        energy = np.repeat((own @ products.power)[:, None], field.shape[1], axis=1)
        for (n, m), cross in zip(products.pairs, products.cross, strict=True):
            lag = model.times_s[n] - model.times_s[m]
            turned = np.exp(np.complex64(2j * np.pi * lag) * field) * cross[:, None]
            weight = (
                inverse[a, m] * inverse[b, n].conj() + (inverse[a, n] * inverse[b, m].conj()).conj()
            )
            energy += (np.complex64(weight) * turned).real
        result.append(energy.astype(np.float32))
    return result[0], result[1], result[2]


def _main_shift_ppm(model: EchoModel) -> float:
    return float(model.spectrum.shift_ppm[model.spectrum.amplitude.argmax()])
