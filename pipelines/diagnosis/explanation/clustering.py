"""Groups of features that act together, and the strongest pairs, for a chosen class."""

import numpy as np
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from pipelines.diagnosis.explanation.interactions import InteractionStrength
from pipelines.errors import DataError

# Groups looked for when nobody says how many.
DEFAULT_CLUSTERS = 6


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
