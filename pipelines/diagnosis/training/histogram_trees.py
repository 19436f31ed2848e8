"""Boosted histogram trees for the search: those of XGBoost, compiled for small cohorts.

A search makes thousands of fits and keeps none of them: it only wants the margins of the
validation rows. On a few thousand rows XGBoost spends much of such a fit on work without effect:
it sums histograms over rows and columns that a tree does not sample. These trees are grown by the
rules of XGBoost's ``hist`` method (same bins, rows, columns, gains, limits and leaves: tests find
the same margins) and visit only what is sampled, which halves the time of a fit. Where two splits
gain the same to the last digit, rounding may choose another one than in XGBoost.
The members of the ensemble are trained by XGBoost itself.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.arrays import Float32, Index, UInt8
from pipelines.diagnosis.ensemble.boosting import training_matrix


class BinnedRows:
    """Training rows in the bins that XGBoost would use.

    Parameters
    ----------
    features : float32 array (n, p)
        Prepared rows, without NaN.
    y : int array (n,)
        Class numbers.
    weights : float32 array (n,), optional
        Sample weights.
    max_bin : int
        Bins of a feature, at most 256.
    """

    def __init__(self, features: Float32, y: Index, weights: Float32 | None, max_bin: int) -> None:
        self._starts, self._cuts = training_matrix(features, y, weights, max_bin).get_quantile_cut()
        self.bins = self.bin(features)
        self.width = int(self.bins.max()) + 1
        self.y = y.astype(np.int64)
        self.weights = np.ones(len(y), np.float32) if weights is None else weights

    def bin(self, features: Float32) -> UInt8:
        """Return the bins of rows, uint8 (n, p)."""
        from pipelines.diagnosis.training.compiled_trees import find_bins

        bins: UInt8 = find_bins(
            np.ascontiguousarray(features), self._starts.astype(np.int64), self._cuts
        )
        return bins


def validation_margins(
    train: BinnedRows,
    validation: UInt8,
    y_validation: Index,
    parameters: Mapping[str, Any],
    *,
    classes: int,
    seed: int,
    patience: int = 0,
) -> tuple[Float32, int]:
    """Train on some rows and return the margins of others.

    Parameters
    ----------
    train : BinnedRows
        Training rows.
    validation : uint8 array (m, p)
        Other rows, binned by `train`.
    y_validation : int array (m,)
        Their class numbers, for early stopping.
    parameters : mapping
        Hyper-parameters by XGBoost's names.
    classes : int
        Number of classes K.
    seed : int
        Of row and column sampling, which are those of XGBoost for that seed.
    patience : int
        Rounds without a better validation loss before the fit stops; 0 never stops.

    Returns
    -------
    margins : float32 array (m, K)
        Of the validation rows, after the best round with early stopping.
    rounds : int
        Rounds that made them.
    """
    from pipelines.diagnosis.training.compiled_sampling import draw_numbers
    from pipelines.diagnosis.training.compiled_trees import boost

    everything = train.bins.shape[1]
    # Single precision, as in XGBoost: 0.3 of 10 columns are 3.
    columns = max(1, int(np.float32(parameters["colsample_bytree"]) * np.float32(everything)))
    draws = draw_numbers(seed, int(parameters["rounds"]) * classes, everything)
    margins, rounds = boost(
        train.bins,
        train.y,
        train.weights,
        validation,
        y_validation.astype(np.int64),
        classes,
        (
            np.float32(parameters["eta"]),
            int(parameters["max_depth"]),
            float(parameters["min_child_weight"]),
            float(parameters["lambda"]),
            float(parameters["gamma"]),
        ),
        (float(np.float32(parameters["subsample"])), columns, train.width, *draws),
        (int(parameters["rounds"]), patience),
    )
    return np.ascontiguousarray(margins.T), int(rounds)
