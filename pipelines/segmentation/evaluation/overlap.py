"""How much the voxels of two label images have in common."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Integer
from pipelines.errors import DataError


@dataclass(frozen=True)
class Overlap:
    """Voxels of one label value in two label images.

    Attributes
    ----------
    reference, evaluated : int
        Number of voxels in either image.
    shared : int
        Number of voxels that have the value in both.
    """

    reference: int
    evaluated: int
    shared: int

    @property
    def in_both(self) -> bool:
        """Whether both images hold the value, so that there is something to compare."""
        return self.reference > 0 and self.evaluated > 0

    @property
    def dice(self) -> float:
        """Dice coefficient ``2 |A ∩ B| / (|A| + |B|)``, 0 to 1 (DSC of Hostin et al. 2023).

        NaN if either image lacks the value: a muscle that is not there has no outline to judge.
        How often that happens is :func:`~.agreement.absence_rate`.
        """
        if not self.in_both:
            return math.nan
        return 2.0 * self.shared / (self.reference + self.evaluated)

    @property
    def size_error(self) -> float:
        """Evaluated minus reference number of voxels; NaN if either image lacks the value."""
        return float(self.evaluated - self.reference) if self.in_both else math.nan


def count_overlaps(reference: Integer, evaluated: Integer) -> Mapping[int, Overlap]:
    """Count the voxels of every value from one pass over both label images.

    `reference` and `evaluated` are (x, y, z).
    Returns one entry per value other than 0 that either image holds, in rising order.
    """
    _check(reference, evaluated)
    labelled = (reference > 0) | (evaluated > 0)
    pairs = np.stack([reference[labelled], evaluated[labelled]])
    values, codes = np.unique(pairs, return_inverse=True)
    codes = codes.reshape(pairs.shape)
    n = len(values)
    confusion = np.bincount(codes[0] * n + codes[1], minlength=n * n).reshape(n, n)
    in_reference, in_evaluated = confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        int(value): Overlap(int(in_reference[i]), int(in_evaluated[i]), int(confusion[i, i]))
        for i, value in enumerate(values)
        if value != 0
    }


def _check(reference: Integer, evaluated: Integer) -> None:
    if reference.shape != evaluated.shape:
        raise DataError(
            f"The reference labels have shape {reference.shape} and the evaluated ones "
            f"{evaluated.shape}.",
            "Resample one of them to the grid of the other (nearest neighbour).",
        )
    for name, labels in (("reference", reference), ("evaluated", evaluated)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(
                f"The {name} labels hold {labels.dtype} values; labels must be integers.",
                "Store the label image with an integer type.",
            )
        if labels.size and labels.min() < 0:
            raise DataError(
                f"The {name} labels hold negative values.", "Labels count from 0, the background."
            )
