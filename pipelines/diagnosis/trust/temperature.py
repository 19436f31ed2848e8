"""Temperature scaling: one number that makes the probabilities of an ensemble honest.

Guo et al. 2017, "On Calibration of Modern Neural Networks" (section 4.2). Dividing all margins by
one temperature changes how sure the model is, never the order of the diagnoses; SHAP values on
the margins stay what they are up to that factor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from pipelines.arrays import Float64
from pipelines.diagnosis.trust.checks import check_labels, check_matrix

# Temperatures outside say that margins are separated perfectly or carry nothing; both mean that
# there is no honest best value, so that the search ends here.
LOWEST, HIGHEST = 0.05, 20.0


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature.

    Attributes
    ----------
    value : float
        Margins are divided by it. Below 1: the model was less sure than it could be.
    n : int
        Number of out-of-fold samples it was fitted on.
    """

    value: float
    n: int

    def probabilities(self, margins: npt.ArrayLike) -> Float64:
        """Return calibrated probabilities.

        Parameters
        ----------
        margins : array_like, shape (n, K)
            Raw margins of the ensemble (mean over its members).

        Returns
        -------
        ndarray of float64, shape (n, K)
            Rows sum to 1.
        """
        return np.asarray(softmax(check_matrix("margins", margins) / self.value, axis=1))

    def as_dict(self) -> dict[str, Any]:
        """Return all parameters as JSON types."""
        return {"value": self.value, "n": self.n}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what :meth:`as_dict` returned."""
        return cls(float(data["value"]), int(data["n"]))


def fit_temperature(margins: npt.ArrayLike, y: npt.ArrayLike) -> Temperature:
    """Find the temperature under which the true classes are most likely.

    Parameters
    ----------
    margins : array_like, shape (n, K)
        Out-of-fold margins. Margins of training rows would make the model look surer than it is.
    y : array_like of int, shape (n,)
        True classes.

    Returns
    -------
    Temperature
        Between 0.05 and 20. The log-likelihood is concave in 1 / temperature, so the optimum is
        unique.

    Raises
    ------
    DataError
        If an array has the wrong shape or holds values that are not finite.
    """
    scores = check_matrix("margins", margins)
    labels = check_labels(y, *scores.shape)
    rows = np.arange(len(labels))

    def negative_log_likelihood(inverse: float) -> float:
        return float(-log_softmax(scores * inverse, axis=1)[rows, labels].mean())

    found = minimize_scalar(
        negative_log_likelihood,
        bounds=(1 / HIGHEST, 1 / LOWEST),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return Temperature(float(1 / found.x), len(labels))
