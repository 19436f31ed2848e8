"""Attackers: how well a simple learner reads something from features that should not tell it."""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.model_selection import GroupKFold

from pipelines.arrays import Bool, Float64, Int64

RESAMPLES = 200
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Auc:
    """An area under the curve with its 95 % interval, and the samples it rests on."""

    value: float
    lower: float
    upper: float
    n: int


FOLDS = 3
TREES = 40
LEAF = 4
FEW_FEATURES = 4
"""For up to so many features each split is the best one, since random splits miss narrow steps."""
SAME = 1e-6
"""Differences below this, in percent, are rounding."""
WIDEST = 200.0
"""Relative scores lie between -100 and 100."""


def tree_probe(
    features: Float64,
    classes: Int64,
    groups: Int64,
    seed: int,
    weights: Float64 | None = None,
) -> Float64:
    """Predict a class out of fold with randomized trees.

    `features` is (n, p); `classes`, `groups` and `weights` are (n,); the result is (n, K).
    `features`: Without NaN.
    """
    result = np.zeros((len(classes), int(classes.max()) + 1))
    narrow = features.shape[1] <= FEW_FEATURES
    for train, test in _folds(groups, seed):
        kind = RandomForestClassifier if narrow else ExtraTreesClassifier
        model = kind(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
        model.fit(features[train], classes[train], None if weights is None else weights[train])
        result[np.ix_(test, model.classes_)] = model.predict_proba(features[test])
    return result


def mask_probe(features: Float64, missing: Bool, groups: Int64, seed: int) -> Float64:
    """Predict out of fold which values were missing, all columns at once.

    `features` is (n, p); `missing` and the result are (n, k); `groups` is (n,).
    `features`: Without NaN.
    """
    result = np.zeros(missing.shape)
    for train, test in _folds(groups, seed):
        model = ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
        model.fit(features[train], missing[train])
        chances = model.predict_proba(features[test])
        per_column = [chances] if missing.shape[1] == 1 else chances
        for column, chance in enumerate(per_column):
            constant = float(missing[train, column].mean())
            result[test, column] = chance[:, 1] if chance.shape[1] == 2 else constant
    return result


def lattice(values: Float64) -> Float64:
    """Measure the quantization of each patient's muscle features: the strong attacker's features.

    Grades put the values of a patient on a lattice, and subtracting a patient's mean moves the
    lattice without hiding it. Two numbers describe it: how many different values there are, and how
    close the closest two are.

    `values` is (n, m); the result is (n, 2).
    `values`: Features of the muscles; NaN is missing. Every patient has the same number of muscles,
    at least two, so that the number of scored muscles does not show.
    """
    gaps = np.diff(np.sort(values, axis=1), axis=1)
    gaps = gaps[:, ~np.isnan(gaps).all(axis=0)]
    distinct = 1 + (gaps > SAME).sum(axis=1)
    return np.column_stack([distinct, np.where(gaps > SAME, gaps, WIDEST).min(axis=1)])


def _folds(groups: Int64, seed: int) -> list[tuple[Int64, Int64]]:
    folds = min(FOLDS, len(np.unique(groups)))
    splitter = GroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(groups)), groups=groups))


def class_auc(
    classes: Int64,
    scores: Float64,
    groups: Int64,
    seed: int,
    strata: Int64 | None = None,
) -> Auc | None:
    """Average the one-against-rest areas of all classes.

    `classes`, `groups` and `strata` are (n,); `scores` is (n, K).
    """
    patients = np.random.default_rng(seed).multinomial(
        groups.max() + 1, np.full(groups.max() + 1, 1 / (groups.max() + 1)), RESAMPLES
    )
    weights = np.vstack([np.ones(len(groups)), patients[:, groups]])
    total, weight = np.zeros(len(weights)), np.zeros(len(weights))
    used = np.zeros(len(groups), dtype=bool)
    for stratum in [None] if strata is None else np.unique(strata).tolist():
        rows = np.arange(len(groups)) if stratum is None else np.flatnonzero(strata == stratum)
        for label in np.unique(classes[rows]):
            positive = classes[rows] == label
            if positive.all():
                continue
            area, n1, n0 = _weighted_auc(positive, scores[rows, label], weights[:, rows])
            valid = (n1 > 0) & (n0 > 0)
            share = np.where(valid, 1.0 if strata is None else n1 * n0 / np.maximum(n1 + n0, 1), 0)
            total += np.where(valid, area, 0) * share
            weight += share
            used[rows] = True
    if not used.any():
        return None
    areas = total / np.where(weight > 0, weight, np.nan)
    lower, upper = np.nanpercentile(areas[1:], INTERVAL)
    return Auc(float(areas[0]), float(lower), float(upper), int(used.sum()))


def _weighted_auc(
    positive: Bool, scores: Float64, weights: Float64
) -> tuple[Float64, Float64, Float64]:
    """Return areas and the weight of positives and negatives, one per row of ``weights``."""
    order = np.argsort(scores, kind="stable")
    sorted_scores = scores[order]
    starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
    is_positive = positive[order]
    ones = np.add.reduceat(weights[:, order] * is_positive, starts, axis=1)
    zeros = np.add.reduceat(weights[:, order] * ~is_positive, starts, axis=1)
    n1, n0 = ones.sum(axis=1), zeros.sum(axis=1)
    below = np.cumsum(zeros, axis=1) - zeros / 2  # ties count half
    product = np.where((n1 > 0) & (n0 > 0), n1 * n0, 1)
    return (ones * below).sum(axis=1) / product, n1, n0
