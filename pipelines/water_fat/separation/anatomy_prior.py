"""What anatomy says about water and fat: the layer under the skin is fat, not water."""

import numpy as np
import numpy.typing as npt

from pipelines.geometry import Affine
from pipelines.water_fat.arrays import Mask
from pipelines.water_fat.body import skin_depth
from pipelines.water_fat.limbs import Limbs
from pipelines.water_fat.separation.blocks import Blocks
from pipelines.water_fat.separation.candidates import Candidates
from pipelines.water_fat.swaps import SHELL_MM

# Cost of water in a block that lies in the shell entirely: more than small phase errors can make
# at a boundary of water and fat, less than a jump of the field by the water-fat shift.
SHELL_COST = 6.0


def shell_mask(body: Mask, limbs: Limbs, affine: Affine) -> Mask:
    """Return the shell of the limbs in which subcutaneous fat lies.

    Parameters
    ----------
    body : ndarray of bool, shape (x, y, z)
        Body mask.
    limbs : Limbs
        Limb of every voxel.
    affine : ndarray of shape (4, 4)
        Affine of both, mm.
    """
    shell = np.zeros(body.shape, np.bool_)
    for k in range(body.shape[2]):
        depth = skin_depth(body[:, :, k], affine)
        shell[:, :, k] = (depth > SHELL_MM[0]) & (depth <= SHELL_MM[1])
    return shell & (limbs.labels > 0)


def shell_prior(
    candidates: Candidates, blocks: Blocks, shell: Mask, cost: float = SHELL_COST
) -> npt.NDArray[np.float32]:
    """Return what each candidate costs if the shell must be fat.

    Parameters
    ----------
    candidates : Candidates
        Candidate fields of each block.
    blocks : Blocks
        The coarse grid.
    shell : ndarray of bool, shape (x, y, z)
        Voxels that should be fat.
    cost : float
        Cost of a block of water that lies in the shell entirely; negative if the shell should be
        water.

    Returns
    -------
    ndarray of shape (blocks, candidates)
    """
    share = blocks.sum(shell.ravel()[blocks.voxel].astype(np.float32)) / blocks.count
    watery = candidates.water > candidates.fat
    disliked = watery if cost > 0 else ~watery
    prior: npt.NDArray[np.float32] = (abs(cost) * disliked * share[:, None]).astype(np.float32)
    return prior
