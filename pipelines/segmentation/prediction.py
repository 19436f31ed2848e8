"""What a network says about a scan."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Probabilities and entropies are kept in steps of 1/255.
UNIT_STEPS = 255


@dataclass(frozen=True)
class Prediction:
    """Labels of one scan on its own grid.

    Attributes
    ----------
    labels : ndarray of uint8 or uint16, shape (x, y, z)
        In the model's numbering; 0 is background.
    probability : ndarray of uint8, shape (x, y, z)
        Probability of the label, 0-255.
    entropy : ndarray of uint8, shape (x, y, z)
        Entropy of the class probabilities, 0-255 (255: all classes equally probable).
    soft_voxels : mapping of int to float
        Sum of each label's probability over all voxels: the volume the network would give it if
        it did not have to decide.
    """

    labels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    probability: npt.NDArray[np.uint8]
    entropy: npt.NDArray[np.uint8]
    soft_voxels: Mapping[int, float]
