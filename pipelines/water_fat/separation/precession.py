"""Which way the phase turns: scanners and converters store it with either sign.

With the wrong sign fat seems to resonate above water. Four and more echoes leave a residual then.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.water_fat.separation.blocks import EchoProducts
from pipelines.water_fat.separation.candidates import field_grid, residual_curve
from pipelines.water_fat.separation.model import EchoModel

# +1: the phase of fat falls behind that of water with echo time, as our model has it.
Sign = Literal[1, -1]
SIGNS: tuple[Sign, Sign] = (1, -1)

# Blocks looked at; more do not change the answer.
SAMPLED_BLOCKS = 3000
# The residual decides if that of the other sign is larger by this share of the signal's energy.
# With noiseless data of 4-8 echoes it is 0.2-3 %.
_DECISIVE_SHARE = 5e-4


@dataclass(frozen=True)
class SignEvidence:
    """Residual energy with each sign, as a share of the energy of the signal."""

    residual: dict[Sign, float]

    @property
    def best(self) -> Sign:
        """The sign with the smaller residual."""
        return min(SIGNS, key=lambda sign: self.residual[sign])

    @property
    def decisive(self) -> bool:
        """Whether the residuals differ enough to rely on."""
        return abs(self.residual[1] - self.residual[-1]) > _DECISIVE_SHARE


def sample(products: EchoProducts) -> EchoProducts:
    """Return the echo products of at most :data:`SAMPLED_BLOCKS` blocks."""
    step = -(-products.power.shape[1] // SAMPLED_BLOCKS)
    return EchoProducts(products.pairs, products.power[:, ::step], products.cross[:, ::step])


def conjugate(products: EchoProducts) -> EchoProducts:
    """Return the products of the same echoes with the sign of their phase changed."""
    return EchoProducts(products.pairs, products.power, products.cross.conj())


def compare_signs(products: EchoProducts, model: EchoModel) -> SignEvidence:
    """Fit a sample of the blocks with both signs of the phase.

    Parameters
    ----------
    products : EchoProducts
        Echo products of the blocks.
    model : EchoModel
        Echo times (four or more) and fat signal.
    """
    part = sample(products)
    grid = field_grid(model)
    energy = float(part.power.sum())
    residual: dict[Sign, float] = {}
    for sign, signed in zip(SIGNS, (part, conjugate(part)), strict=True):
        least = residual_curve(signed, model, grid).min(axis=1)
        residual[sign] = float(np.sum(least, dtype=np.float64)) / energy
    return SignEvidence(residual)
