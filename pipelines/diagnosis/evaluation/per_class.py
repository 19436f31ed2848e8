"""What the model does for each disease: rates, areas, and which diseases it takes for which."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float64
from pipelines.diagnosis.evaluation.intervals import (
    Proportions,
    Resamples,
    mean_and_sd,
    proportions,
)
from pipelines.diagnosis.evaluation.metrics import ratio
from pipelines.diagnosis.evaluation.one_vs_rest import OneVsRest
from pipelines.diagnosis.evaluation.predictions import Predictions

# Numbers of answers for which the recall of each class is given.
_TOP_N = (3, 5)


@dataclass(frozen=True)
class _Rate:
    """A proportion of each class: of the samples asked, those that count."""

    numerator: Bool
    denominator: Bool


def class_table(
    predictions: Predictions, areas: OneVsRest, area_resamples: Resamples
) -> pd.DataFrame:
    """Return sensitivity, specificity, predictive values, top-n recall and areas per class.

    Predictive values hold for the mix of diseases of this cohort, not of a clinic.

    Returns one row per class and measure: ``class``, ``measure``, ``value``, ``lower``, ``upper``,
    ``interval`` ('wilson' or 'bootstrap'), ``numerator``, ``denominator``, ``n_patients`` (in the
    denominator; for areas, those of the class), ``fold_mean``, ``fold_sd``.
    """
    parts = [_rate_rows(name, rate, predictions) for name, rate in _rates(predictions).items()]
    parts += [
        _area_rows(name, values, predictions, area_resamples)
        for name, values in (("roc_auc", areas.roc), ("pr_auc", areas.precision_recall))
    ]
    table = pd.concat(parts, ignore_index=True)
    order = pd.Categorical(table["class"], categories=list(predictions.classes))
    rows = np.argsort(order.codes, kind="stable")
    return table.iloc[rows].reset_index(drop=True)


def confusion_table(predictions: Predictions) -> pd.DataFrame:
    """Return how often each class is taken for each class.

    Returns one row per pair: ``truth``, ``predicted``, ``count``, ``fraction`` (of the samples of
    the true class), ``lower``, ``upper``, ``n_samples`` and ``n_patients`` (of the true class).
    """
    classes = len(predictions.classes)
    truth, answer = np.divmod(np.arange(classes**2), classes)
    cells = proportions(
        predictions.predicted[:, None] == answer[None, :],
        predictions.y[:, None] == truth[None, :],
        predictions.patient,
    )
    names = np.asarray(predictions.classes, dtype=object)
    return pd.DataFrame(
        {
            "truth": names[truth],
            "predicted": names[answer],
            "count": cells.numerator,
            "fraction": cells.value,
            "lower": cells.lower,
            "upper": cells.upper,
            "n_samples": cells.denominator,
            "n_patients": cells.patients,
        }
    )


def _rates(predictions: Predictions) -> dict[str, _Rate]:
    classes = np.arange(len(predictions.classes))
    is_class = predictions.y[:, None] == classes
    said = predictions.predicted[:, None] == classes
    ranks = predictions.ranks[:, None]
    return {
        "sensitivity": _Rate(said, is_class),
        "specificity": _Rate(~said, ~is_class),
        "ppv": _Rate(is_class, said),
        "npv": _Rate(~is_class, ~said),
    } | {f"top_{n}_recall": _Rate((ranks <= n) & is_class, is_class) for n in _TOP_N}


def _rate_rows(name: str, rate: _Rate, predictions: Predictions) -> pd.DataFrame:
    found: Proportions = proportions(rate.numerator, rate.denominator, predictions.patient)
    folds = np.stack([predictions.fold == fold for fold in predictions.fold_names])
    weights = folds.astype(np.float64)
    counted = rate.numerator & rate.denominator
    in_folds = ratio(weights @ counted, weights @ rate.denominator)
    mean, sd = mean_and_sd(in_folds)
    return pd.DataFrame(
        {
            "class": predictions.classes,
            "measure": name,
            "value": found.value,
            "lower": found.lower,
            "upper": found.upper,
            "interval": "wilson",
            "numerator": found.numerator,
            "denominator": found.denominator,
            "n_patients": found.patients,
            "fold_mean": mean,
            "fold_sd": sd,
        }
    )


def _area_rows(
    name: str,
    values: Float64,
    predictions: Predictions,
    resamples: Resamples,
) -> pd.DataFrame:
    summary = resamples.summary(values)
    classes = range(len(predictions.classes))
    return pd.DataFrame(
        {
            "class": predictions.classes,
            "measure": name,
            "value": summary.value,
            "lower": summary.lower,
            "upper": summary.upper,
            "interval": "bootstrap",
            "numerator": [int((predictions.y == k).sum()) for k in classes],
            "denominator": predictions.n,
            "n_patients": [
                len(np.unique(predictions.patient[predictions.y == k])) for k in classes
            ],
            "fold_mean": summary.fold_mean,
            "fold_sd": summary.fold_sd,
        }
    )
