"""The tables of an evaluation: one row per case, muscle and side, and their summary.

``columns.json`` defines the columns; its entries are also what the JSON sidecars say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipelines.columns import DescribedTable
from pipelines.segmentation.evaluation.agreement import (
    Worse,
    absence_rate,
    agreement,
    outlier_rate,
)
from pipelines.segmentation.evaluation.case import Value
from pipelines.segmentation.evaluation.severity import compare_severity

# Name of the summary rows over all muscles.
ALL = "all"


class EvaluationTables(DescribedTable):
    """The tables that ``columns.json`` describes."""

    MUSCLES = "muscles"
    SUMMARY = "summary"


@dataclass(frozen=True)
class Metric:
    """A column of the table of muscles that the summary is about.

    Attributes
    ----------
    column : str
        Its name.
    worse : {'low', 'high'}
        Which end is bad, for the outlier rate. Differences follow the paper: the lower fence.
    is_difference : bool
        Whether it is evaluated - reference, so that it has limits of agreement.
    """

    column: str
    worse: Worse = "low"
    is_difference: bool = True


METRICS = (
    Metric("dice", is_difference=False),
    Metric("hd95_mm", worse="high", is_difference=False),
    Metric("assd_mm", worse="high", is_difference=False),
    Metric("volume_error_ml"),
    Metric("volume_error_pct"),
    Metric("ff_error"),
    Metric("t2_error"),
    Metric("mtr_error"),
)


def agreement_table(cases: Mapping[str, Sequence[Mapping[str, Value]]]) -> pd.DataFrame:
    """Put the rows of all cases together.

    Parameters
    ----------
    cases : Mapping of str to sequence of Mapping
        Rows of :func:`~.case.compare_labels` by name of the case.

    Returns
    -------
    DataFrame
        Table ``muscles`` of ``columns.json``; columns of maps that were not given are NaN.
    """
    rows = [{"case": case, **row} for case, of_case in cases.items() for row in of_case]
    return pd.DataFrame(rows, columns=list(EvaluationTables.MUSCLES.columns))


def summary_table(muscles: pd.DataFrame) -> pd.DataFrame:
    """Summarize every metric over all muscles, per region and per muscle (both sides pooled).

    Tables 1 (regions) and 2 (severity) and Figure 3 (muscles) of Hostin et al. 2023.

    Parameters
    ----------
    muscles : DataFrame
        From :func:`agreement_table`.

    Returns
    -------
    DataFrame
        Table ``summary`` of ``columns.json``. Metrics that no muscle has a value of are left out.
    """
    metrics = [metric for metric in METRICS if muscles[metric.column].notna().any()]
    rows = [
        {"scope": scope, "name": name, **_counts(part), **_summary(part, metric)}
        for scope, name, part in _parts(muscles)
        for metric in metrics
    ]
    return pd.DataFrame(rows, columns=list(EvaluationTables.SUMMARY.columns))


def _parts(muscles: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield what is summarized together: scope, name, rows."""
    yield ALL, ALL, muscles
    for scope in ("region", "muscle"):
        for name, part in muscles.groupby(scope, sort=False):
            yield scope, str(name), part


def _counts(muscles: pd.DataFrame) -> dict[str, Any]:
    n_of = muscles["status"].value_counts()
    n_absent = int(n_of.get("absent", 0))
    n_reference = int(n_of.get("compared", 0)) + n_absent
    return {
        "n_reference": n_reference,
        "n_absent": n_absent,
        "n_extra": int(n_of.get("extra", 0)),
        "absence_rate": absence_rate(n_reference, n_absent),
    }


def _summary(muscles: pd.DataFrame, metric: Metric) -> dict[str, Any]:
    values = muscles[metric.column].to_numpy(np.float64)
    known = values[np.isfinite(values)]
    overall = agreement(values)
    split = compare_severity(values, muscles["ff_reference"].to_numpy(np.float64))
    q1, median, q3 = np.percentile(known, [25, 50, 75]) if known.size else (np.nan,) * 3
    return {
        "metric": metric.column,
        "n": overall.n,
        "mean": overall.bias,
        "sd": overall.sd,
        "mean_absolute": np.abs(known).mean() if known.size else np.nan,
        "q1": q1,
        "median": median,
        "q3": q3,
        "outlier_rate": outlier_rate(values, metric.worse),
        "loa_lower": overall.lower if metric.is_difference else np.nan,
        "loa_upper": overall.upper if metric.is_difference else np.nan,
        "g20_minus_n": split.mild.n,
        "g20_minus_mean": split.mild.bias,
        "g20_minus_sd": split.mild.sd,
        "g20_plus_n": split.severe.n,
        "g20_plus_mean": split.severe.bias,
        "g20_plus_sd": split.severe.sd,
        "test": split.test,
        "p_value": split.p_value,
    }
