"""How well the model does for parts of the cohort: sex, age, scale, study, severity, sides."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pipelines.arrays import Int64
from pipelines.diagnosis.evaluation.intervals import Resamples
from pipelines.diagnosis.evaluation.overall import quick_figures, summary_row
from pipelines.diagnosis.evaluation.predictions import Predictions
from pipelines.package_data import package_json

# Columns of the sample table that define subgroups as they are, in table order.
_CATEGORIES = ("sex", "scale", "study", "sides")
_MEASURES = ("balanced_accuracy", "weighted_top_3", "weighted_top_5", "accuracy")
UNKNOWN = "unknown"


@cache
def _bands() -> Mapping[str, Mapping[str, Any]]:
    """Return edges and names of the bands of continuous variables (``bands.json``)."""
    data: dict[str, dict[str, Any]] = package_json(__package__, "bands.json")
    return data


def subgroup_levels(samples: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the subgroup of every sample, for each variable that the table has.

    Parameters
    ----------
    samples : DataFrame
        Any of ``sex``, ``age`` (years), ``scale``, ``study``, ``sides``, ``mean_involvement``
        (0-100).

    Returns
    -------
    dict of str to Series of str
        Missing values are the level ``'unknown'``.
    """
    levels = {
        name: samples[name].astype("object").where(samples[name].notna(), UNKNOWN).astype(str)
        for name in _CATEGORIES
        if name in samples
    }
    for name, band in _bands().items():
        if name in samples:
            levels[f"{name}_band"] = _banded(samples[name], band)
    return levels


def subgroup_table(
    predictions: Predictions, samples: pd.DataFrame, resamples: Resamples
) -> pd.DataFrame:
    """Return figures of merit for every subgroup.

    Averages over classes are over the classes that the subgroup has, so that subgroups with
    different diseases differ for that reason too; ``n_classes`` and ``n_smallest_class`` tell.

    Returns ``variable``, ``level``, ``measure``, ``value``, ``lower``, ``upper``, ``n_samples``,
    ``n_patients``, ``n_classes``, ``n_smallest_class``.
    """
    rows = []
    for variable, level, inside in _groups(samples):
        part = Predictions(
            predictions.y[inside],
            predictions.probabilities[inside],
            predictions.classes,
            predictions.fold[inside],
            predictions.patient[inside],
        )
        n_of_class = np.bincount(part.y)
        n = {
            "n_samples": part.n,
            "n_patients": len(np.unique(part.patient)),
            "n_classes": int((n_of_class > 0).sum()),
            "n_smallest_class": int(n_of_class[n_of_class > 0].min()),
        }
        values = quick_figures(part, resamples.weights[:, inside])
        for measure in _MEASURES:
            cells = summary_row(measure, values[measure], resamples)
            figures = {name: cells[name] for name in ("value", "lower", "upper")}
            rows.append({"variable": variable, "level": level, "measure": measure} | figures | n)
    columns = ["variable", "level", "measure", "value", "lower", "upper", "n_samples"]
    columns += ["n_patients", "n_classes", "n_smallest_class"]
    return pd.DataFrame(rows, columns=columns)


def _groups(samples: pd.DataFrame) -> Iterator[tuple[str, str, Int64]]:
    for variable, values in subgroup_levels(samples).items():
        levels = values.to_numpy(dtype=object)
        named = _bands().get(variable.removesuffix("_band"), {}).get("levels")
        known = sorted(set(levels) - {UNKNOWN}) if named is None else named
        for level in [*known, UNKNOWN]:
            inside = np.flatnonzero(levels == level)
            if len(inside):
                yield variable, level, inside


def _banded(values: pd.Series, band: Mapping[str, Any]) -> pd.Series:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    names = np.asarray([*band["levels"], UNKNOWN], dtype=object)
    position = np.searchsorted(band["edges"], numbers, side="right")
    return pd.Series(
        names[np.where(np.isnan(numbers), len(names) - 1, position)], index=values.index
    )
