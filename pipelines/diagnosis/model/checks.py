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
        and len(preparation.reference) > 0,
        "array muscle_reference": model.muscle_reference.shape[1] == muscles,
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
        "array mean": _finite(preparation.mean),
        "array sd": _finite(preparation.sd) and bool((preparation.sd > 0).all()),
        "array reference": not np.isinf(preparation.reference).any(),
        "array muscle_reference": bool(
            ((muscles >= -_ROUNDING) & (muscles <= 100 + _ROUNDING)).all()
        ),
        "conformal": sets is None or all(map(_are_ascending_scores, sets.scores.values())),
        "novelty": novelty is None
        or (_are_shares(novelty.shares) and all(map(_reference_possible, novelty.references))),
    }


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
        and _finite(distance.means[known])
        and _finite(covariance)
        and bool(np.allclose(covariance, covariance.T))
        and bool(np.linalg.eigvalsh(covariance)[0] > 0)
        and len(reference.distance) > 0
        and _not_negative(reference.distance)
        and _not_negative(reference.entropy)
    )


def _finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


def _not_negative(values: Float64) -> bool:
    return _finite(values) and bool((values >= 0).all())
