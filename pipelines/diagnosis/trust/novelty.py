"""Typicality: how much a new patient is like the patients the model learnt from.

Two signs of an unfamiliar patient are joined: a large distance from every disease in feature space,
and several diseases about as far away (:func:`.class_distance.nearness`). Each is turned into the
share of training patients, seen held out, who are at least as extreme, and Fisher's sum of
logarithms joins the two shares. This is done for each of some folds of patients, whose means know
none of the fold's patients; the share of patients who are at least as unusual, on average over the
folds, is compared with what the same procedure gives for training patients of whom it knew nothing.
That rank is the typicality.

The probabilities of the ensemble would tell unknown diseases a little better, but those of an
ensemble trained on fewer patients are sure of themselves to another degree, a weak one most of all:
up to a fifth of ordinary patients would be flagged.

A diagnosis outside the model often looks like one inside it, so this never answers "unknown
disease". It flags a stated share of the patients most unlike the training data. The share that new
ordinary patients will really get depends on the patients it was set with (:attr:`Novelty.expected`)
and is told with every flag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from pipelines.arrays import Bool, Float64, Int64
from pipelines.diagnosis.trust.checks import (
    check_labels,
    check_length,
    check_matrix,
    one_sample_per_patient,
    patient_codes,
)
from pipelines.diagnosis.trust.class_distance import ClassDistance, fit_class_distance, nearness
from pipelines.errors import DataError

# Of patients; more would change the means of a fold less and cost more than they bring.
_FOLDS = 10
# Of the interval of the rate at which new ordinary patients are flagged.
_LEVEL = 0.95


@dataclass(frozen=True)
class FoldReference:
    """What is usual: the training patients of one fold, each seen held out.

    Attributes
    ----------
    class_distance : ClassDistance
        Fitted on the samples of the other folds.
    distance, entropy : ndarray of float64, shape (patients,)
        Of these patients, see :func:`.class_distance.nearness`.
    """

    class_distance: ClassDistance
    distance: Float64
    entropy: Float64

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters as JSON types."""
        return {
            "class_distance": self.class_distance.as_dict(),
            "distance": self.distance.tolist(),
            "entropy": self.entropy.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what :meth:`as_dict` returned."""
        return cls(
            ClassDistance.from_dict(data["class_distance"]),
            np.asarray(data["distance"], np.float64),
            np.asarray(data["entropy"], np.float64),
        )


@dataclass(frozen=True)
class NoveltyScores:
    """Typicality of n samples.

    Attributes
    ----------
    typicality : ndarray of float64, shape (n,)
        Percentage of training patients who are at least as unusual.
    flagged : ndarray of bool, shape (n,)
        Whether the typicality is at or below the stated false-positive rate.
    """

    typicality: Float64
    flagged: Bool


@dataclass(frozen=True)
class Novelty:
    """Fitted typicality of a model.

    Attributes
    ----------
    classes : tuple of str
        Names of the K classes.
    references : tuple of FoldReference
        What new samples are compared with.
    shares : ndarray of float64, shape (patients,)
        What the comparison gave for training patients of whom it knew nothing.
    false_positive_rate : float
        Share of ordinary patients that the flag is allowed to hit.
    measured_rate : float
        Share of training patients that it hit when it was set with those of other folds.
    """

    classes: tuple[str, ...]
    references: tuple[FoldReference, ...]
    shares: Float64
    false_positive_rate: float
    measured_rate: float

    @property
    def expected(self) -> tuple[float, float]:
        """Share of new ordinary patients who get the flag, 95 % interval.

        The limit is an order statistic of the training patients, so that the share beyond it has a
        beta distribution (Vovk 2012, "Conditional validity of inductive conformal predictors").
        """
        n = len(self.shares)
        beyond = max(1, int(np.floor(self.false_positive_rate * (n + 1))))
        low, high = beta(beyond, n + 1 - beyond).interval(_LEVEL)
        return float(low), float(high)

    def scores(self, features: npt.ArrayLike) -> NoveltyScores:
        """Return the typicality of new samples.

        Parameters
        ----------
        features : array_like, shape (n, p)
            Prepared features (scaled and imputed as in training).

        Raises
        ------
        DataError
            If the array has the wrong width or missing values.
        """
        rank = _rank_from_lowest(self.shares, _share_as_unusual(self.references, features))
        return NoveltyScores(100 * rank, rank <= self.false_positive_rate)

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters as JSON types."""
        return {
            "classes": list(self.classes),
            "references": [reference.as_dict() for reference in self.references],
            "shares": self.shares.tolist(),
            "false_positive_rate": self.false_positive_rate,
            "measured_rate": self.measured_rate,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what :meth:`as_dict` returned."""
        return cls(
            tuple(data["classes"]),
            tuple(FoldReference.from_dict(entry) for entry in data["references"]),
            np.asarray(data["shares"], np.float64),
            float(data["false_positive_rate"]),
            float(data["measured_rate"]),
        )

    def text(self, typicality: float) -> str:
        """Say for people what a typicality (percent) means."""
        if typicality > 100 * self.false_positive_rate:
            return (
                f"Within the range of the training data: {typicality:.0f} % of the training "
                "patients look as unusual or more so. This does not prove that the disease is one "
                "the model knows."
            )
        low, high = self.expected
        return (
            f"Unlike the patients the model was trained on: only {typicality:.1f} % of them look "
            f"as unusual. {100 * self.false_positive_rate:.0f} % of ordinary patients get this "
            f"flag too ({100 * low:.0f} to {100 * high:.0f} %; set with {len(self.shares)} "
            "patients). "
            "The disease may not be one the model knows, or scores may be wrong; check them and "
            "read the ranking with caution."
        )


def fit_novelty(
    features: npt.ArrayLike,
    y: npt.ArrayLike,
    classes: Sequence[str],
    *,
    patient: npt.ArrayLike,
    false_positive_rate: float = 0.05,
    seed: int = 0,
) -> Novelty:
    """Learn what training patients look like.

    Parameters
    ----------
    features : array_like, shape (n, p)
        Prepared features of the training samples.
    y : array_like of int, shape (n,)
        True classes.
    classes : sequence of str
        Names of the K classes.
    patient : array_like, shape (n,)
        Patient of every sample; one sample of each enters the reference.
    false_positive_rate : float
        Share of ordinary patients that the flag may hit.
    seed : int
        Seed of the choice of samples and of the folds.

    Raises
    ------
    DataError
        If shapes do not fit, values are missing, or there are fewer patients than
        1 / ``false_positive_rate``.
    """
    rows = check_matrix("features", features)
    labels = check_labels(y, len(rows), len(classes))
    known = check_length("patient", np.asarray(patient, dtype=object), len(rows))
    chosen = one_sample_per_patient(known, seed)
    if not 0 < false_positive_rate < 1 or len(chosen) < 1 / false_positive_rate:
        raise DataError(
            f"a false-positive rate of {false_positive_rate:g} cannot be set "
            f"with {len(chosen)} patients",
            "It must lie between 0 and 1, with at least 1 / rate patients.",
        )
    fold = patient_folds(known, seed)
    shares = held_out_shares(rows, labels, len(classes), fold=fold, chosen=chosen)
    return Novelty(
        tuple(classes),
        _references(rows, labels, len(classes), fold, chosen),
        shares,
        float(false_positive_rate),
        float(cross_fitted_flags(shares, fold[chosen], false_positive_rate).mean()),
    )


def patient_folds(patient: npt.ArrayLike, seed: int) -> Int64:
    """Return a random fold for each sample, the same for all samples of a patient."""
    codes = patient_codes(patient)
    return np.random.default_rng(seed).permutation(codes.max() + 1)[codes] % _FOLDS


def held_out_shares(
    features: Float64, y: Int64, n_classes: int, *, fold: Int64, chosen: Int64
) -> Float64:
    """Return what new samples would get, for the samples `chosen`, from all other folds only.

    `features` is (n, p); `y` and `fold` are (n,).
    """
    shares = np.empty(len(chosen))
    for name in np.unique(fold[chosen]):
        own, others = chosen[fold[chosen] == name], np.flatnonzero(fold != name)
        kept = np.flatnonzero(np.isin(others, chosen))
        references = _references(features[others], y[others], n_classes, fold[others], kept)
        shares[fold[chosen] == name] = _share_as_unusual(references, features[own])
    return shares


def cross_fitted_flags(shares: Float64, fold: Int64, false_positive_rate: float) -> Bool:
    """Return who is flagged when the limit for each fold is set with the other folds, (n,)."""
    flagged = np.zeros(len(shares), dtype=bool)
    for name in np.unique(fold):
        own = fold == name
        flagged[own] = _rank_from_lowest(shares[~own], shares[own]) <= false_positive_rate
    return flagged


def _references(
    features: Float64, y: Int64, n_classes: int, fold: Int64, chosen: Int64
) -> tuple[FoldReference, ...]:
    """Measure the samples `chosen` of each fold by the means of all samples of the others.

    Distances of training samples to their own mean would be too small.
    """
    references = []
    for name in np.unique(fold[chosen]):
        others, own = fold != name, chosen[fold[chosen] == name]
        fitted = fit_class_distance(features[others], y[others], n_classes)
        references.append(FoldReference(fitted, *nearness(fitted, features[own])))
    return tuple(references)


def _share_as_unusual(references: Sequence[FoldReference], features: npt.ArrayLike) -> Float64:
    """Return the share of the training patients who are as unusual, on average over the folds."""
    distances = np.concatenate([reference.distance for reference in references])
    entropies = np.concatenate([reference.entropy for reference in references])
    usual = _joint_score(_own_shares(distances), _own_shares(entropies))
    shares = []
    for reference in references:
        distance, entropy = nearness(reference.class_distance, features)
        score = _joint_score(
            share_at_least(distances, distance), share_at_least(entropies, entropy)
        )
        shares.append(share_at_least(usual, score))
    sizes = [len(reference.distance) for reference in references]
    return np.asarray(np.average(shares, axis=0, weights=sizes))


def share_at_least(reference: Float64, values: Float64) -> Float64:
    """Return the share of reference values that are at least as large, the value counted in."""
    known = np.sort(reference)
    at_least = len(known) - np.searchsorted(known, values, side="left")
    return np.asarray((at_least + 1) / (len(known) + 1))


def _own_shares(values: Float64) -> Float64:
    """Return the same for the reference values themselves, each counted once."""
    known = np.sort(values)
    return np.asarray((len(known) - np.searchsorted(known, values, side="left")) / len(known))


def _rank_from_lowest(reference: Float64, values: Float64) -> Float64:
    """Return the share of reference values that are at most as large, the value counted in."""
    return share_at_least(-reference, -values)


def _joint_score(distance: Float64, entropy: Float64) -> Float64:
    """Return how unusual samples are: -2 (log share of distance + log share of entropy)."""
    return np.asarray(-2 * (np.log(distance) + np.log(entropy)))
