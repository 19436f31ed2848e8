"""Apply a diagnosis model to new patients: ranked diagnoses, how far to trust them, and why."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.diagnosis.advice import advise
from pipelines.diagnosis.ensemble import softmax
from pipelines.diagnosis.explanation.values import Explanation, Progress, explain_native
from pipelines.diagnosis.model import DiagnosisModel, complete_features, involvement, muscle_percent
from pipelines.diagnosis.trust.novelty import NoveltyScores
from pipelines.errors import ModelError
from pipelines.harmonization.native import NativeScores
from pipelines.harmonization.scales import scales

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# Share of the model's muscles below which an answer would be imputation only: a thigh scan has a
# third of them, a calf scan a quarter.
MINIMUM_COVERAGE = 0.2
# Share below which a scan counts as partial.
PARTIAL_COVERAGE = 0.8

RESULT_COLUMNS = (
    "sample", "study", "participant", "session", "rank", "diagnosis", "long_name", "probability",
    "spread", "in_set", "p_value",
)  # fmt: skip
SAMPLE_COLUMNS = (
    "sample", "study", "participant", "session", "status", "reason", "muscles_scored", "coverage",
    "partial", "near_normal", "typicality", "unlike_training", "conformal_set", "missing",
    "helpful", "message",
)  # fmt: skip
EXPLANATION_COLUMNS = (
    "sample", "study", "participant", "session", "rank", "diagnosis", "order", "feature", "value",
    "imputed", "shap", "base", "margin",
)  # fmt: skip


@dataclass(frozen=True)
class ApplyOptions:
    """What to give for each sample.

    Attributes
    ----------
    explain : bool
        Give SHAP values.
    top_classes : int or None
        Explain so many of the highest ranked diagnoses; None for all.
    top_features : int or None
        Give so many features with the largest SHAP values; None for all.
    advise_at_most : int
        Name the missing muscles that would help most for so many partial scans; the others get no
        such advice, because each costs hundreds of predictions.
    minimum_coverage : float
        Share of the model's muscles (0-1) below which a sample is not answered.
    threads : int
        Threads to use.
    """

    explain: bool = True
    top_classes: int | None = 3
    top_features: int | None = 10
    advise_at_most: int = 20
    minimum_coverage: float = MINIMUM_COVERAGE
    threads: int = 1


@dataclass(frozen=True)
class Application:
    """Answers of a model.

    Attributes
    ----------
    results : DataFrame
        One row per answered sample and diagnosis, best first: ``RESULT_COLUMNS``. ``probability``
        is calibrated, ``spread`` the SD of the members' probabilities; ``in_set`` and ``p_value``
        are of the conformal set (missing where the model has none).
    samples : DataFrame
        One row per sample: ``SAMPLE_COLUMNS``. ``status`` is 'answered' or 'refused' (with the
        ``reason``); ``typicality`` in percent of the training patients; ``missing`` and ``helpful``
        name muscles; ``message`` is for people.
    explanation : DataFrame
        One row per answered sample, diagnosis and feature: ``EXPLANATION_COLUMNS``. ``value`` is
        the harmonized feature, missing where imputed; ``shap`` what it adds to the ``margin``; all
        SHAP values of a diagnosis and ``base`` add up to the margin (before calibration). Empty if
        not asked for.
    """

    results: pd.DataFrame
    samples: pd.DataFrame
    explanation: pd.DataFrame


def apply_model(
    model: DiagnosisModel,
    native: NativeScores,
    options: ApplyOptions | None = None,
    *,
    progress: Progress | None = None,
) -> Application:
    """Answer for every sample that has enough scores.

    Parameters
    ----------
    model : DiagnosisModel
        The model.
    native : NativeScores
        n samples; columns for all muscles of the model, NaN where not scored.
    options : ApplyOptions, optional
        The defaults if not given.
    progress : callable, optional
        Told how many members (times draws) are done.

    Raises
    ------
    ModelError
        If the table has no column for a muscle of the model; names which, and similar names.
    """
    chosen = options or ApplyOptions()
    check_muscles(model, native.muscles)
    scored = native.select(model.ensemble.harmonization.muscles)
    coverage = (~np.isnan(scored.values)).any(axis=2).mean(axis=1)
    reasons = _refusals(model, scored, coverage, chosen.minimum_coverage)
    admission = _Admission(scored, coverage, tuple(reasons))
    answered = scored.subset(admission.rows)
    explanation = explain_native(
        model.ensemble, answered, threads=chosen.threads, progress=progress
    )
    margins = explanation.member_margins
    probabilities = model.ensemble.probabilities(margins)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    details = _details(model, admission, margins, probabilities, chosen)
    return Application(
        _results(model, answered.samples, margins, probabilities, order),
        _samples(model, admission, details),
        _explanation(model, answered, explanation, order, chosen),
    )


def check_muscles(model: DiagnosisModel, muscles: Sequence[str]) -> None:
    """Check that a table has a column for every muscle of a model.

    Raises
    ------
    ModelError
        Naming the muscles without a column, and columns with similar names.
    """
    needed = model.ensemble.harmonization.muscles
    lacking = [name for name in needed if name not in muscles]
    if not lacking:
        return
    others = [name for name in muscles if name not in needed]
    similar = {name: difflib.get_close_matches(name, others, 1) for name in lacking}
    meant = [f"{found[0]} for {name}" for name, found in similar.items() if found]
    what = (
        f"none of the {len(needed)} muscles of model {model.name}"
        if len(lacking) == len(needed)
        else f"no column for {len(lacking)} of the {len(needed)} muscles of model {model.name}"
    )
    raise ModelError(
        f"The scores have {what}: {', '.join(lacking)}."
        + (f" Columns the model does not know: {', '.join(others)}." if others else ""),
        (f"Perhaps they are under other names: {'; '.join(meant)}. " if meant else "")
        + "Map names with --muscle-map; a muscle that was not scored needs its column, filled "
        "with n/a.",
    )


@dataclass(frozen=True)
class _Admission:
    """Which samples are answered."""

    scored: NativeScores
    coverage: Float64
    reasons: tuple[str, ...]

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """Positions of the samples that nothing speaks against."""
        return np.flatnonzero([not reason for reason in self.reasons])


@dataclass(frozen=True)
class _Details:
    """What is known of answered samples beside probabilities."""

    near_normal: npt.NDArray[np.bool_]
    novelty: NoveltyScores | None
    sets: npt.NDArray[np.bool_] | None
    advice: dict[int, tuple[str, str]]


def _refusals(
    model: DiagnosisModel, scored: NativeScores, coverage: Float64, least: float
) -> list[str]:
    """Say for each sample why it cannot be answered; empty if it can."""
    harmonization = model.ensemble.harmonization
    edges = harmonization.thresholds
    reasons = []
    for share, scale in zip(coverage, scored.samples["scale"], strict=True):
        reason = ""
        known = scales().get(scale)
        if known is None:
            reason = f"scale {scale} is unknown"
        elif harmonization.options.method == "dither" and known.grades and scale not in edges:
            reason = f"the model was trained without scale {scale} and knows no thresholds of it"
        elif share == 0:
            reason = "no muscle of the model is scored"
        elif share < least:
            total = len(scored.muscles)
            reason = (
                f"only {round(share * total)} of {total} muscles of the model are scored; "
                f"at least {int(np.ceil(least * total))} are needed"
            )
        reasons.append(reason)
    return reasons


def _details(
    model: DiagnosisModel,
    admission: _Admission,
    margins: Float32,
    probabilities: Float32,
    options: ApplyOptions,
) -> _Details:
    answered = admission.scored.subset(admission.rows)
    coverage = admission.coverage[admission.rows]
    if not len(answered.samples):
        return _Details(np.zeros(0, bool), None, None, {})
    percent = muscle_percent(model.ensemble.harmonization, answered)
    partial = np.flatnonzero(coverage < PARTIAL_COVERAGE)[: options.advise_at_most]
    features = complete_features(model.ensemble, model.ensemble.harmonization.transform(answered))
    return _Details(
        model.near_normal.flags(*involvement(percent)),
        model.novelty.scores(features, probabilities) if model.novelty else None,
        model.conformal.sets(margins.mean(axis=0)) if model.conformal else None,
        {
            int(row): advise(model, answered.subset([row]), percent[row], threads=options.threads)
            for row in partial
        },
    )


def _results(
    model: DiagnosisModel,
    samples: pd.DataFrame,
    margins: Float32,
    probabilities: Float32,
    order: npt.NDArray[np.intp],
) -> pd.DataFrame:
    n, classes = probabilities.shape
    spread = softmax(margins / np.float32(model.ensemble.temperature)).std(axis=0)
    table = _repeated(samples, classes)
    table["rank"] = np.tile(np.arange(1, classes + 1), n)
    table["diagnosis"] = np.array(model.classes, dtype=object)[order].ravel()
    table["long_name"] = [model.long_name(name) for name in table["diagnosis"]]
    table["probability"] = np.take_along_axis(probabilities, order, axis=1).ravel()
    table["spread"] = np.take_along_axis(spread, order, axis=1).ravel()
    table["in_set"], table["p_value"] = None, np.nan
    if model.conformal and n:
        raw = margins.mean(axis=0)
        sets, p_values = model.conformal.sets(raw), model.conformal.p_values(raw)
        table["in_set"] = np.take_along_axis(sets, order, axis=1).ravel()
        table["p_value"] = np.take_along_axis(p_values, order, axis=1).ravel()
    return table[list(RESULT_COLUMNS)]


def _samples(model: DiagnosisModel, admission: _Admission, details: _Details) -> pd.DataFrame:
    scored, reasons = admission.scored, admission.reasons
    table = _repeated(scored.samples, 1)
    missing = np.asarray(np.isnan(scored.values).all(axis=2))
    names = np.array(scored.muscles, dtype=object)
    table["status"] = np.where([bool(r) for r in reasons], "refused", "answered")
    table["muscles_scored"] = (~missing).sum(axis=1)
    table["coverage"] = admission.coverage
    table["partial"] = admission.coverage < PARTIAL_COVERAGE
    table["typicality"] = np.nan
    # Object columns: a missing text or flag is None.
    table["reason"] = pd.Series([reason or None for reason in reasons], dtype=object)
    gaps = [", ".join(names[row]) or None for row in list(missing)]
    table["missing"] = pd.Series(gaps, dtype=object)
    for column in ("near_normal", "unlike_training", "conformal_set", "helpful", "message"):
        table[column] = pd.Series([None] * len(table), dtype=object)
    for position, row in enumerate(admission.rows):
        _fill_sample(table, int(row), position, model, details)
    for row, reason in enumerate(reasons):
        if reason:
            table.at[row, "message"] = f"Not answered: {reason}."
    return table[list(SAMPLE_COLUMNS)]


def _fill_sample(
    table: pd.DataFrame, row: int, position: int, model: DiagnosisModel, details: _Details
) -> None:
    """Write flags and sentences of one answered sample."""
    from pipelines.diagnosis.trust.novelty import novelty_text

    messages = []
    if table.at[row, "partial"]:
        messages.append(
            f"Partial scan: {int(np.asarray(table.at[row, 'muscles_scored']))} of "
            f"{len(model.ensemble.harmonization.muscles)} muscles are scored; the others are "
            "estimated from similar training patients."
        )
    if position in details.advice:
        helpful, sentence = details.advice[position]
        table.at[row, "helpful"] = helpful or None
        messages.append(sentence)
    table.at[row, "near_normal"] = bool(details.near_normal[position])
    if details.near_normal[position]:
        messages.append(model.near_normal.text())
    if details.novelty is not None and model.novelty is not None:
        typicality = float(details.novelty.typicality[position])
        flagged = bool(details.novelty.flagged[position])
        table.at[row, "typicality"] = typicality
        table.at[row, "unlike_training"] = flagged
        if flagged:
            messages.append(novelty_text(typicality, model.novelty.false_positive_rate))
    if details.sets is not None:
        held = [
            c for c, inside in zip(model.classes, details.sets[position], strict=True) if inside
        ]
        table.at[row, "conformal_set"] = ", ".join(held)
        if not held:
            messages.append("No diagnosis of the model conforms to its training patients.")
    if model.origin == "simulated":
        messages.append("The model was trained on simulated patients: not for any real patient.")
    table.at[row, "message"] = " ".join(messages) or None


def _explanation(
    model: DiagnosisModel,
    answered: NativeScores,
    explanation: Explanation,
    order: npt.NDArray[np.intp],
    options: ApplyOptions,
) -> pd.DataFrame:
    n, classes, p = explanation.values.shape
    if not options.explain or not n:
        return pd.DataFrame(columns=list(EXPLANATION_COLUMNS))
    k = classes if options.top_classes is None else min(options.top_classes, classes)
    m = p if options.top_features is None else min(options.top_features, p)
    chosen = order[:, :k]
    values = np.take_along_axis(explanation.values, chosen[..., None], axis=1)
    largest = np.argsort(-np.abs(values), axis=2, kind="stable")[..., :m]
    features = model.ensemble.harmonization.transform(answered)
    own = np.take_along_axis(np.repeat(features[:, None], k, axis=1), largest, axis=2)
    margins = np.take_along_axis(explanation.member_margins.mean(axis=0), chosen, axis=1)
    table = _repeated(answered.samples, k * m)
    table["rank"] = np.tile(np.repeat(np.arange(1, k + 1), m), n)
    table["diagnosis"] = np.repeat(np.array(model.classes, dtype=object)[chosen].ravel(), m)
    table["order"] = np.tile(np.arange(1, m + 1), n * k)
    table["feature"] = np.array(model.ensemble.feature_names, dtype=object)[largest].ravel()
    table["value"] = own.ravel()
    table["imputed"] = np.isnan(own).ravel()
    table["shap"] = np.take_along_axis(values, largest, axis=2).ravel()
    table["base"] = np.repeat(explanation.base[chosen].ravel(), m)
    table["margin"] = np.repeat(margins.ravel(), m)
    return table[list(EXPLANATION_COLUMNS)]


def _repeated(samples: pd.DataFrame, times: int) -> pd.DataFrame:
    """Return who each sample is, each row repeated."""
    table = samples[["study", "participant", "session"]].astype(object)
    table.insert(0, "sample", samples.index.to_numpy(dtype=object))
    return table.loc[table.index.repeat(times)].reset_index(drop=True)
