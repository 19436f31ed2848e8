"""Explain every sample of an evaluation by the ensemble that had not seen it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Float64, Index
from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores


@dataclass(frozen=True)
class FoldExplanation:
    """SHAP values of the samples that one fold was tested on.

    Attributes
    ----------
    rows : int array (n,)
        The samples: their positions in the cohort.
    features : tuple of str
        The p features of the fold's ensemble.
    values : float32 array (n, K, p)
        SHAP values of the margins averaged over members.
    base : float64 array (K,)
        What they add to.
    """

    rows: Index
    features: tuple[str, ...]
    values: Float32
    base: Float64


def explain_fold(ensemble: Ensemble, native: NativeScores, rows: Index) -> FoldExplanation:
    """Explain the test samples of a fold while its ensemble is at hand.

    A fold runs on one thread, and so does this.

    Parameters
    ----------
    ensemble : Ensemble
        Trained without `rows`.
    native : NativeScores
        The cohort.
    rows : int array (n,)
        Positions of the test samples.
    """
    # Compiles its kernels: only where something is explained.
    from pipelines.diagnosis.explanation.values import explain_native

    found = explain_native(ensemble, native.subset(rows))
    return FoldExplanation(rows, ensemble.feature_names, found.values, found.base)


def pool_explanations(
    folds: Iterable[FoldExplanation], feature_names: Sequence[str]
) -> tuple[Float32, Float64]:
    """Put the explanations of all folds together.

    Parameters
    ----------
    folds : iterable of FoldExplanation
        Together they hold each of N samples once; all have the same K classes.
    feature_names : sequence of str
        The p features of the result; one that a fold does not use gets 0 there.

    Returns
    -------
    values : float32 array (N, K, p)
    base : float64 array (N, K)
        Base values of the fold that explained the sample.

    Raises
    ------
    DataError
        If a fold uses an unlisted feature, or the folds do not hold each sample once.
    """
    parts = list(folds)
    rows = np.concatenate([part.rows for part in parts]) if parts else np.empty(0, np.intp)
    if not np.array_equal(np.sort(rows), np.arange(len(rows))) or not parts:
        raise DataError("The folds to explain do not hold every sample exactly once.")
    position = {name: i for i, name in enumerate(feature_names)}
    classes = len(parts[0].base)
    values = np.zeros((len(rows), classes, len(feature_names)), np.float32)
    base = np.empty((len(rows), classes))
    for part in parts:
        unlisted = sorted(set(part.features) - set(position))
        if unlisted:
            raise DataError(f"The list of features lacks {', '.join(unlisted)}.")
        columns = np.array([position[name] for name in part.features])
        values[np.ix_(part.rows, np.arange(classes), columns)] = part.values
        base[part.rows] = part.base
    return values, base
