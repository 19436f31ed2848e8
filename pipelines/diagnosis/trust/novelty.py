"""Typicality: how much a new patient is like the patients the model learnt from.

Two signs of an unfamiliar patient are joined: a large distance from every disease in feature space
(:mod:`pipelines.diagnosis.trust.class_distance`) and evenly spread probabilities (entropy). Each is
turned into the share of training patients, seen held out, who are at least as extreme; Fisher's
sum of logarithms joins the two shares; and the joint score is again ranked among the training
patients. That rank is the typicality.

A diagnosis outside the model often looks like one inside it, so this never answers "unknown
disease". It flags a stated share of the patients most unlike the training data. The share of
ordinary patients who are flagged by mistake is measured, the reference of each fold's patients
being that of the other folds, and told with every flag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from pipelines.arrays import Array, Bool, Float64, Int64
from pipelines.diagnosis.trust.checks import check_length, check_matrix, one_sample_per_patient
from pipelines.diagnosis.trust.class_distance import (
    ClassDistance,
    fit_class_distance,
    held_out_distances,
)
from pipelines.errors import DataError


@dataclass(frozen=True)
class TypicalityReference:
    """What is usual: distance and entropy of training patients, each seen held out.

    Attributes
    ----------
    distance, entropy : ndarray of float64, shape (patients,)
        One entry per patient, in the same order.
    """

    distance: Float64
    entropy: Float64

    def score(self, distance: Float64, entropy: Float64) -> Float64:
        """Return how unusual samples are: -2 (log share of distance + log share of entropy).

        Parameters
        ----------
        distance, entropy : ndarray of float64, shape (n,)
            Distance to the nearest class, and entropy (nats).

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        shares = share_at_least(self.distance, distance), share_at_least(self.entropy, entropy)
        return np.asarray(-2 * (np.log(shares[0]) + np.log(shares[1])))

    def typicality(self, score: Float64) -> Float64:
        """Return the percentage of training patients at least as unusual (above 0, up to 100)."""
        known = self.score(self.distance, self.entropy)
        return 100 * share_at_least(known, score)


@dataclass(frozen=True)
class NoveltyScores:
    """Typicality of n samples.

    Attributes
    ----------
    distance : ndarray of float64, shape (n,)
        Mahalanobis distance to the nearest class.
    nearest : ndarray of int64, shape (n,)
        That class.
    entropy : ndarray of float64, shape (n,)
        Entropy of the calibrated probabilities, nats.
    score : ndarray of float64, shape (n,)
        Joint score; large is unusual.
    typicality : ndarray of float64, shape (n,)
        Percentage of training patients who are at least as unusual.
    flagged : ndarray of bool, shape (n,)
        Whether the typicality is at or below the stated false-positive rate.
    """

    distance: Float64
    nearest: Int64
    entropy: Float64
    score: Float64
    typicality: Float64
    flagged: Bool


