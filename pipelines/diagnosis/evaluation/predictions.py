"""Out-of-fold predictions, checked once: what every part of the evaluation works on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.arrays import Float64, Int64
from pipelines.diagnosis.trust.checks import check_labels, check_length, check_matrix, patient_codes
from pipelines.errors import DataError

# Class or fold of table rows about all of them together.
ALL = "all"
# Probabilities stored as float32 sum to one within about 1e-6.
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Predictions:
    """Out-of-fold predictions of n samples.

    Attributes
    ----------
    y : ndarray of int64, shape (n,)
        True classes.
    probabilities : ndarray of float64, shape (n, K)
        Predicted probabilities; no model that made a row has seen its patient.
    classes : tuple of str
        Names of the K classes.
    fold : ndarray, shape (n,)
        Name or number of the outer fold (or held-out study) of each sample.
    patient : ndarray of int64, shape (n,)
        Number of the patient of each sample.
    """

    y: Int64
    probabilities: Float64
    classes: tuple[str, ...]
    fold: npt.NDArray[np.generic]
    patient: Int64

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.y)

    @cached_property
    def ranks(self) -> Int64:
        """Rank of the true class of every sample, from 1; see :func:`true_ranks`."""
        return true_ranks(self.probabilities, self.y)

    @cached_property
    def predicted(self) -> Int64:
        """Most probable class of every sample; of equal ones the first."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @cached_property
    def fold_names(self) -> tuple[object, ...]:
        """Names of the folds, sorted."""
        return tuple(np.unique(self.fold).tolist())


def check_predictions(
    y: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    classes: Sequence[str],
    *,
    fold: npt.ArrayLike,
    patient: npt.ArrayLike,
) -> Predictions:
    """Check out-of-fold predictions.

    `y`, `fold` and `patient` are (n,); `probabilities` is (n, K).
    """
    names = tuple(classes)
    if len(set(names)) < len(names) or len(names) < 2:
        raise DataError(f"classes are {', '.join(names)}; two or more different names are needed")
    rows = check_probabilities("probabilities", probabilities, len(names))
    folds = check_length("fold", fold, len(rows))
    patients = check_length("patient", np.asarray(patient, dtype=object), len(rows))
    codes = patient_codes(patients)
    if (codes < 0).any():
        raise DataError(f"patient is missing in row {int(np.flatnonzero(codes < 0)[0])}")
    folds_of_patient = pd.DataFrame({"patient": codes, "fold": folds}).drop_duplicates()
    divided = folds_of_patient["patient"].duplicated()
    if divided.any():
        first = patients[codes == folds_of_patient["patient"][divided].iloc[0]][0]
        raise DataError(
            f"{int(divided.sum())} patients have samples in more than one fold, e.g. {first}",
            "Group the folds by patient; otherwise a model is tested on patients it has seen.",
        )
    return Predictions(check_labels(y, *rows.shape), rows, names, folds, codes)


def check_probabilities(name: str, probabilities: npt.ArrayLike, n_classes: int) -> Float64:
    """Return a matrix of probabilities.

    `probabilities` is (n, K).
    """
    rows = check_matrix(name, probabilities, columns=n_classes)
    wrong = np.flatnonzero((rows < 0).any(axis=1) | (abs(rows.sum(axis=1) - 1) > _SUM_TOLERANCE))
    if len(wrong):
        raise DataError(
            f"{len(wrong)} rows of {name} are no probabilities; row {wrong[0]} sums to "
            f"{rows[wrong[0]].sum():.4f}",
            "Apply the softmax to margins first.",
        )
    return rows


def true_ranks(probabilities: Float64, y: Int64) -> Int64:
    """Return the rank of the true class among all classes, from 1.

    Of equally probable classes the one that comes first in the class list has the better rank,
    so that the rank agrees with ``argmax`` and does not depend on a sorting algorithm.

    `probabilities` is (n, K); `y` and the result are (n,).
    """
    own = probabilities[np.arange(len(y)), y][:, None]
    earlier = np.arange(probabilities.shape[1])[None, :] < y[:, None]
    better = (probabilities > own) | ((probabilities == own) & earlier)
    return np.asarray(1 + better.sum(axis=1), dtype=np.int64)
