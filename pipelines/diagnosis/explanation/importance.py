"""Which features matter for which diagnosis, over a cohort."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.arrays import Float32, Float64
from pipelines.errors import DataError

# Values of a feature that its direction needs.
_LEAST_VALUES = 3


def importance_table(
    values: Float32,
    features: Float64,
    classes: Sequence[str],
    feature_names: Sequence[str],
) -> pd.DataFrame:
    """Summarize SHAP values of a cohort.

    Parameters
    ----------
    values : float32 array (n, K, p)
        SHAP values, best of samples that the model had not seen.
    features : float64 array (n, p)
        Harmonized features; NaN where missing.
    classes : sequence of str
        The K diagnoses.
    feature_names : sequence of str
        The p features.

    Returns
    -------
    DataFrame
        One row per diagnosis and feature, the most important first: ``diagnosis``, ``rank``,
        ``feature``, ``importance`` (mean absolute SHAP value, margin units) and ``direction``
        (correlation of feature and SHAP value where the feature is known: positive if a high value
        speaks for the diagnosis; missing if it does not vary).

    Raises
    ------
    DataError
        If shapes do not fit or there is no sample.
    """
    shape = (len(features), len(classes), len(feature_names))
    if values.shape != shape or features.shape[1] != shape[2] or not len(features):
        raise DataError(
            f"SHAP values have shape {values.shape}, features {features.shape}; there are "
            f"{shape[1]} diagnoses and {shape[2]} features"
        )
    importance = np.abs(values).mean(axis=0, dtype=np.float64)
    order = np.argsort(-importance, axis=1, kind="stable")
    directions = np.array([_directions(values[:, k], features) for k in range(shape[1])])
    return pd.DataFrame(
        {
            "diagnosis": np.repeat(np.array(classes, dtype=object), shape[2]),
            "rank": np.tile(np.arange(1, shape[2] + 1), shape[1]),
            "feature": np.array(feature_names, dtype=object)[order].ravel(),
            "importance": np.take_along_axis(importance, order, axis=1).ravel(),
            "direction": np.take_along_axis(directions, order, axis=1).ravel(),
        }
    )


def _directions(values: Float32, features: Float64) -> Float64:
    """Return the correlation of each feature (n, p) with its SHAP values."""
    result = np.full(features.shape[1], np.nan)
    for j in range(features.shape[1]):
        known = np.isfinite(features[:, j])
        x, y = features[known, j], values[known, j].astype(np.float64)
        if known.sum() >= _LEAST_VALUES and np.ptp(x) > 0 and np.ptp(y) > 0:
            result[j] = np.corrcoef(x, y)[0, 1]
    return result
