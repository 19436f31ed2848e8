"""How far samples lie from the diseases of the training data.

Mahalanobis distance to the mean of each class under one covariance shared by all classes (Lee et
al. 2018, "A Simple Unified Framework for Detecting Out-of-Distribution Samples"). Thirty patients
cannot carry a covariance of 38 features, so the within-class covariance is pooled and shrunk
(Ledoit and Wolf 2004).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import entr, softmax
from sklearn.covariance import ledoit_wolf

from pipelines.arrays import Float64
from pipelines.diagnosis.trust.checks import check_labels, check_matrix
from pipelines.errors import DataError


@dataclass(frozen=True)
class ClassDistance:
    """Class means and the shared covariance of prepared features.

    Attributes
    ----------
    means : ndarray of float64, shape (K, p)
        NaN for a class without training samples.
    covariance : ndarray of float64, shape (p, p)
        Shrunk within-class covariance.
    """

    means: Float64
    covariance: Float64

    def distances(self, features: npt.ArrayLike) -> Float64:
        """Return the Mahalanobis distance of every sample to every class.

        Parameters
        ----------
        features : array_like, shape (n, p)
            Prepared features (scaled and imputed as in training).

        Returns
        -------
        ndarray of float64, shape (n, K)
            Infinite for a class without training samples.

        Raises
        ------
        DataError
            If the features have another number of columns or missing values.
        """
        rows = check_matrix("features", features, columns=self.means.shape[1])
        lower = np.linalg.cholesky(self.covariance)
        white = solve_triangular(lower, rows.T, lower=True).T
        known = np.isfinite(self.means).all(axis=1)
        white_means = solve_triangular(lower, self.means[known].T, lower=True).T
        distances = np.full((len(rows), len(self.means)), np.inf)
        distances[:, known] = cdist(white, white_means)
        return distances

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters as JSON types."""
        return {
            "means": [None if np.isnan(row).any() else row.tolist() for row in self.means],
            "covariance": self.covariance.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what :meth:`as_dict` returned."""
        covariance = np.asarray(data["covariance"], np.float64)
        unknown = [np.nan] * len(covariance)
        means = [unknown if row is None else row for row in data["means"]]
        return cls(np.asarray(means, np.float64), covariance)


def fit_class_distance(features: npt.ArrayLike, y: npt.ArrayLike, n_classes: int) -> ClassDistance:
    """Estimate class means and the shared covariance.

    Parameters
    ----------
    features : array_like, shape (n, p)
        Prepared features of the training samples.
    y : array_like of int, shape (n,)
        Their classes.
    n_classes : int
        Number of classes K; some may have no sample here.

    Raises
    ------
    DataError
        If shapes do not fit or no feature varies within the classes.
    """
    rows = check_matrix("features", features)
    labels = check_labels(y, len(rows), n_classes)
    counts = np.bincount(labels, minlength=n_classes)
    sums = np.zeros((n_classes, rows.shape[1]))
    np.add.at(sums, labels, rows)
    means = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
    residuals = rows - means[labels]
    if not residuals.any():
        raise DataError(
            "no feature varies within any class, so that distances to the classes have no scale",
            "Use more than one sample per class.",
        )
    covariance, _ = ledoit_wolf(residuals, assume_centered=True)
    return ClassDistance(means, np.asarray(covariance, np.float64))


def nearness(model: ClassDistance, features: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Return how far every sample (n, p) is from its nearest class, and how undecided it is.

    The latter is the entropy (nats) of the classes if each were normal around its mean: large where
    several classes are about as far.
    """
    distances = model.distances(features)
    likely = softmax(-0.5 * distances**2, axis=1)
    return np.asarray(distances.min(axis=1)), np.asarray(entr(likely).sum(axis=1))
