"""How often the flags "unlike the training patients" and "near-normal" are raised, and for whom.

Each flag is fitted on all outer folds but one and measured on that one, one sample per patient.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pipelines.arrays import Bool, Float64, Int64
from pipelines.diagnosis.evaluation.intervals import proportions
from pipelines.diagnosis.evaluation.metrics import mean_over_defined, ratio
from pipelines.diagnosis.evaluation.predictions import ALL, Predictions
from pipelines.diagnosis.trust.checks import one_sample_per_patient
from pipelines.diagnosis.trust.class_distance import fit_class_distance
from pipelines.diagnosis.trust.near_normal import fit_near_normal
from pipelines.diagnosis.trust.novelty import (
    cross_fitted_flags,
    held_out_shares,
    patient_folds,
)


def novelty_table(
    predictions: Predictions,
    features: Float64,
    *,
    false_positive_rate: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how often the flag "unlike the training patients" hits patients who are not.

    The reference of each fold's patients is that of the other folds. What the flag is worth on a
    disease that the model does not know is estimated for its distance part: all samples of a fold
    are measured against the means of the other folds without that disease's mean, and the ROC
    area of the disease's samples against the others says how well the distance tells them apart
    (0.5: not at all). The shared covariance still knows the disease.

    `features` is (n, p).
    Returns ``class`` (or 'all'), ``stated_rate``, ``flagged_rate``, ``lower``, ``upper``,
    ``n_flagged``, ``n_patients``, ``unknown_distance_auc`` ('all': mean over the classes).
    """
    rows = one_sample_per_patient(predictions.patient, seed)
    fold = patient_folds(predictions.patient, seed)
    shares = held_out_shares(
        features, predictions.y, len(predictions.classes), fold=fold, chosen=rows
    )
    flagged = cross_fitted_flags(shares, fold[rows], false_positive_rate)
    table = _flag_rates(predictions, rows, flagged)
    table.insert(1, "stated_rate", false_positive_rate)
    unknown = _unknown_disease_auc(predictions, features)
    present = unknown[np.unique(predictions.y)]
    return table.assign(unknown_distance_auc=[float(mean_over_defined(present)), *present])


def near_normal_table(
    predictions: Predictions, mean_involvement: Float64, max_involvement: Float64, seed: int = 0
) -> pd.DataFrame:
    """Return how many patients of each disease get the near-normal flag.

    `mean_involvement` and `max_involvement` are (n,).
    `mean_involvement` and `max_involvement`: 0-100, NaN where nothing is scored.
    Returns ``class`` (or 'all'), ``flagged_rate``, ``lower``, ``upper``, ``n_flagged``,
    ``n_patients``, ``accuracy_flagged``, ``accuracy_not_flagged`` (share of right first answers;
    NaN where there are none).
    """
    rows = one_sample_per_patient(predictions.patient, seed)
    fold, diagnosis = predictions.fold[rows], np.asarray(predictions.classes)[predictions.y[rows]]
    mean, maximum = mean_involvement[rows], max_involvement[rows]
    flagged = np.zeros(len(rows), dtype=bool)
    for name in predictions.fold_names:
        own, others = fold == name, fold != name
        fitted = fit_near_normal(
            mean[others], maximum[others], diagnosis[others], predictions.patient[rows[others]]
        )
        flagged[own] = fitted.flags(mean[own], maximum[own])
    table = _flag_rates(predictions, rows, flagged)
    right = predictions.ranks[rows] == 1
    groups = [predictions.y[rows] == k for k in np.unique(predictions.y[rows])]
    groups = [np.ones(len(rows), dtype=bool), *groups]
    return table.assign(
        accuracy_flagged=[_mean(right[g & flagged]) for g in groups],
        accuracy_not_flagged=[_mean(right[g & ~flagged]) for g in groups],
    )


def _flag_rates(predictions: Predictions, rows: Int64, flagged: Bool) -> pd.DataFrame:
    present = np.unique(predictions.y[rows])
    asked = np.column_stack(
        [np.ones(len(rows), dtype=bool), predictions.y[rows][:, None] == present]
    )
    found = proportions(np.broadcast_to(flagged[:, None], asked.shape), asked, np.arange(len(rows)))
    return pd.DataFrame(
        {
            "class": [ALL, *(predictions.classes[k] for k in present)],
            "flagged_rate": found.value,
            "lower": found.lower,
            "upper": found.upper,
            "n_flagged": found.numerator,
            "n_patients": found.denominator,
        }
    )


def _unknown_disease_auc(predictions: Predictions, features: Float64) -> Float64:
    """Return for each class how well distance shows it when the training lacks it, shape (K,)."""
    folds, classes = predictions.fold_names, len(predictions.classes)
    below, pairs = np.zeros((len(folds), classes)), np.zeros((len(folds), classes))
    for i, fold in enumerate(folds):
        test, train = predictions.fold == fold, predictions.fold != fold
        model = fit_class_distance(features[train], predictions.y[train], classes)
        distances = model.distances(features[test])
        for k in np.unique(predictions.y[test]):
            new = predictions.y[test] == k
            nearest_other = np.delete(distances, k, axis=1).min(axis=1)
            pairs[i, k] = new.sum() * (~new).sum()
            ranks = rankdata(nearest_other)[new]
            below[i, k] = ranks.sum() - new.sum() * (new.sum() + 1) / 2
    return ratio(below.sum(axis=0), pairs.sum(axis=0))


def _mean(values: Bool) -> float:
    return float(values.mean()) if len(values) else np.nan
