"""Each disease against all others (Myo-Guide paper, section 2.5): areas and curves."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Float64
from pipelines.diagnosis.evaluation.curves import (
    DRAWN_POINTS,
    Curve,
    RankedScores,
    areas,
    areas_of_counts,
    precision_at,
    precision_recall_curve,
    rank_scores,
    roc_at,
    roc_curve,
    thin,
)
from pipelines.diagnosis.evaluation.metrics import mean_over_defined
from pipelines.diagnosis.evaluation.predictions import Predictions

MICRO, MACRO = "micro average", "macro average"


@dataclass(frozen=True)
class OneVsRest:
    """Areas under the one-vs-rest curves, one row per row of weights.

    Attributes
    ----------
    roc, precision_recall : ndarray, shape (R, K)
        NaN for a class without weight.
    """

    roc: Float64
    precision_recall: Float64

    @property
    def roc_macro(self) -> Float64:
        """Unweighted mean over the classes present, shape (R,)."""
        return mean_over_defined(self.roc)

    @property
    def precision_recall_macro(self) -> Float64:
        """Unweighted mean over the classes present, shape (R,)."""
        return mean_over_defined(self.precision_recall)


def one_vs_rest_areas(predictions: Predictions, weights: Float64) -> OneVsRest:
    """Return the areas of every class under every row of weights.

    `weights` is (R, n).
    """
    pairs = [areas(_question(predictions, k), weights) for k in range(len(predictions.classes))]
    return OneVsRest(
        np.stack([roc for roc, _ in pairs], axis=1), np.stack([pr for _, pr in pairs], axis=1)
    )


@dataclass(frozen=True)
class MicroAreas:
    """Areas when all n x K yes-or-no answers are ranked together, arrays of shape (R,).

    Attributes
    ----------
    roc, precision_recall : ndarray
        One-vs-rest: K - 1 negative answers for each positive one.
    roc_pairs, precision_recall_pairs : ndarray
        One-vs-one: a sample's own class is asked about once for each other class, so that there
        are as many positive answers as negative ones. NaN where there is only one class.
    """

    roc: Float64
    precision_recall: Float64
    roc_pairs: Float64
    precision_recall_pairs: Float64


def micro_areas(predictions: Predictions, weights: Float64) -> MicroAreas:
    """Return the areas over all classes together.

    `weights` is (R, n).
    """
    ranked = _micro_question(predictions)
    classes = len(predictions.classes)
    sample = np.repeat(np.arange(predictions.n), classes)[None, :]
    asked = np.tile(np.arange(classes), predictions.n)[None, :]
    rows = []
    # One row at a time: n x K answers times all rows would not fit in memory.
    for row in weights:
        true, false = ranked.cumulated(row[sample])
        rest = areas_of_counts(true, false)
        present = np.unique(predictions.y[row > 0])
        if len(present) < classes:  # a class without samples forms no pair
            true, false = ranked.cumulated(row[sample] * np.isin(asked, present))
        pairs = areas_of_counts(true * max(len(present) - 1, 0), false)
        rows.append(np.concatenate([*rest, *pairs]))
    return MicroAreas(*np.array(rows).T)


def one_vs_rest_curves(predictions: Predictions) -> pd.DataFrame:
    """Return the points of all one-vs-rest curves with their micro and macro averages.

    The macro average is the mean curve of the classes: true-positive rate at equal
    false-positive rates, precision at equal recall. Points are thinned for drawing.

    Returns ``curve`` ('roc' or 'precision_recall'), ``class``, ``x``, ``y``, ``threshold``,
    ``n_positive``, ``n_negative``. Classes without samples have no curve.
    """
    counts = np.bincount(predictions.y, minlength=len(predictions.classes))
    present = [k for k in range(len(predictions.classes)) if 0 < counts[k] < predictions.n]
    questions = {predictions.classes[k]: _question(predictions, k) for k in present}
    grid = np.linspace(0, 1, DRAWN_POINTS)
    nothing = np.full(DRAWN_POINTS, np.nan)
    rocs = {name: roc_curve(ranked) for name, ranked in questions.items()}
    prs = {name: precision_recall_curve(ranked) for name, ranked in questions.items()}
    micro = _micro_question(predictions)
    averages = [
        ("roc", MICRO, roc_curve(micro)),
        ("precision_recall", MICRO, precision_recall_curve(micro)),
    ]
    if questions:
        mean_tpr = np.mean([roc_at(c, grid) for c in rocs.values()], axis=0)
        mean_precision = np.mean([precision_at(c, grid) for c in prs.values()], axis=0)
        averages += [
            ("roc", MACRO, Curve(grid, mean_tpr, nothing)),
            ("precision_recall", MACRO, Curve(grid, mean_precision, nothing)),
        ]
    single = [("roc", name, curve) for name, curve in rocs.items()]
    single += [("precision_recall", name, curve) for name, curve in prs.items()]
    n_of = {
        name: (int(q.positive.sum()), int((~q.positive).sum())) for name, q in questions.items()
    }
    n_of[MICRO] = (int(micro.positive.sum()), int((~micro.positive).sum()))
    # The macro average has no counts of its own: it stands for every sample once.
    n_of[MACRO] = (predictions.n, predictions.n * (len(questions) - 1))
    return pd.concat(
        [_points(kind, name, curve, n_of[name]) for kind, name, curve in single + averages],
        ignore_index=True,
    )


def _micro_question(predictions: Predictions) -> RankedScores:
    """Return the n x K yes-or-no answers of all classes as one question."""
    truth = np.eye(len(predictions.classes), dtype=bool)[predictions.y]
    return rank_scores(predictions.probabilities.ravel(), truth.ravel())


def _question(predictions: Predictions, k: int) -> RankedScores:
    return rank_scores(predictions.probabilities[:, k], predictions.y == k)


def _points(kind: str, name: str, curve: Curve, counts: tuple[int, int]) -> pd.DataFrame:
    drawn = thin(curve)
    return pd.DataFrame(
        {
            "curve": kind,
            "class": name,
            "x": drawn.x,
            "y": drawn.y,
            "threshold": drawn.threshold,
            "n_positive": counts[0],
            "n_negative": counts[1],
        }
    )
