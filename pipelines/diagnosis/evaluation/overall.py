"""The figures of the model as a whole, in each fold, and beside other models."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.arrays import Float64
from pipelines.diagnosis.evaluation import metrics
from pipelines.diagnosis.evaluation.intervals import Resamples
from pipelines.diagnosis.evaluation.one_vs_rest import MicroAreas, OneVsRest
from pipelines.diagnosis.evaluation.predictions import Predictions

# Numbers of answers for which top-n accuracy is given.
TOP_N = (1, 2, 3, 5, 10)


def quick_figures(predictions: Predictions, weights: Float64) -> dict[str, Float64]:
    """Return the figures that cost little, in table order, one value per row of weights.

    `weights` is (R, n).
    """
    top = metrics.weighted_top_n(predictions, weights, TOP_N)
    return {
        "balanced_accuracy": top[:, 0],
        **{f"weighted_top_{n}": top[:, i] for i, n in enumerate(TOP_N)},
        "accuracy": metrics.accuracy(predictions, weights),
        "log_loss": metrics.log_loss(predictions, weights),
        "brier_score": metrics.brier_score(predictions, weights),
        "expected_calibration_error": metrics.expected_calibration_error(predictions, weights),
    }


def figures(
    quick: Mapping[str, Float64], areas: OneVsRest, micro: MicroAreas
) -> dict[str, Float64]:
    """Put all overall figures together, in table order."""
    return {
        **quick,
        "roc_auc_micro": micro.roc,
        "roc_auc_macro": areas.roc_macro,
        "pr_auc_micro": micro.precision_recall,
        "pr_auc_macro": areas.precision_recall_macro,
    }


def overall_table(
    values: Mapping[str, Float64], predictions: Predictions, resamples: Resamples
) -> pd.DataFrame:
    """Summarize figures on the pooled folds, with interval and spread over folds.

    Returns ``metric``, ``value``, ``lower``, ``upper``, ``fold_mean``, ``fold_sd``, ``n_samples``,
    ``n_patients``, ``n_classes``, ``n_folds``.
    """
    rows = [
        {"metric": name, **summary_row(name, value, resamples), **counts(predictions)}
        for name, value in values.items()
    ]
    return pd.DataFrame(rows)


def fold_table(
    values: Mapping[str, Float64], predictions: Predictions, resamples: Resamples
) -> pd.DataFrame:
    """Return every figure of every fold.

    Returns ``fold``, ``metric``, ``value``, ``n_samples``, ``n_patients``, ``n_classes`` (present
    in the fold; a mean over classes is one over these).
    """
    rows = []
    for i, fold in enumerate(predictions.fold_names):
        inside = predictions.fold == fold
        n = {
            "n_samples": int(inside.sum()),
            "n_patients": len(np.unique(predictions.patient[inside])),
            "n_classes": len(np.unique(predictions.y[inside])),
        }
        rows += [
            {"fold": str(fold), "metric": name, "value": resamples.fold_values(value)[i], **n}
            for name, value in values.items()
        ]
    return pd.DataFrame(rows)


def comparison_table(
    predictions: Predictions, others: Mapping[str, Predictions], resamples: Resamples
) -> pd.DataFrame:
    """Compare the model with others on the same samples and folds.

    Returns ``model``, ``metric``, ``value``, ``lower``, ``upper``, ``fold_mean``, ``fold_sd``,
    ``difference`` (ensemble minus this model) with ``difference_lower`` and ``difference_upper``,
    and counts.
    """
    own = quick_figures(predictions, resamples.weights)
    rows = []
    for model, other in {"ensemble": predictions, **others}.items():
        values = own if other is predictions else quick_figures(other, resamples.weights)
        for name, value in values.items():
            difference = resamples.summary(own[name] - value)
            rows.append(
                {
                    "model": model,
                    "metric": name,
                    **summary_row(name, value, resamples),
                    "difference": float(difference.value),
                    "difference_lower": float(difference.lower),
                    "difference_upper": float(difference.upper),
                    **counts(predictions),
                }
            )
    return pd.DataFrame(rows)


def counts(predictions: Predictions) -> dict[str, int]:
    """Return what stands beside every figure: how much it is from."""
    return {
        "n_samples": predictions.n,
        "n_patients": len(np.unique(predictions.patient)),
        "n_classes": len(np.unique(predictions.y)),
        "n_folds": len(predictions.fold_names),
    }


def summary_row(name: str, values: Float64, resamples: Resamples) -> dict[str, float]:
    """Return the summary of one figure as table cells."""
    summary = resamples.summary(values, reflected=name.endswith("calibration_error"))
    return {
        "value": float(summary.value),
        "lower": float(summary.lower),
        "upper": float(summary.upper),
        "fold_mean": float(summary.fold_mean),
        "fold_sd": float(summary.fold_sd),
    }
