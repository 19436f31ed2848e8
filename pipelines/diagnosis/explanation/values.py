"""SHAP values of an ensemble: what each feature adds to the margin of each class, per sample."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Float32, Float64
from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.explanation.trees.flat_trees import FlatTrees, flatten_booster, tile_rows
from pipelines.diagnosis.explanation.trees.kernel import TILE, explain_tile
from pipelines.harmonization.scores.native import NativeScores
from pipelines.progress import Progress

# Called with the number of steps done and of all steps.


@dataclass(frozen=True)
class Explanation:
    """Margins of an ensemble and their parts.

    Attributes
    ----------
    values : float32 array (n, K, p)
        SHAP values of the margins averaged over members (before the temperature): with ``base``
        they add up to the mean of ``member_margins``.
    base : float64 array (K,)
        Mean margin over the training weight, before any feature is known.
    member_margins : float32 array (M, n, K)
        Margins of every member; XGBoost's own up to rounding (1e-5).
    """

    values: Float32
    base: Float64
    member_margins: Float32


def shap_values(
    ensemble: Ensemble,
    features: Float64,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> Explanation:
    """Explain samples whose features are known.

    The margin of an ensemble is a mean, so its SHAP values are the mean of those of its members.

    Parameters
    ----------
    ensemble : Ensemble
        M members, K classes, p features.
    features : float64 array (n, p)
        Harmonized features; NaN where missing (imputed as in prediction).
    threads : int
        Threads to use.
    progress : callable, optional
        Told how many members are done.

    Returns
    -------
    Explanation
        Exact path-dependent TreeSHAP values, as ``shap.TreeExplainer`` gives for each member.

    Raises
    ------
    ModelError
        If a member is no tree booster for these features and classes.
    """
    prepared = {k: _tiles(x) for k, x in ensemble.prepare(features).items()}
    shape = (len(ensemble.classes), len(ensemble.feature_names), len(features))
    total, base = np.zeros(shape), np.zeros(shape[0])
    margins = np.empty((len(ensemble.members), shape[2], shape[0]), np.float32)
    with ThreadPoolExecutor(threads) as pool:
        for number, member in enumerate(ensemble.members):
            trees = member_trees(ensemble, number)
            tiles = prepared[member.neighbours]

            def explain_class(
                group: int, trees: FlatTrees = trees, tiles: Sequence[Float32] = tiles
            ) -> Float32:
                return _explain_class(trees, group, tiles)

            for group, values in enumerate(pool.map(explain_class, range(shape[0]))):
                total[group] += values
                margins[number, :, group] = trees.expected[group] + values.sum(
                    axis=0, dtype=np.float64
                )
            base += trees.expected
            if progress:
                progress(number + 1, len(ensemble.members))
    count = len(ensemble.members)
    values = np.ascontiguousarray((total / count).transpose(2, 0, 1), dtype=np.float32)
    return Explanation(values, base / count, margins)


def explain_native(
    ensemble: Ensemble,
    native: NativeScores,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> Explanation:
    """Explain samples from their scores; the mean over the draws of the harmonization.

    Parameters
    ----------
    ensemble, threads, progress
        As for :func:`shap_values`; progress counts members and draws.
    native : NativeScores
        n samples.

    Raises
    ------
    DataError
        If a muscle or the thresholds of a scale are missing.
    """
    draws, members = ensemble.harmonization.draws, len(ensemble.members)
    parts = []
    for draw in range(draws):
        features = ensemble.harmonization.transform(native, draw=draw)
        report = None
        if progress:

            def report(done: int, _: int, draw: int = draw) -> None:
                progress(draw * members + done, draws * members)

        parts.append(shap_values(ensemble, features, threads=threads, progress=report))
    if draws == 1:
        return parts[0]
    return Explanation(
        np.mean([part.values for part in parts], axis=0),
        parts[0].base,
        np.mean([part.member_margins for part in parts], axis=0),
    )


def member_trees(ensemble: Ensemble, number: int) -> FlatTrees:
    """Read the trees of a member and check that they belong to the ensemble."""
    return flatten_booster(
        ensemble.members[number].data,
        f"member {number + 1} of the ensemble",
        classes=len(ensemble.classes),
        features=len(ensemble.feature_names),
    )


def _tiles(prepared: Float32) -> list[Float32]:
    return [tile_rows(prepared[start : start + TILE]) for start in range(0, len(prepared), TILE)]


def _explain_class(trees: FlatTrees, group: int, tiles: Sequence[Float32]) -> Float32:
    """Return SHAP values (p, n) of one class."""
    parts = []
    for rows in tiles:
        values = np.zeros((trees.features, rows.shape[1]), np.float32)
        explain_tile(trees, group, rows, values)
        parts.append(values)
    if not parts:
        return np.zeros((trees.features, 0), np.float32)
    return np.concatenate(parts, axis=1)
