"""Hand our SHAP values to the plots of the ``shap`` package."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.arrays import Float64
from pipelines.diagnosis.explanation.values import Explanation

if TYPE_CHECKING:
    import shap


def to_shap(
    explanation: Explanation,
    features: Float64,
    feature_names: Sequence[str],
    classes: Sequence[str],
) -> "shap.Explanation":
    """Make the object that ``shap.plots.waterfall``, ``beeswarm`` and the others draw.

    Parameters
    ----------
    explanation : Explanation
        SHAP values (n, K, p) and base (K,).
    features : float64 array (n, p)
        What was explained.
    feature_names, classes : sequence of str
        Names of the p features and K classes.

    Returns
    -------
    shap.Explanation
        Values (n, p, K), so that ``result[row, :, classes.index(diagnosis)]`` is one patient's
        waterfall for one diagnosis.
    """
    import shap

    values = np.moveaxis(explanation.values.astype(np.float64), 1, 2)
    return shap.Explanation(
        values=values,
        base_values=np.broadcast_to(explanation.base, (len(values), len(classes))).copy(),
        data=np.asarray(features),
        feature_names=list(feature_names),
        output_names=list(classes),
    )