@dataclass(frozen=True)
class Novelty:
    """Fitted typicality of a model.

    Attributes
    ----------
    classes : tuple of str
        Names of the K classes.
    class_distance : ClassDistance
        Fitted on all training samples.
    reference : TypicalityReference
        Held-out training patients.
    false_positive_rate : float
        Share of ordinary patients that the flag is allowed to hit.
    measured_rate : float
        Share of them that it hit when the reference was that of other folds.
    """

    classes: tuple[str, ...]
    class_distance: ClassDistance
    reference: TypicalityReference
    false_positive_rate: float
    measured_rate: float

    def scores(self, features: npt.ArrayLike, probabilities: npt.ArrayLike) -> NoveltyScores:
        """Return the typicality of new samples.

        Parameters
        ----------
        features : array_like, shape (n, p)
            Prepared features (scaled and imputed as in training).
        probabilities : array_like, shape (n, K)
            Calibrated probabilities.

        Returns
        -------
        NoveltyScores

        Raises
        ------
        DataError
            If an array has the wrong width or missing values.
        """
        distances = self.class_distance.distances(features)
        distance = distances.min(axis=1)
        entropy = prediction_entropy(probabilities, len(self.classes))
        check_length("probabilities", entropy, len(distance))
        score = self.reference.score(distance, entropy)
        typicality = self.reference.typicality(score)
        return NoveltyScores(
            distance,
            distances.argmin(axis=1).astype(np.int64),
            entropy,
            score,
            typicality,
            typicality <= 100 * self.false_positive_rate,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters as JSON types."""
        return {
            "classes": list(self.classes),
            "class_distance": self.class_distance.as_dict(),
            "reference_distance": self.reference.distance.tolist(),
            "reference_entropy": self.reference.entropy.tolist(),
            "false_positive_rate": self.false_positive_rate,
            "measured_rate": self.measured_rate,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what :meth:`as_dict` returned."""
        reference = TypicalityReference(
            np.asarray(data["reference_distance"], np.float64),
            np.asarray(data["reference_entropy"], np.float64),
        )
        return cls(
            tuple(data["classes"]),
            ClassDistance.from_dict(data["class_distance"]),
            reference,
            float(data["false_positive_rate"]),
            float(data["measured_rate"]),
        )

    def text(self, typicality: float) -> str:
        """Say for people what a typicality means.

        Parameters
        ----------
        typicality : float
            Percentage of training patients at least as unusual.

        Returns
        -------
        str
        """
        if typicality > 100 * self.false_positive_rate:
            return (
                f"Within the range of the training data: {typicality:.0f} % of the training "
                "patients look as unusual or more so. This does not prove that the disease is one "
                "the model knows."
            )
        return (
            f"Unlike the patients the model was trained on: only {typicality:.1f} % of them look "
            f"as unusual. {100 * self.measured_rate:.1f} % of ordinary patients got this flag too "
            "when it was tested. The disease may not be one the model knows, or scores may be "
            "wrong; check them and read the ranking with caution."
        )


def fit_novelty(
    features: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    y: npt.ArrayLike,
    classes: Sequence[str],
    *,
    patient: npt.ArrayLike,
    fold: npt.ArrayLike,
    false_positive_rate: float = 0.05,
    seed: int = 0,
) -> Novelty:
    """Learn what training patients look like.

    Parameters
    ----------
    features : array_like, shape (n, p)
        Prepared features of the training samples.
    probabilities : array_like, shape (n, K)
        Their out-of-fold probabilities, each fold calibrated by itself
        (:func:`pipelines.diagnosis.trust.temperature.fold_probabilities`): the ensembles of
        different folds are sure of themselves to different degrees.
    y : array_like of int, shape (n,)
        True classes.
    classes : sequence of str
        Names of the K classes.
    patient : array_like, shape (n,)
        Patient of every sample; one sample of each enters the reference.
    fold : array_like, shape (n,)
        Outer fold of every sample.
    false_positive_rate : float
        Share of ordinary patients that the flag may hit.
    seed : int
        Seed of the choice of samples.

    Raises
    ------
    DataError
        If shapes do not fit, values are missing, or there are fewer patients than
        1 / ``false_positive_rate``.
    """
    distance = held_out_distances(features, y, len(classes), fold)
    entropy = prediction_entropy(probabilities, len(classes))
    check_length("probabilities", entropy, len(distance))
    rows = one_sample_per_patient(check_length("patient", np.asarray(patient), len(distance)), seed)
    if not 0 < false_positive_rate < 1 or len(rows) < 1 / false_positive_rate:
        raise DataError(
            f"a false-positive rate of {false_positive_rate:g} cannot be set "
            f"with {len(rows)} patients",
            "It must lie between 0 and 1, with at least 1 / rate patients.",
        )
    return Novelty(
        tuple(classes),
        fit_class_distance(features, y, len(classes)),
        TypicalityReference(distance[rows], entropy[rows]),
        float(false_positive_rate),
        float(
            cross_fitted_flags(
                distance[rows], entropy[rows], np.asarray(fold)[rows], false_positive_rate
            ).mean()
        ),
    )


def cross_fitted_flags(
    distance: Float64,
    entropy: Float64,
    fold: Array,
    false_positive_rate: float,
) -> Bool:
    """Return who is flagged when the reference of each fold is that of the other folds.

    Parameters
    ----------
    distance, entropy : ndarray of float64, shape (n,)
        Held out, one sample per patient.
    fold : ndarray, shape (n,)
        Fold of each.
    false_positive_rate : float
        Stated rate of the flag.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    flagged = np.zeros(len(distance), dtype=bool)
    for name in np.unique(fold):
        own = fold == name
        reference = TypicalityReference(distance[~own], entropy[~own])
        score = reference.score(distance[own], entropy[own])
        flagged[own] = reference.typicality(score) <= 100 * false_positive_rate
    return flagged


def prediction_entropy(probabilities: npt.ArrayLike, n_classes: int | None = None) -> Float64:
    """Return the entropy of each row of probabilities, in nats."""
    rows = check_matrix("probabilities", probabilities, columns=n_classes)
    return np.asarray(entr(rows).sum(axis=1))


def share_at_least(reference: Float64, values: Float64) -> Float64:
    """Return the share of reference values that are at least as large, the value counted in."""
    known = np.sort(reference)
    at_least = len(known) - np.searchsorted(known, values, side="left")
    return np.asarray((at_least + 1) / (len(known) + 1))
