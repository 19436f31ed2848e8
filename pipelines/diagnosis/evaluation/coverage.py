"""What conformal sets really cover on patients they were not calibrated on.

Sets are calibrated on all outer folds but one and measured on that one. Out-of-fold margins of one
fold come from models that saw the patients of the others, so folds are not fully independent; but
no patient takes part in calibrating its own set.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float64, Int64
from pipelines.diagnosis.evaluation.intervals import wilson_interval
from pipelines.diagnosis.evaluation.predictions import ALL, Predictions
from pipelines.diagnosis.trust.checks import one_sample_per_patient
from pipelines.diagnosis.trust.conformal import MINIMUM_PATIENTS, fit_conformal, in_set


@dataclass(frozen=True)
class MeasuredSets:
    """Conformal sets of one sample per patient, each calibrated on the other folds.

    Attributes
    ----------
    rows : ndarray of int64, shape (patients,)
        The samples.
    p_values : ndarray, shape (patients, K)
        Their conformal p-values.
    pooled : ndarray of bool, shape (K,)
        Classes whose calibration was shared in at least one fold.
    """

    rows: Int64
    p_values: Float64
    pooled: Bool


def measured_sets(
    predictions: Predictions,
    margins: Float64,
    *,
    alpha: float = 0.1,
    minimum: int = MINIMUM_PATIENTS,
    randomised: bool = False,
    seed: int = 0,
) -> MeasuredSets:
    """Calibrate conformal sets on all folds but one and apply them to that one.

    `margins` is (n, K).
    """
    rng = np.random.default_rng(seed) if randomised else None
    rows = one_sample_per_patient(predictions.patient, seed)
    fold = predictions.fold[rows]
    p_values = np.empty((len(rows), len(predictions.classes)))
    pooled = np.zeros(len(predictions.classes), dtype=bool)
    for name in predictions.fold_names:
        own, others = np.flatnonzero(fold == name), rows[fold != name]
        fitted = fit_conformal(
            margins[others],
            predictions.y[others],
            predictions.classes,
            predictions.patient[others],
            alpha=alpha,
            minimum=minimum,
            seed=seed,
        )
        p_values[own] = fitted.p_values(margins[rows[own]], rng)
        pooled |= np.asarray(fitted.groups) != np.asarray(predictions.classes)
    return MeasuredSets(rows, p_values, pooled)


def coverage_table(
    predictions: Predictions, measured: MeasuredSets, alphas: tuple[float, ...]
) -> pd.DataFrame:
    """Return how often sets held the true disease, and how large they were.

    Returns ``alpha``, ``class`` (or 'all'), ``pooled``, ``target``, ``coverage``, ``lower``,
    ``upper``, ``mean_size``, ``median_size``, ``fraction_single``, ``fraction_empty``,
    ``n_patients``.
    """
    y = predictions.y[measured.rows]
    own = measured.p_values[np.arange(len(y)), y]
    groups = [(ALL, np.ones(len(y), dtype=bool), False)]
    groups += [
        (name, y == k, bool(measured.pooled[k])) for k, name in enumerate(predictions.classes)
    ]
    rows = []
    for alpha in alphas:
        sizes = in_set(measured.p_values, alpha).sum(axis=1)
        for name, inside, pooled in groups:
            if inside.any():
                coverage = float(in_set(own[inside], alpha).mean())
                lower, upper = wilson_interval(coverage, inside.sum())
                rows.append(
                    {
                        "alpha": alpha,
                        "class": name,
                        "pooled": pooled,
                        "target": 1 - alpha,
                        "coverage": coverage,
                        "lower": float(lower),
                        "upper": float(upper),
                        "mean_size": float(sizes[inside].mean()),
                        "median_size": float(np.median(sizes[inside])),
                        "fraction_single": float((sizes[inside] == 1).mean()),
                        "fraction_empty": float((sizes[inside] == 0).mean()),
                        "n_patients": int(inside.sum()),
                    }
                )
    return pd.DataFrame(rows)
