"""The cohort after each step of harmonization, as an attacker would see it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from sklearn.impute import KNNImputer

from pipelines.arrays import Bool, Float64, Int64
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import (
    Harmonization,
    HarmonizationOptions,
    fit_harmonization,
)
from pipelines.harmonization.scores.native import NativeScores

NEIGHBOURS = 5
MIN_MUSCLES = 5
"""Muscles a sample needs for a look at the steps between its scores."""
THINNED_QUANTILE = 0.1
"""Samples are cut down to the number of muscles that all but this share of them have."""


class Stage(StrEnum):
    """Steps after which leaks are measured."""

    MISSINGNESS = "missingness"
    SCALED = "scaled"
    RELATIVE = "relative"
    DITHERED = "dithered"
    RANKED = "ranked"
    IMPUTED = "imputed"


@dataclass(frozen=True)
class StageFeatures:
    """Features after one step.

    Attributes
    ----------
    stage : Stage
        Which step.
    values : ndarray of float64, shape (n, p)
        Muscles, mean involvement, mean and SD of asymmetry; NaN is missing. Age and sex are left
        out, for they do not come from scores.
    muscles : tuple of str
        Names of the first columns.
    thinned : ndarray of float64, shape (k, m)
        Muscle features of the samples ``enough``, all cut down at random to equally many muscles,
        so that their number does not show.
    enough : ndarray of bool, shape (n,)
        Which samples have that many.
    judged : bool
        Whether the model sees this; other stages are measured for comparison.
    problem : str
        Why there are no values; empty if there are.
    """

    stage: Stage
    values: Float64
    muscles: tuple[str, ...]
    thinned: Float64
    enough: Bool
    judged: bool
    problem: str = ""


def iterate_stages(native: NativeScores, options: HarmonizationOptions) -> Iterator[StageFeatures]:
    """Make the features after each step: scaled, relative, dithered, ranked, imputed."""
    own = {"paper": Stage.RELATIVE, "dither": Stage.DITHERED, "ranks": Stage.RANKED}[options.method]
    if options.method == "paper" and not options.relative:
        own = Stage.SCALED
    variants = {
        Stage.SCALED: replace(options, method="paper", relative=False),
        Stage.RELATIVE: replace(options, method="paper", relative=True),
        Stage.DITHERED: replace(options, method="dither"),
        Stage.RANKED: replace(options, method="ranks"),
    }
    for stage, variant in variants.items():
        try:
            harmonization = fit_harmonization(native, variant)
            features = _features(native, harmonization, stage, stage is own)
        except DataError as error:
            if stage is own:
                raise
            nothing = np.empty((0, 0))
            yield StageFeatures(
                stage, nothing, (), nothing, np.zeros(0, dtype=bool), False, error.message
            )
            continue
        yield features
        if stage is own:
            filled = fill_gaps(features.values)
            yield replace(features, stage=Stage.IMPUTED, values=filled)


def _features(
    native: NativeScores, harmonization: Harmonization, stage: Stage, judged: bool
) -> StageFeatures:
    muscles = harmonization.muscles
    kept = [i for i, n in enumerate(harmonization.feature_names) if n not in {"age", "sex"}]
    thinned, enough = thin_muscles(native.select(muscles), harmonization.options.seed)
    return StageFeatures(
        stage,
        harmonization.transform(native)[:, kept],
        muscles,
        harmonization.transform(thinned)[:, : len(muscles)],
        enough,
        judged,
    )


def thin_muscles(native: NativeScores, seed: int) -> tuple[NativeScores, Bool]:
    """Cut samples down to equally many muscles, drawn at random.

    `enough` is (n,).
    """
    scored = (~np.isnan(native.values)).any(axis=2)
    counts = scored.sum(axis=1)
    size = MIN_MUSCLES
    if (counts >= MIN_MUSCLES).any():
        size = max(size, int(np.quantile(counts[counts >= MIN_MUSCLES], THINNED_QUANTILE)))
    enough = np.asarray(counts >= size)
    lots = np.where(scored, np.random.default_rng(seed).random(scored.shape), np.inf)
    place = np.argsort(np.argsort(lots, axis=1), axis=1)
    values = np.where((place < size)[..., None], native.values, np.nan)[enough]
    return NativeScores(native.samples[enough], native.muscles, values), enough


def fill_gaps(values: Float64) -> Float64:
    """Fill missing values from the nearest samples, as the training does within a fold.

    Here all samples serve at once: the audit asks what filled values tell about the gaps, and not
    how well a model does on samples it has not seen.
    """
    spread = np.ones(values.shape[1])
    known = ~np.isnan(values).all(axis=0)
    deviation = np.nanstd(values[:, known], axis=0)
    spread[known] = np.where(deviation > 0, deviation, 1.0)
    imputer = KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True)
    return np.asarray(imputer.fit_transform(values / spread) * spread)


def hide_gaps(values: Float64, strata: Int64, seed: int) -> Float64:
    """Fill missing values from other samples at random, so that only the scores can tell.

    `values` and the result are (n, p); `strata` is (n,).
    `values`: NaN is missing.
    """
    rng = np.random.default_rng(seed)
    filled = values.copy()
    for column in filled.T:
        everybody = column[~np.isnan(column)]
        for stratum in np.unique(strata):
            rows = strata == stratum
            gaps = rows & np.isnan(column)
            donors = column[rows & ~np.isnan(column)]
            pool = donors if donors.size else everybody if everybody.size else np.zeros(1)
            column[gaps] = rng.choice(pool, int(gaps.sum()))
    return filled
