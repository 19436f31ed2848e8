"""Whether the parts of a stored model belong together and hold values a model can have.

Checksums tell that files are those that were stored, not that a model can compute with them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.arrays import Array, Float64
from pipelines.diagnosis.explanation.trees.flat_trees import flatten_booster
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.diagnosis.trust.conformal import ConformalSets
from pipelines.diagnosis.trust.novelty import FoldReference, Novelty
from pipelines.harmonization.thresholds import check_thresholds

# Rounding of percentages in float32.
_ROUNDING = 1e-3
# Far above any cohort; the distances of a patient to all of its rows fit into memory.
_MOST_ROWS = 200_000
# Features are percentages, years, 0 or 1, and differences of them.
_LARGEST_FEATURE = 1e4
# Below it a feature does not vary, and its spread is stored as 1.
_LEAST_SPREAD = 1e-12
# Distances in units of spread, and anything computed from them.
_LARGEST_SCALED = 1e9


def check_model(model: DiagnosisModel, description: Mapping[str, Any]) -> None:
    """Refuse, before anything is computed, a model whose parts do not fit or are impossible."""
    misfits = [name for name, fits in _shapes_fit(model, description).items() if not fits]
    if misfits:
        raise ValueError(f"{misfits[0]} does not fit the rest")
    wrong = [name for name, possible in _values_possible(model).items() if not possible]
    if wrong:
        raise ValueError(f"{wrong[0]} holds impossible values")
    check_thresholds(model.ensemble.harmonization.thresholds)
    for entry, member in zip(description["members"], model.ensemble.members, strict=True):
        flatten_booster(
            member.data,
            entry["file"],
            classes=len(model.classes),
            features=len(model.ensemble.feature_names),
        )


def _shapes_fit(model: DiagnosisModel, description: Mapping[str, Any]) -> dict[str, bool]:
    ensemble, preparation = model.ensemble, model.ensemble.preparation
    features = len(ensemble.feature_names)
    width, muscles = (features,), len(ensemble.harmonization.muscles)
    return {
        "feature_names": list(ensemble.feature_names) == description["feature_names"],
        "classes": len(set(model.classes)) == len(model.classes),
        "arrays mean and sd": preparation.mean.shape == preparation.sd.shape == width,
        "array reference": preparation.reference.shape[1] == features
        and 0 < len(preparation.reference) <= _MOST_ROWS,
        "array muscle_reference": model.muscle_reference.shape[1] == muscles
        and 0 < len(model.muscle_reference) <= _MOST_ROWS,
        "categorical": all(column < features for column in preparation.categorical),
        "conformal": model.conformal is None or _sets_fit(model.conformal, model.classes),
        "novelty": model.novelty is None or _novelty_fits(model.novelty, model.classes, features),
    }


def _sets_fit(sets: ConformalSets, classes: tuple[str, ...]) -> bool:
    return (
        sets.classes == classes
        and len(sets.groups) == len(classes)
        and set(sets.groups) == set(sets.scores)
    )


def _novelty_fits(novelty: Novelty, classes: tuple[str, ...], features: int) -> bool:
    return novelty.classes == classes and all(
        reference.class_distance.means.shape == (len(classes), features)
        and reference.class_distance.covariance.shape == (features, features)
        and reference.distance.shape == reference.entropy.shape
        for reference in novelty.references
    )


def _values_possible(model: DiagnosisModel) -> dict[str, bool]:
    preparation, sets, novelty = model.ensemble.preparation, model.conformal, model.novelty
    muscles = model.muscle_reference[~np.isnan(model.muscle_reference)]
    return {
        "array mean": _at_most(preparation.mean, _LARGEST_FEATURE),
        "array sd": _at_most(preparation.sd, _LARGEST_FEATURE)
        and bool((preparation.sd > _LEAST_SPREAD).all()),
        "array reference": _are_scaled(preparation.reference),
        "array muscle_reference": muscles.size > 0
        and bool(((muscles >= -_ROUNDING) & (muscles <= 100 + _ROUNDING)).all()),
        "conformal": sets is None or all(map(_are_ascending_scores, sets.scores.values())),
        "novelty": novelty is None
        or (_are_shares(novelty.shares) and all(map(_reference_possible, novelty.references))),
    }


def _are_scaled(rows: Array) -> bool:
    """Whether rows with gaps can be what was scaled by its own mean and spread.

    Of n values, none lies further than the root of n - 1 times their spread from their mean.
    """
    present = rows[~np.isnan(rows)]
    return present.size > 0 and _at_most(present, np.sqrt(len(rows)) + _ROUNDING)


def _are_ascending_scores(scores: Float64) -> bool:
    """Whether these can be non-conformity scores: minus a logarithm of probabilities, sorted."""
    return len(scores) > 0 and _not_negative(scores) and bool((np.diff(scores) >= 0).all())


def _are_shares(values: Float64) -> bool:
    return len(values) > 0 and _not_negative(values) and bool((values <= 1).all())


def _reference_possible(reference: FoldReference) -> bool:
    distance = reference.class_distance
    known = ~np.isnan(distance.means).all(axis=1)
    covariance = distance.covariance
    return (
        bool(known.any())
        and _at_most(distance.means[known], _LARGEST_SCALED)
        and _at_most(covariance, _LARGEST_SCALED)
        and bool(np.allclose(covariance, covariance.T))
        and bool(np.linalg.eigvalsh(covariance)[0] > 0)
        and len(reference.distance) > 0
        and _not_negative(reference.distance)
        and _not_negative(reference.entropy)
        and _at_most(reference.distance, _LARGEST_SCALED)
    )


def _at_most(values: Array, largest: float) -> bool:
    """Whether no value is NaN or larger, without sign."""
    return bool((np.abs(values) <= largest).all())


def _finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


def _not_negative(values: Float64) -> bool:
    return _finite(values) and bool((values >= 0).all())
