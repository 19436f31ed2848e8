"""Magnitude-only separation of three and more echoes.

``|s_n| = M |1 - q + q c_n| exp(-R t_n)`` with the fat fraction q. Water with a little fat and fat
with a little water look alike, so the fit starts from both sides (Triay Bagur et al., Magn Reson
Med 2019;82:460); which of the two holds is decided in
:mod:`pipelines.water_fat.separation.magnitude_side`.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Float32
from pipelines.water_fat.separation.anatomy import Anatomy
from pipelines.water_fat.separation.decision import PhaseSign
from pipelines.water_fat.separation.magnitude_side import Side, choose_side
from pipelines.water_fat.separation.model import R2STAR_LIMITS, TYPICAL_R2STAR, EchoModel
from pipelines.water_fat.separation.neighbourhood import R2STAR_SPREAD, Neighbourhood
from pipelines.water_fat.separation.solution import Solution

# Fat fractions (0-1) from which the two fits start.
STARTS = (0.1, 0.9)
MAGNITUDE_STEPS = 8
# Noise takes fat fractions beyond 0 and 1; the model holds on a bit further.
FRACTION_LIMITS = (-0.3, 1.3)
_LARGEST_STEP = 0.2
_TINY = np.finfo(np.float32).tiny


def separate_magnitude(
    magnitude: Float32,
    tissue: Bool,
    anatomy: Anatomy,
    model: EchoModel,
    noise: float,
) -> Solution:
    """Separate water and fat without phase.

    `magnitude` is (x, y, z, echoes); `tissue` is (x, y, z).
    """
    voxel = np.flatnonzero(tissue)
    values = magnitude.reshape(-1, model.echoes)[voxel].T.copy()
    neighbours = Neighbourhood(voxel, (tissue.shape[0], tissue.shape[1], tissue.shape[2]))
    lean, fatty = (_fit(values, start, neighbours, model, noise) for start in STARTS)
    # Three magnitudes are fitted exactly from either side, whatever they are.
    overdetermined = model.echoes > 3
    is_fat, doubtful, decision = choose_side(
        Side(lean.fraction, lean.misfit),
        Side(fatty.fraction, fatty.misfit),
        values,
        voxel,
        anatomy,
        model=model,
        noise=noise,
    )
    amount = np.where(is_fat, fatty.amount, lean.amount)
    fraction = np.where(is_fat, fatty.fraction, lean.fraction)
    decided = (
        "the residual decided between water and fat"
        if overdetermined
        else "three magnitudes cannot decide between water and fat; what is commoner at its place "
        "was taken: lean muscle, fat under the skin, marrow, and what continues them"
    )
    return Solution(
        method="multi-echo magnitude fit",
        voxel=voxel,
        water=amount * (1 - fraction),
        fat=amount * fraction,
        r2star=np.where(is_fat, fatty.r2star, lean.r2star),
        field=None,
        doubtful=doubtful,
        precession="not used",
        phase_sign=PhaseSign("not used", 0.0),
        decision=decision,
        residual=None,
        notes=(
            f"{model.echoes} magnitude echoes without phase: magnitude fit; {decided}.",
            *decision.notes,
        ),
    )


@dataclass(frozen=True)
class _Fit:
    amount: Float32
    fraction: Float32
    r2star: Float32
    misfit: Float32


def _fit(
    magnitude: Float32, start: float, neighbours: Neighbourhood, model: EchoModel, noise: float
) -> _Fit:
    """Gauss-Newton fit of amount and fat fraction per voxel, and of R2* shared by neighbours."""
    fraction = np.full(magnitude.shape[1], start, np.float32)
    r2star = np.full_like(fraction, TYPICAL_R2STAR)
    for _ in range(MAGNITUDE_STEPS):
        _, rest, by_fraction, by_decay = _linearized(magnitude, fraction, r2star, model)
        # First the decay with the fraction free, then the fraction with that decay.
        qq = np.maximum((by_fraction**2).sum(axis=0), _TINY)
        qr = (by_fraction * by_decay).sum(axis=0) / qq
        free_decay = by_decay - by_fraction * qr
        weight = (free_decay**2).sum(axis=0)
        target = weight * r2star + (free_decay * rest).sum(axis=0)
        shared = neighbours.average(target, weight, noise, R2STAR_SPREAD)
        shared = np.clip(shared, *R2STAR_LIMITS)
        step = (by_fraction * rest).sum(axis=0) / qq - qr * (shared - r2star)
        step = np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        fraction = np.clip(fraction + step, *FRACTION_LIMITS)
        r2star = shared
    amount, rest, _, _ = _linearized(magnitude, fraction, r2star, model)
    outside = np.maximum(-fraction, 0) + np.maximum(fraction - 1, 0)
    return _Fit(amount, fraction, r2star, (rest**2).sum(axis=0) + (amount * outside) ** 2)


def _linearized(
    magnitude: Float32, fraction: Float32, r2star: Float32, model: EchoModel
) -> tuple[Float32, Float32, Float32, Float32]:
    """Return the best amount, the residual, and the slopes by fraction and decay, amount free."""
    times = model.times_s.astype(np.float32)[:, None]
    contrast = (model.fat - 1).astype(np.complex64)[:, None]
    mixed = 1 + contrast * fraction
    size = np.maximum(np.abs(mixed), np.float32(1e-3))
    decay = np.exp(-times * r2star)
    shape = size * decay
    energy = (shape**2).sum(axis=0)
    amount = (shape * magnitude).sum(axis=0) / energy
    rest = magnitude - amount * shape
    by_fraction = amount * (mixed.conj() * contrast).real / size * decay
    by_decay = -amount * times * shape
    by_fraction -= shape * ((by_fraction * shape).sum(axis=0) / energy)
    by_decay -= shape * ((by_decay * shape).sum(axis=0) / energy)
    return amount, rest, by_fraction, by_decay
