"""Conformal prediction sets: diagnoses that cannot be ruled out at a stated error rate.

Class-conditional (Mondrian) split conformal prediction (Vovk et al. 2005, "Algorithmic Learning in
a Random World", section 4.5): for a new patient who has disease k, the set holds k with a
probability of at least 1 - alpha, for every k that has calibration patients of its own. The
guarantee asks that calibration patients and new patients are exchangeable, so

- margins are out-of-fold, one sample per patient;
- the score, minus the log of the softmax probability, is taken from the raw margins: no
  temperature or other quantity fitted on the same patients enters it;
- a deployed ensemble, refitted on all data, differs a little from the fold ensembles that gave the
  calibration margins: there the guarantee is approximate, as in every cross-fitted scheme.

Small classes cannot support a quantile of their own: with n patients no p-value is below
1 / (n + 1), and the coverage achieved scatters widely. Classes with fewer than ``minimum``
patients therefore share one pool of calibration scores, to which the next smallest classes are
added until the pool has ``minimum`` patients. For pooled classes coverage holds for a patient of
the pool, not for each of its diseases.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from pipelines.arrays import Bool, Float64, Int64
from pipelines.diagnosis.trust.checks import (
    check_labels,
    check_length,
    check_matrix,
    one_sample_per_patient,
)
from pipelines.errors import DataError

# With 19 patients a p-value can just fall to 0.05; fewer leave quantiles to one or two patients.
MINIMUM_PATIENTS = 20
# Name of the calibration group of the small classes.
POOL = "small classes"


@dataclass(frozen=True)
class ConformalSets:
    """Calibrated class-conditional conformal predictor.

    Attributes
    ----------
    classes : tuple of str
        Names of the K classes.
    alpha : float
        Default error rate; 0.1 gives sets that hold the true disease for 90 % of patients.
    groups : tuple of str
        Calibration group of every class: its own name or ``"small classes"``.
    scores : mapping of str to ndarray
        Ascending non-conformity scores of the calibration patients of each group.
    """

    classes: tuple[str, ...]
    alpha: float
    groups: tuple[str, ...]
    scores: Mapping[str, Float64]

    def p_values(self, margins: npt.ArrayLike, rng: np.random.Generator | None = None) -> Float64:
        """Return for every class how well the samples conform to its patients.

        Parameters
        ----------
        margins : array_like, shape (n, K)
            Raw margins of the ensemble (no temperature applied).
        rng : numpy Generator, optional
            Given: ties and the sample itself are weighted by a uniform draw, so that p-values
            are exactly uniform and coverage is exactly 1 - alpha. Default: no draw, the same
            answer every time, coverage at least 1 - alpha.

        Returns
        -------
        ndarray of float64, shape (n, K)
            Fraction of calibration patients of the class that are at least as strange as the
            sample, the sample counted in.
        """
        new = _nonconformity(margins, len(self.classes))
        values = np.empty_like(new)
        for k, group in enumerate(self.groups):
            known = self.scores[group]
            stranger = len(known) - np.searchsorted(known, new[:, k], side="right")
            at_least = len(known) - np.searchsorted(known, new[:, k], side="left")
            share = 1.0 if rng is None else rng.random(len(new))
            values[:, k] = (stranger + share * (at_least - stranger + 1)) / (len(known) + 1)
        return values

    def sets(
        self,
        margins: npt.ArrayLike,
        alpha: float | None = None,
        rng: np.random.Generator | None = None,
    ) -> Bool:
        """Return which classes each prediction set holds.

        An empty set means that the sample conforms to no disease of the model.

        Parameters
        ----------
        margins : array_like, shape (n, K)
            Raw margins of the ensemble.
        alpha : float, optional
            Error rate; default the one of this predictor.
        rng : numpy Generator, optional
            As in :meth:`p_values`.

        Returns
        -------
        ndarray of bool, shape (n, K)
        """
        level = self.alpha if alpha is None else _check_alpha(alpha)
        return in_set(self.p_values(margins, rng), level)

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters as JSON types."""
        return {
            "classes": list(self.classes),
            "alpha": self.alpha,
            "groups": list(self.groups),
            "scores": {group: values.tolist() for group, values in self.scores.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what :meth:`as_dict` returned."""
        return cls(
            tuple(data["classes"]),
            float(data["alpha"]),
            tuple(data["groups"]),
            {group: np.asarray(values, np.float64) for group, values in data["scores"].items()},
        )


def fit_conformal(
    margins: npt.ArrayLike,
    y: npt.ArrayLike,
    classes: Sequence[str],
    patient: npt.ArrayLike,
    *,
    alpha: float = 0.1,
    minimum: int = MINIMUM_PATIENTS,
    seed: int = 0,
) -> ConformalSets:
    """Calibrate class-conditional conformal sets on out-of-fold margins.

    Parameters
    ----------
    margins : array_like, shape (n, K)
        Raw out-of-fold margins.
    y : array_like of int, shape (n,)
        True classes.
    classes : sequence of str
        Names of the K classes.
    patient : array_like, shape (n,)
        Patient of every sample; one sample of each is used, chosen at random.
    alpha : float
        Error rate.
    minimum : int
        Classes with fewer patients are pooled (see the module's text).
    seed : int
        Seed of the choice of samples.

    Raises
    ------
    DataError
        If shapes do not fit, or all patients together are fewer than ``minimum`` or too few to
        ever rule out a class at this ``alpha``.
    """
    scores = _nonconformity(margins, len(classes))
    labels = check_labels(y, *scores.shape)
    rows = one_sample_per_patient(check_length("patient", np.asarray(patient), len(labels)), seed)
    level = _check_alpha(alpha)
    needed = max(minimum, int(np.ceil(1 / level)) - 1)
    own = scores[rows, labels[rows]]
    counts = np.bincount(labels[rows], minlength=len(classes))
    if counts.sum() < needed:
        raise DataError(
            f"{counts.sum()} patients are too few to calibrate conformal sets; "
            f"{needed} are needed for an error rate of {level:g}",
            "Add patients or raise the error rate.",
        )
    pooled = _pooled_classes(counts, needed)
    groups = tuple(POOL if pooled[k] else name for k, name in enumerate(classes))
    group_of_row = np.asarray(groups, dtype=object)[labels[rows]]
    return ConformalSets(
        tuple(classes),
        level,
        groups,
        {group: np.sort(own[group_of_row == group]) for group in dict.fromkeys(groups)},
    )


def in_set(p_values: Float64, alpha: float) -> Bool:
    """Return which classes cannot be ruled out at an error rate: those with p-values above it."""
    # Rounding must not push a p-value of exactly alpha into the set.
    return p_values > alpha + 1e-12


def _nonconformity(margins: npt.ArrayLike, n_classes: int) -> Float64:
    """Return how strange each class is for each sample: minus its log softmax probability.

    `margins` and the result are (n, K).
    """
    return np.asarray(-log_softmax(check_matrix("margins", margins, columns=n_classes), axis=1))


def _check_alpha(alpha: float) -> float:
    if not 0 < alpha < 1:
        raise DataError(f"the error rate alpha is {alpha:g}; it must lie between 0 and 1")
    return float(alpha)


def _pooled_classes(counts: Int64, needed: int) -> Bool:
    pooled = counts < needed
    # Equal counts: the first class joins, so that the choice does not depend on the platform.
    for k in np.argsort(counts, kind="stable"):
        if not pooled.any() or counts[pooled].sum() >= needed:
            break
        pooled[k] = True
    return pooled
