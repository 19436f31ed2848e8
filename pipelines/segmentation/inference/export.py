"""Turn logits on the network's grid into labels and probabilities on the grid of the scan.

One slice of the scan at a time: logits are interpolated linearly to its voxels (also between
slices, where the network works at another slice distance), and the class is chosen after that.
This equals choosing on the interpolated volume, without ever holding one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Float64, UInt8, UInt16
from pipelines.segmentation.inference.preparation import AxisMap

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
    soft_voxels : mapping of int to ndarray of float64, shape (1, 1, z)
        Sum of each label's probability over the voxels of each slice: the volume the network would
        give it if it did not have to decide. Shape (1, 1, 1), the sum over all voxels, if the
        network's slices are not those along z.
    """

    labels: UInt8 | UInt16
    probability: UInt8
    entropy: UInt8
    soft_voxels: Mapping[int, Float64]


# Rows of a slice that are worked on at a time: all their classes fit in a processor's cache.
_ROWS = 32


@dataclass
class LabelVolume:
    """Prediction on the grid of the scan, in the network's axis order; filled slice by slice.

    Values as in :class:`Prediction`; `soft_voxels` has shape (classes, slices).
    """

    labels: UInt8 | UInt16
    probability: UInt8
    entropy: UInt8
    soft_voxels: Float64


def empty_volume(axes: Sequence[AxisMap], n_classes: int) -> LabelVolume:
    """Return a volume that is background with certainty."""
    shape = tuple(axis.length for axis in axes)
    small = n_classes <= np.iinfo(np.uint8).max + 1
    return LabelVolume(
        np.zeros(shape, np.uint8) if small else np.zeros(shape, np.uint16),
        np.full(shape, UNIT_STEPS, np.uint8),
        np.zeros(shape, np.uint8),
        np.zeros((n_classes, shape[0]), np.float64),
    )


def write_slices(volume: LabelVolume, logits: Float32, axes: Sequence[AxisMap], first: int) -> None:
    """Fill in the slices of the scan that logits (classes, a, b, d) from slice `first` on cover."""
    slices, rows, columns = axes
    last = first + logits.shape[1] - 1
    for offset, position in enumerate(slices.source):
        if not first <= position <= last:
            continue
        below = int(position)
        pair = logits[:, below - first : below - first + 2]
        section = _sample(pair, np.array([position - below]), axis=1)[:, 0]
        section = _sample(section, columns.source, axis=2)
        for begin in range(0, len(rows.source), _ROWS):
            source = rows.source[begin : begin + _ROWS]
            start = rows.start + begin
            index = (
                slices.start + offset,
                slice(start, start + len(source)),
                slice(columns.start, columns.stop),
            )
            _write(volume, index, _sample(section, source, axis=1))


def _sample(values: Float32, source: Float64, *, axis: int) -> Float32:
    """Sample one axis linearly at fractional positions."""
    below = np.floor(source).astype(np.int64)
    share = (source - below).astype(np.float32)
    lower = values.take(below, axis)
    if not share.any():
        return lower
    difference = values.take(np.minimum(below + 1, values.shape[axis] - 1), axis)
    difference -= lower
    difference *= share.reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    lower += difference
    return lower


def _write(volume: LabelVolume, index: tuple[int | slice, ...], logits: Float32) -> None:
    """Choose the classes of some rows of a slice; `logits` is overwritten."""
    highest = logits[0].copy()
    label = np.zeros(highest.shape, volume.labels.dtype)
    for value in range(1, len(logits)):
        np.copyto(label, value, where=logits[value] > highest)
        np.maximum(highest, logits[value], out=highest)
    logits -= highest
    probabilities = np.exp(logits)
    total = probabilities.sum(axis=0)
    probabilities /= total
    # The entropy is log(total) less the mean of the logits; the chosen class has a logit of 0.
    logits *= probabilities
    entropy = (np.log(total) - logits.sum(axis=0)) / np.float32(np.log(len(logits)))
    volume.labels[index] = label
    volume.probability[index] = _as_uint8(1 / total)
    volume.entropy[index] = _as_uint8(entropy)
    volume.soft_voxels[:, index[0]] += probabilities.sum(axis=(1, 2))


def _as_uint8(fraction: Float32) -> UInt8:
    steps: Float32 = np.rint(fraction.clip(0, 1) * UNIT_STEPS)
    return steps.astype(np.uint8)
