"""Are probabilities frequencies: reliability and calibration errors, before and after scaling."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.arrays import Float64
from pipelines.diagnosis.evaluation import metrics
from pipelines.diagnosis.evaluation.intervals import Resamples, proportions
from pipelines.diagnosis.evaluation.overall import counts, summary_row
from pipelines.diagnosis.evaluation.predictions import ALL, Predictions
from pipelines.diagnosis.trust.temperature import fit_temperature


def calibrated_probabilities(
    predictions: Predictions, margins: Float64
) -> tuple[Float64, pd.DataFrame]:
    """Return probabilities whose temperature was fitted on the other folds.

    `margins` and `probabilities` are (n, K).
    """
    probabilities = np.empty_like(margins)
    rows = []
    for fold in predictions.fold_names:
        inside = predictions.fold == fold
        fitted = fit_temperature(margins[~inside], predictions.y[~inside])
        probabilities[inside] = fitted.probabilities(margins[inside])
        rows.append({"fold": str(fold), "temperature": fitted.value, "n_samples": fitted.n})
    deployed = fit_temperature(margins, predictions.y)
    rows.append({"fold": ALL, "temperature": deployed.value, "n_samples": deployed.n})
    return probabilities, pd.DataFrame(rows)


def calibration_table(variants: Mapping[str, Predictions], resamples: Resamples) -> pd.DataFrame:
    """Return calibration errors of each variant of the probabilities.

    Returns ``probabilities`` (name of the variant), ``metric``, ``value``, ``lower``, ``upper``,
    ``fold_mean``, ``fold_sd`` and counts.
    """
    rows = [
        {
            "probabilities": variant,
            "metric": name,
            **summary_row(name, value, resamples),
            **counts(predictions),
        }
        for variant, predictions in variants.items()
        for name, value in _errors(predictions, resamples.weights).items()
    ]
    return pd.DataFrame(rows)


def reliability_table(
    variants: Mapping[str, Predictions], bins: int = metrics.CONFIDENCE_BINS
) -> pd.DataFrame:
    """Return how often the first answer is right at each level of confidence.

    Returns one row per variant and bin that holds samples: ``probabilities``, ``bin_lower``,
    ``bin_upper``, ``confidence`` (mean), ``accuracy``, ``lower``, ``upper``, ``n_samples``,
    ``n_patients``.
    """
    return pd.concat(
        [_reliability(name, predictions, bins) for name, predictions in variants.items()],
        ignore_index=True,
    )


def _reliability(name: str, predictions: Predictions, bins: int) -> pd.DataFrame:
    confidence = predictions.probabilities.max(axis=1)
    inside = metrics.confidence_bin(confidence, bins)[:, None] == np.arange(bins)
    right = np.broadcast_to((predictions.predicted == predictions.y)[:, None], inside.shape)
    found = proportions(right, inside, predictions.patient)
    edges = np.linspace(0, 1, bins + 1)
    table = pd.DataFrame(
        {
            "probabilities": name,
            "bin_lower": edges[:-1],
            "bin_upper": edges[1:],
            "confidence": metrics.ratio(confidence @ inside, inside.sum(axis=0).astype(float)),
            "accuracy": found.value,
            "lower": found.lower,
            "upper": found.upper,
            "n_samples": found.denominator,
            "n_patients": found.patients,
        }
    )
    return table[table["n_samples"] > 0]


def _errors(predictions: Predictions, weights: Float64) -> dict[str, Float64]:
    classwise = metrics.classwise_calibration_error(predictions, weights)
    return {
        "expected_calibration_error": metrics.expected_calibration_error(predictions, weights),
        "classwise_calibration_error": np.asarray(classwise.mean(axis=1)),
        "log_loss": metrics.log_loss(predictions, weights),
        "brier_score": metrics.brier_score(predictions, weights),
    }
