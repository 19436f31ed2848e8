"""Each pair of diseases (Myo-Guide paper, section 2.5 and figure 4): areas and curves.

For a pair (a, b) only samples of a and b count. The question is asked twice, once with a positive
and ranked by the probability of a, once with b positive and ranked by that of b, and the two areas
or curves are averaged (Hand and Till 2001 do the same for the ROC area).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from pipelines.arrays import Int64
from pipelines.diagnosis.evaluation.curves import (
    RankedScores,
    areas,
    precision_at,
    precision_recall_curve,
    rank_scores,
    roc_at,
    roc_curve,
)
from pipelines.diagnosis.evaluation.intervals import Resamples
from pipelines.diagnosis.evaluation.metrics import mean_over_defined
from pipelines.diagnosis.evaluation.one_vs_rest import MACRO, MICRO, MicroAreas
from pipelines.diagnosis.evaluation.predictions import Predictions

# Points of each of the many small curves.
_GRID = np.linspace(0, 1, 51)
_FIGURES = ("roc_auc", "pr_auc")


@dataclass(frozen=True)
class _Pair:
    """Both questions about one pair, and the rows that they are about."""

    a: int
    b: int
    rows: Int64
    questions: tuple[RankedScores, RankedScores]


def one_vs_one_table(
    predictions: Predictions, micro: MicroAreas, resamples: Resamples
) -> pd.DataFrame:
    """Return the areas of every pair, and their macro and micro averages.

    The macro average is the unweighted mean over pairs. The micro average ranks the answers of
    all pairs together: every sample gives K - 1 positive answers (its own class, once per pair)
    and K - 1 negative ones. If no class is absent its ROC area therefore equals the one-vs-rest
    micro average, while its precision is that of a question with as many positives as negatives.

    Returns ``class_a``, ``class_b``, ``n_a``, ``n_b`` and for both areas value, ``_lower``,
    ``_upper``, ``_fold_mean``, ``_fold_sd``. Pairs of which one class has no samples are missing.
    """
    pairs = list(_pairs(predictions))
    rocs, prs = [], []
    for pair in pairs:
        both = [areas(question, resamples.weights[:, pair.rows]) for question in pair.questions]
        rocs.append(np.mean([roc for roc, _ in both], axis=0))
        prs.append(np.mean([pr for _, pr in both], axis=0))
    # Without any pair there is nothing to average, but the table keeps its rows.
    nothing = np.full((len(resamples.weights), 0), np.nan)
    roc = np.stack(rocs, axis=1) if rocs else nothing
    pr = np.stack(prs, axis=1) if prs else nothing
    counts = np.bincount(predictions.y, minlength=len(predictions.classes))
    rows: list[dict[str, object]] = [
        {
            "class_a": predictions.classes[pair.a],
            "class_b": predictions.classes[pair.b],
            "n_a": int(counts[pair.a]),
            "n_b": int(counts[pair.b]),
        }
        for pair in pairs
    ]
    rows += [
        {"class_a": name, "class_b": name, "n_a": predictions.n, "n_b": predictions.n}
        for name in (MACRO, MICRO)
    ]
    table = pd.DataFrame(rows)
    pooled_areas = (micro.roc_pairs, micro.precision_recall_pairs)
    for figure, values, pooled in zip(_FIGURES, (roc, pr), pooled_areas, strict=True):
        columns = np.column_stack([values, mean_over_defined(values), pooled])
        summary = resamples.summary(columns)
        table[figure] = summary.value
        table[f"{figure}_lower"] = summary.lower
        table[f"{figure}_upper"] = summary.upper
        table[f"{figure}_fold_mean"] = summary.fold_mean
        table[f"{figure}_fold_sd"] = summary.fold_sd
    return table


def one_vs_one_curves(predictions: Predictions) -> pd.DataFrame:
    """Return the averaged ROC and precision-recall curve of every pair on an even grid.

    Returns ``curve`` ('roc' or 'precision_recall'), ``class_a``, ``class_b``, ``x`` (false-positive
    rate or recall), ``y`` (true-positive rate or precision, mean of both directions).
    """
    kinds = (("roc", roc_curve, roc_at), ("precision_recall", precision_recall_curve, precision_at))
    parts = [
        pd.DataFrame(
            {
                "curve": kind,
                "class_a": predictions.classes[pair.a],
                "class_b": predictions.classes[pair.b],
                "x": _GRID,
                "y": np.mean([value_at(curve_of(q), _GRID) for q in pair.questions], axis=0),
            }
        )
        for pair in _pairs(predictions)
        for kind, curve_of, value_at in kinds
    ]
    empty = pd.DataFrame(columns=["curve", "class_a", "class_b", "x", "y"])
    return pd.concat(parts, ignore_index=True) if parts else empty


def _pairs(predictions: Predictions) -> Iterator[_Pair]:
    rows_of_class = [np.flatnonzero(predictions.y == k) for k in range(len(predictions.classes))]
    for a, b in combinations(range(len(predictions.classes)), 2):
        if len(rows_of_class[a]) and len(rows_of_class[b]):
            rows = np.sort(np.concatenate([rows_of_class[a], rows_of_class[b]]))
            questions = tuple(
                rank_scores(predictions.probabilities[rows, k], predictions.y[rows] == k)
                for k in (a, b)
            )
            yield _Pair(a, b, rows, (questions[0], questions[1]))
