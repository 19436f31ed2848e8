"""Our SHAP values as ``shap.Explanation`` objects, one per diagnosis, for the plots of ``shap``."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.explanation.values import explain_native
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores
from pipelines.progress import Progress

if TYPE_CHECKING:
    import shap

# Name of the sum of what the explanation table does not list.
OTHER_FEATURES = "all other features"


def shap_explanations(
    ensemble: Ensemble,
    native: NativeScores,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> "dict[str, shap.Explanation]":
    """Explain samples for every diagnosis of an ensemble.

    Returns by diagnosis: ``values`` (n, p) in margin units, ``base_values`` (n,), ``data`` (n, p)
    with the harmonized features (NaN where missing) and ``feature_names``. Row i is row i of
    ``native.samples``; ``shap.plots.waterfall(result["DYSF"][0])`` draws one patient.
    """
    import shap

    found = explain_native(ensemble, native, threads=threads, progress=progress)
    data = ensemble.harmonization.transform(native)
    return {
        diagnosis: shap.Explanation(
            values=found.values[:, k].astype(np.float64),
            base_values=np.full(len(data), found.base[k]),
            data=data,
            feature_names=list(ensemble.feature_names),
        )
        for k, diagnosis in enumerate(ensemble.classes)
    }


def listed_explanation(table: pd.DataFrame, diagnosis: str) -> "shap.Explanation":
    """Read the explanation of a diagnosis back from ``group_explanation.tsv``.

    Parameters
    ----------
    table : DataFrame
        One row per sample, diagnosis and listed feature:
        :data:`pipelines.diagnosis.application.tables.EXPLANATION_COLUMNS`.
    diagnosis : str
        One of its diagnoses.

    Returns
    -------
    shap.Explanation
        One row per sample that has an explanation of the diagnosis, in the order of the table; one
        column per feature that is listed for any of them, the largest first, and
        ``OTHER_FEATURES`` last. What a sample does not list has 0 and counts in the last column,
        so that a row of ``values`` and its ``base_values`` add up to the margin. ``data`` is NaN
        where a feature was imputed or is not listed.

    Raises
    ------
    DataError
        If the table does not explain the diagnosis.
    """
    import shap

    rows = table[table["diagnosis"] == diagnosis]
    if rows.empty:
        raise DataError(f"the table explains no answer {diagnosis}")
    samples, features = (rows[name].unique() for name in ("sample", "feature"))
    grids = [
        rows.pivot(index="sample", columns="feature", values=column)
        .reindex(index=samples, columns=features)
        .to_numpy(np.float64)
        for column in ("shap", "value")
    ]
    values, data = np.nan_to_num(grids[0]), grids[1]
    order = np.argsort(-np.abs(values).sum(axis=0), kind="stable")
    base, margin = (
        rows.groupby("sample", sort=False)[name].first().to_numpy(np.float64)
        for name in ("base", "margin")
    )
    others = margin - base - values.sum(axis=1)
    return shap.Explanation(
        values=np.column_stack([values[:, order], others]),
        base_values=base,
        data=np.column_stack([data[:, order], np.full(len(samples), np.nan)]),
        feature_names=[*(str(name) for name in features[order]), OTHER_FEATURES],
    )
