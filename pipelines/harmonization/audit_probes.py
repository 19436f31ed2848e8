"""Attackers: how well a simple learner reads something from features that should not tell it."""

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.model_selection import GroupKFold

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

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
    features: FloatArray,
    classes: IntArray,
    groups: IntArray,
    seed: int,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Predict a class out of fold with randomized trees.

    Parameters
    ----------
    features : ndarray of float64, shape (n, p)
        Without NaN.
    classes : ndarray of int, shape (n,)
        Class 0..K-1.
    groups : ndarray of int, shape (n,)
        Patients; no patient is in the training and the test part of a fold.
    seed : int
        Seed.
    weights : ndarray of float64, shape (n,), optional
        Weight of each sample in training.

    Returns
    -------
    ndarray of float64, shape (n, K)
        Probabilities.
    """
    result = np.zeros((len(classes), int(classes.max()) + 1))
    narrow = features.shape[1] <= FEW_FEATURES
    for train, test in _folds(groups, seed):
        kind = RandomForestClassifier if narrow else ExtraTreesClassifier
        model = kind(TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1)
        model.fit(features[train], classes[train], None if weights is None else weights[train])
        result[np.ix_(test, model.classes_)] = model.predict_proba(features[test])
    return result


def mask_probe(features: FloatArray, missing: BoolArray, groups: IntArray, seed: int) -> FloatArray:
    """Predict out of fold which values were missing, all columns at once.

    Parameters
    ----------
    features : ndarray of float64, shape (n, p)
        Without NaN.
    missing : ndarray of bool, shape (n, k)
        What to predict; both values occur in every column.
    groups : ndarray of int, shape (n,)
        Patients, as in :func:`tree_probe`.
    seed : int
        Seed.

    Returns
    -------
    ndarray of float64, shape (n, k)
        Probability that the value was missing.
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


def lattice(values: FloatArray) -> FloatArray:
    """Measure the quantization of each patient's muscle features: the strong attacker's features.

    Grades put the values of a patient on a lattice, and subtracting a patient's mean moves the
    lattice without hiding it. Two numbers describe it: how many different values there are, and how
    close the closest two are.

    Parameters
    ----------
    values : ndarray of float64, shape (n, m)
        Features of the muscles; NaN is missing. Every patient has the same number of muscles, at
        least two, so that the number of scored muscles does not show.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Number of distinct values and smallest gap (``WIDEST`` if all are equal).
    """
    gaps = np.diff(np.sort(values, axis=1), axis=1)
    gaps = gaps[:, ~np.isnan(gaps).all(axis=0)]
    distinct = 1 + (gaps > SAME).sum(axis=1)
    return np.column_stack([distinct, np.where(gaps > SAME, gaps, WIDEST).min(axis=1)])


def _folds(groups: IntArray, seed: int) -> list[tuple[IntArray, IntArray]]:
    folds = min(FOLDS, len(np.unique(groups)))
    splitter = GroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(groups)), groups=groups))
