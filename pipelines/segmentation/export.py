"""Turn logits on the network's grid into labels and probabilities on the grid of the scan.

One slice of the scan at a time: logits are interpolated linearly to its voxels (also between
slices, where the network works at another slice distance), and the class is chosen after that.
This equals choosing on the interpolated volume, without ever holding one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pipelines.segmentation.prediction import UNIT_STEPS
from pipelines.segmentation.preparation import AxisMap


@dataclass
class LabelVolume:
    """Prediction on the grid of the scan, in the network's axis order; filled slice by slice.

    Attributes
    ----------
    labels : ndarray of uint8 or uint16
        Most probable class.
    probability : ndarray of uint8
        Its probability, 0-255.
    entropy : ndarray of uint8
        Entropy of the class probabilities, 0 (certain) to 255 (all classes equal).
    soft_voxels : ndarray of float64, shape (classes,)
        Sum of each class's probability over the predicted voxels.
    """

    labels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    probability: npt.NDArray[np.uint8]
    entropy: npt.NDArray[np.uint8]
    soft_voxels: npt.NDArray[np.float64]


def empty_volume(axes: Sequence[AxisMap], n_classes: int) -> LabelVolume:
    """Return a volume that is background with certainty."""
    shape = tuple(axis.length for axis in axes)
    small = n_classes <= np.iinfo(np.uint8).max + 1
    return LabelVolume(
        np.zeros(shape, np.uint8) if small else np.zeros(shape, np.uint16),
        np.full(shape, UNIT_STEPS, np.uint8),
        np.zeros(shape, np.uint8),
        np.zeros(n_classes, np.float64),
    )


def write_slices(
    volume: LabelVolume, logits: torch.Tensor, axes: Sequence[AxisMap], first: int
) -> None:
    """Fill in the slices of the scan that a block of logits covers.

    Parameters
    ----------
    volume : LabelVolume
        Changed in place.
    logits : torch.Tensor of shape (classes, a, b, d)
        Network slices `first` to ``first + a - 1``.
    axes : sequence of AxisMap
        The three axes; slices run along the first one.
    first : int
        Position of the block in the prepared data.
    """
    slices, rows, columns = axes
    last = first + logits.shape[1] - 1
    target = (slice(rows.start, rows.stop), slice(columns.start, columns.stop))
    for offset, position in enumerate(slices.source):
        if not first <= position <= last:
            continue
        below = int(position) - first
        share = position - int(position)
        section = logits[:, below].float()
        if share > 0:
            section = torch.lerp(section, logits[:, below + 1].float(), share)
        section = _interpolate(section, rows.source, axis=1)
        section = _interpolate(section, columns.source, axis=2)
        index = (slices.start + offset, *target)
        log_probabilities = torch.log_softmax(section, dim=0)
        probabilities = log_probabilities.exp()
        probability, label = probabilities.max(dim=0)
        entropy = -(probabilities * log_probabilities).sum(dim=0) / np.log(len(section))
        volume.labels[index] = label.numpy()
        volume.probability[index] = _as_uint8(probability)
        volume.entropy[index] = _as_uint8(entropy)
        volume.soft_voxels += probabilities.sum(dim=(1, 2), dtype=torch.float64).numpy()


def _interpolate(
    section: torch.Tensor, source: npt.NDArray[np.float64], *, axis: int
) -> torch.Tensor:
    """Sample one axis linearly at fractional positions."""
    below = np.floor(source).astype(np.int64)
    above = np.minimum(below + 1, section.shape[axis] - 1)
    shape = [1, 1, 1]
    shape[axis] = len(source)
    share = torch.from_numpy((source - below).astype(np.float32)).reshape(shape)
    if not share.any() and len(source) == section.shape[axis]:
        return section
    lower = section.index_select(axis, torch.from_numpy(below))
    upper = section.index_select(axis, torch.from_numpy(above))
    return torch.lerp(lower, upper, share)


def _as_uint8(fraction: torch.Tensor) -> npt.NDArray[np.uint8]:
    return (fraction.clamp(0, 1) * UNIT_STEPS).round().to(torch.uint8).numpy()
