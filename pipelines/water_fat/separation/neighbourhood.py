"""Means over in-plane neighbours for quantities that a single voxel knows poorly, such as R2*.

The mean is weighted by how well each voxel knows its value. Small windows are pulled towards
larger ones, and the largest towards a typical value, each as strongly as the noise demands: with
little noise a voxel keeps its own 3 x 3 neighbourhood, with much noise the mean reaches further.
Water-like and fat-like voxels are averaged apart, because bright fat next to a thin muscle would
otherwise impose its decay on the muscle.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.arrays import Float32, Index
from pipelines.water_fat.separation.model import TYPICAL_R2STAR

# Edge lengths of the windows in voxels, in the plane.
WINDOWS = (3, 5, 9)
# Fat fractions (0-1) between which a voxel passes from one class to the other.
CLASS_LIMITS = (0.3, 0.7)


@dataclass(frozen=True)
class Spread:
    """What is expected of a quantity before any voxel is looked at.

    Attributes
    ----------
    typical : float
        Value where nothing is known.
    deviation : float
        Expected SD of a window's value around that of the next larger window.
    """

    typical: float
    deviation: float


# R2* of muscle and fat at 1.5-3 T lies at 20-80 1/s.
R2STAR_SPREAD = Spread(TYPICAL_R2STAR, 30.0)


class Neighbourhood:
    """In-plane windows around the tissue voxels of an image.

    Parameters
    ----------
    voxel : ndarray of shape (voxels,)
        Flat index of each tissue voxel in the image.
    shape : tuple of int
        Shape of the image.
    """

    def __init__(self, voxel: Index, shape: tuple[int, int, int]) -> None:
        place = np.stack(np.unravel_index(voxel, shape))
        low = place.min(axis=1)
        box = place.max(axis=1) - low + 1
        self._image = np.zeros(tuple(box), np.float32)
        self._voxel = np.ravel_multi_index(tuple(place - low[:, None]), tuple(box))

    def window_sum(self, values: Float32, size: int) -> Float32:
        """Sum over windows of `size` x `size` voxels; voxels without tissue count as zero."""
        self._image.ravel()[self._voxel] = values
        mean = ndimage.uniform_filter(self._image, (size, size, 1), mode="constant")
        total: Float32 = mean.ravel()[self._voxel] * np.float32(size * size)
        return total

    def average(
        self,
        weighted: Float32,
        weight: Float32,
        noise: float,
        spread: Spread,
        fatty: Float32 | None = None,
    ) -> Float32:
        """Average a quantity over the neighbours.

        Parameters
        ----------
        weighted : ndarray of shape (voxels,)
            Value times weight.
        weight : ndarray of shape (voxels,)
            Information of each voxel: `noise` squared over the variance of its value.
        noise : float
            SD of the noise in the signal.
        spread : Spread
            Typical value and how far windows deviate.
        fatty : ndarray of shape (voxels,), optional
            Membership of the fat-like class, from :func:`fat_class`; without it there is one class.
        """
        classes = [np.ones_like(weight)] if fatty is None else [1 - fatty, fatty]
        pull = np.float32(noise**2 / spread.deviation**2)
        mean = np.full_like(weight, spread.typical)
        for size in reversed(WINDOWS):
            top, low = pull * mean, np.full_like(weight, pull)
            for member in classes:
                top += member * self.window_sum(member * weighted, size)
                low += member * self.window_sum(member * weight, size)
            mean = top / low
        return mean


def fat_class(water: Float32, fat: Float32) -> Float32:
    """Return how far each voxel belongs to fat-like tissue, 0-1, from ``|W|`` and ``|F|``."""
    low, high = CLASS_LIMITS
    share = fat / np.maximum(water + fat, np.finfo(np.float32).tiny)
    membership: Float32 = np.clip((share - low) / (high - low), 0, 1)
    return membership
