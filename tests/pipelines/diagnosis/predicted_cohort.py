"""Simulated out-of-fold predictions whose distribution is known: Gaussian classes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from pipelines.diagnosis.evaluation.predictions import Predictions, check_predictions

CLASSES = ("A", "B", "C", "D")


@dataclass(frozen=True)
class Cohort:
    """Samples of classes around four means, and the exact posterior as prediction."""

    y: np.ndarray
    features: np.ndarray
    margins: np.ndarray
    fold: np.ndarray
    samples: pd.DataFrame

    @property
    def probabilities(self) -> np.ndarray:
        return softmax(self.margins, axis=1)

    @property
    def predictions(self) -> Predictions:
        return check_predictions(
            self.y,
            self.probabilities,
            CLASSES,
            fold=self.fold,
            patient=self.samples["patient"].to_numpy(),
        )


def cohort(patients=(120, 80, 60, 25), visits=1, folds=5, seed=0, spread=1.2):
    """Draw patients of each class, each with the same number of visits, in random folds.

    Margins are the true log posterior for equal class frequencies.
    """
    rng = np.random.default_rng(seed)
    of_patient = np.repeat(np.arange(4), patients)
    means = spread * np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, -1]], float)
    patient = np.repeat(np.arange(len(of_patient)), visits)
    y = of_patient[patient]
    features = means[y] + rng.normal(size=(len(y), 4))
    margins = -0.5 * ((features[:, None] - means) ** 2).sum(axis=2)
    samples = pd.DataFrame(
        {
            "patient": [f"study/{p:03d}" for p in patient],
            "participant": [f"{p:03d}" for p in patient],
            "session": [str(v) for _ in of_patient for v in range(visits)],
            "study": np.where(patient % 2, "north", "south"),
            "sex": np.where(patient % 5 == 0, None, np.where(patient % 2, "F", "M")),
            "age": rng.uniform(5, 80, len(y)),
            "scale": np.where(patient % 3 == 0, "FF", "0-4"),
            "sides": "bilateral",
            "mean_involvement": rng.uniform(0, 60, len(y)),
        }
    )
    samples["max_involvement"] = np.minimum(100, 1.5 * samples["mean_involvement"])
    return Cohort(y, features, margins, rng.integers(folds, size=len(of_patient))[patient], samples)


def predictions_of(y, probabilities, classes=None, fold=None, patient=None):
    """Predictions of few samples, one patient each and two folds unless said otherwise."""
    n, k = np.shape(probabilities)
    return check_predictions(
        np.asarray(y),
        np.asarray(probabilities, float),
        classes or tuple("ABCDEFGH"[:k]),
        fold=np.arange(n) % 2 if fold is None else fold,
        patient=np.arange(n) if patient is None else patient,
    )


def all_samples(predictions: Predictions) -> np.ndarray:
    """Return the weights that count every sample once, shape (1, n)."""
    return np.ones((1, predictions.n))
