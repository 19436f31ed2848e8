"""Which way the phase turns: scanners and converters store it with either sign.

With the wrong sign fat seems to resonate above water. Four and more echoes leave a residual then.
"""

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
DECISIVE_SHARE = 5e-4


def conjugate(products: EchoProducts) -> EchoProducts:
    """Return the products of the same echoes with the sign of their phase changed."""
    return EchoProducts(products.pairs, products.power, products.cross.conj())


def residual_share(products: EchoProducts, model: EchoModel) -> float:
    """Return what the model leaves over, as a share of the energy of the signal.

    Parameters
    ----------
    products : EchoProducts
        Echo products of the blocks, of which a sample is looked at.
    model : EchoModel
        Echo times (four or more) and fat signal.
    """
    step = -(-products.power.shape[1] // SAMPLED_BLOCKS)
    part = EchoProducts(products.pairs, products.power[:, ::step], products.cross[:, ::step])
    least = residual_curve(part, model, field_grid(model)).min(axis=1)
    return float(least.sum(dtype=np.float64) / part.power.sum(dtype=np.float64))
