"""What anatomy says about water and fat: the layer under the skin and bone marrow are fat."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.arrays import Affine, Bool, Float32, Float64
from pipelines.geometry import voxel_sizes
from pipelines.water_fat.body import skin_depth
from pipelines.water_fat.limbs import Limbs
from pipelines.water_fat.swaps import SHELL_MM

# Cortical bone has at most this share of the signal around it (in three thigh and calf scans its
# inner part was below 20 %, tendons and vessels rarely below 40 %).
CORTEX_SHARE = 0.35
CORTEX_AROUND_MM = 10.0
# Area of the marrow of one bone in one slice: from a fibula to a knee.
MARROW_CM2 = (0.4, 25.0)
_SHARPNESS_VOXELS = 0.7


@dataclass(frozen=True)
class Anatomy:
    """Where body, limbs and certain fat are.

    Attributes
    ----------
    body : ndarray of bool, shape (x, y, z)
    limbs : Limbs
    shell : ndarray of bool, shape (x, y, z)
        Layer under the skin of the limbs in which subcutaneous fat lies.
    marrow : ndarray of bool, shape (x, y, z)
        Inside of closed rings of cortical bone; empty if none are seen.
    affine : ndarray of shape (4, 4)
        Affine of all, mm.
    """

    body: Bool
    limbs: Limbs
    shell: Bool
    marrow: Bool
    affine: Affine

    @classmethod
    def of(cls, body: Bool, limbs: Limbs, signal: Float32, affine: Affine) -> "Anatomy":
        """Find shell and marrow in a body.

        Parameters
        ----------
        body : ndarray of bool, shape (x, y, z)
        limbs : Limbs
            Limb of every voxel.
        signal : ndarray of shape (x, y, z)
            Magnitude averaged over the echoes.
        affine : ndarray of shape (4, 4)
            Affine of all, mm.
        """
        shell = np.zeros(body.shape, np.bool_)
        marrow = np.zeros(body.shape, np.bool_)
        for k in range(body.shape[2]):
            here = body[:, :, k]
            depth = skin_depth(here, affine)
            shell[:, :, k] = (depth > SHELL_MM[0]) & (depth <= SHELL_MM[1])
            if here.any():
                marrow[:, :, k] = _marrow(signal[:, :, k], here, voxel_sizes(affine)[:2])
        return cls(body, limbs, shell & (limbs.labels > 0), marrow, affine)

    @property
    def fat(self) -> Bool:
        """Shell and marrow."""
        return self.shell | self.marrow


def _marrow(signal: Float32, body: Bool, spacing: Float64) -> Bool:
    """Return what closed dark rings enclose in one slice."""
    inside = np.where(body, signal, 0).astype(np.float32)
    sigma = CORTEX_AROUND_MM / spacing
    weight = ndimage.gaussian_filter(body.astype(np.float32), sigma, truncate=2.0)
    around = ndimage.gaussian_filter(inside, sigma, truncate=2.0) / np.maximum(weight, 1e-3)
    smooth = ndimage.gaussian_filter(signal, _SHARPNESS_VOXELS)
    cortex = body & (smooth < CORTEX_SHARE * around)
    enclosed, _ = ndimage.label(ndimage.binary_fill_holes(cortex) & ~cortex)
    area_cm2 = np.bincount(enclosed.ravel()) * spacing.prod() / 100.0
    keep = (area_cm2 >= MARROW_CM2[0]) & (area_cm2 <= MARROW_CM2[1])
    keep[0] = False
    marrow: Bool = keep[enclosed]
    return marrow
