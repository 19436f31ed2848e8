"""How strongly pairs of features act together in the margins of an ensemble."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from pipelines.arrays import Float32, Float64
from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.explanation.trees.flat_trees import tile_rows
from pipelines.diagnosis.explanation.trees.kernel import explain_pairs_tile
from pipelines.diagnosis.explanation.values import member_trees
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores
from pipelines.progress import Progress

# Groups looked for when nobody says how many.
DEFAULT_CLUSTERS = 6


# Rows handled together: sums for all pairs of 38 features take 370 kB.
_ROWS = 128


@dataclass(frozen=True)
class InteractionStrength:
    """Mean absolute SHAP interaction values over samples.

    Attributes
    ----------
    classes : tuple of str
        K classes.
    feature_names : tuple of str
        p features.
    strength : float32 array (K, p, p)
        Symmetric. Off the diagonal the mean of abs(phi_ij), half of what the pair adds together
        (as in XGBoost); on it the mean of abs(phi_ii), what the feature adds alone.
    """

    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    strength: Float32


def interaction_strength(
    ensemble: Ensemble,
    native: NativeScores,
    classes: Sequence[str] | None = None,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> InteractionStrength:
    """Measure interactions over all samples; the values of each sample are not kept.

    Interaction values are those of the margins averaged over members (and over the draws of the
    harmonization), summed before their absolute value is taken.

    Parameters
    ----------
    ensemble : Ensemble
        p features.
    native : NativeScores
        At least one sample.
    classes : sequence of str, optional
        Classes wanted; all if not given.
    threads : int
        Threads to use.
    progress : callable, optional
        Told how many parts of the work (a class and 128 samples) are done.

    Raises
    ------
    DataError
        If a class is unknown or there is no sample.
    ModelError
        If a member is no tree booster for these features and classes.
    """
    wanted = ensemble.classes if classes is None else tuple(classes)
    unknown = [name for name in wanted if name not in ensemble.classes]
    if unknown:
        raise DataError(
            f"the model has no class {', '.join(unknown)}",
            f"choose from {', '.join(ensemble.classes)}",
        )
    if not len(native.samples):
        raise DataError("there is no sample whose interactions could be measured")
    trees = [member_trees(ensemble, i) for i in range(len(ensemble.members))]
    draws = range(ensemble.harmonization.draws)
    prepared = [ensemble.prepare(ensemble.harmonization.transform(native, draw=d)) for d in draws]
    p = len(ensemble.feature_names)
    parts = len(trees) * len(prepared)

    def measure(task: tuple[str, int]) -> Float64:
        name, start = task
        group = ensemble.classes.index(name)
        count = min(_ROWS, len(native.samples) - start)
        values = np.zeros((p, count), np.float32)
        pairs = np.zeros((p, p, count), np.float32)
        for features in prepared:
            rows = {k: tile_rows(x[start : start + _ROWS]) for k, x in features.items()}
            for member, member_tree in zip(ensemble.members, trees, strict=True):
                explain_pairs_tile(member_tree, group, rows[member.neighbours], values, pairs)
        pairs += pairs.transpose(1, 0, 2)
        pairs[np.arange(p), np.arange(p)] = values - pairs.sum(axis=1)
        return np.asarray(np.abs(pairs).sum(axis=2, dtype=np.float64) / parts)

    tasks = [(name, start) for name in wanted for start in range(0, len(native.samples), _ROWS)]
    total = dict.fromkeys(wanted, np.zeros((p, p)))
    with ThreadPoolExecutor(threads) as pool:
        for done, ((name, _), part) in enumerate(
            zip(tasks, pool.map(measure, tasks), strict=True), start=1
        ):
            total[name] = total[name] + part
            if progress:
                progress(done, len(tasks))
    strength = np.stack([total[name] for name in wanted]) / len(native.samples)
    return InteractionStrength(wanted, ensemble.feature_names, strength.astype(np.float32))


def cluster_features(
    interactions: InteractionStrength, diagnosis: str, clusters: int = DEFAULT_CLUSTERS
) -> pd.DataFrame:
    """Cluster features by how strongly they interact (average linkage).

    The distance of two features is 1 minus their interaction as a share of the strongest one.

    Parameters
    ----------
    interactions : InteractionStrength
        Of p features.
    diagnosis : str
        Class.
    clusters : int
        Largest number of clusters.

    Returns
    -------
    DataFrame
        One row per feature in the order of the dendrogram: ``diagnosis``, ``order`` (from 1),
        ``feature``, ``cluster`` (numbered from 1 in that order), ``alone`` (mean absolute main
        effect), ``together`` (sum of the mean absolute interactions with the others), ``partner``
        and ``partner_strength`` (strongest interaction; ``n/a`` and 0 if there is none), all in
        margin units.

    Raises
    ------
    DataError
        If the class is unknown or there are fewer than two features.
    """
    strength = _strength(interactions, diagnosis)
    names = np.array(interactions.feature_names)
    if len(names) < 2:
        raise DataError("features can only be clustered if there are at least two")
    pairs = strength - np.diag(np.diag(strength))
    largest = pairs.max()
    distance = np.ones_like(pairs) if largest == 0 else 1 - pairs / largest
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    tree = hierarchy.linkage(condensed, "average", optimal_ordering=True)
    order = hierarchy.leaves_list(tree)
    raw = hierarchy.fcluster(tree, clusters, "maxclust")[order]
    partner = pairs[order].argmax(axis=1)
    best = pairs[order].max(axis=1)
    return pd.DataFrame(
        {
            "diagnosis": diagnosis,
            "order": np.arange(1, len(names) + 1),
            "feature": names[order],
            "cluster": pd.factorize(raw)[0] + 1,
            "alone": np.diag(strength)[order],
            "together": pairs[order].sum(axis=1),
            "partner": np.where(best > 0, names[partner], "n/a"),
            "partner_strength": best,
        }
    )


def interaction_table(interactions: InteractionStrength, diagnosis: str) -> pd.DataFrame:
    """List pairs of features, the strongest first.

    Returns
    -------
    DataFrame
        ``diagnosis``, ``feature``, ``partner``, ``strength`` (mean absolute interaction value,
        margin units; half of what the pair adds together).

    Raises
    ------
    DataError
        If the class is unknown.
    """
    strength = _strength(interactions, diagnosis)
    names = np.array(interactions.feature_names)
    first, second = np.triu_indices(len(names), 1)
    found = strength[first, second]
    order = np.argsort(-found, kind="stable")
    return pd.DataFrame(
        {
            "diagnosis": diagnosis,
            "feature": names[first][order],
            "partner": names[second][order],
            "strength": found[order],
        }
    )


def _strength(interactions: InteractionStrength, diagnosis: str) -> "np.ndarray[tuple[int, int]]":
    if diagnosis not in interactions.classes:
        raise DataError(
            f"interactions of {diagnosis} were not measured",
            f"there are those of {', '.join(interactions.classes)}",
        )
    matrix = interactions.strength[interactions.classes.index(diagnosis)]
    return np.asarray(matrix, dtype=np.float64)
