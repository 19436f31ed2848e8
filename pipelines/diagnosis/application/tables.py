"""What a diagnosis model answers, as tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Bool, Float32, Index
from pipelines.diagnosis.application.admission import Admission
from pipelines.diagnosis.ensemble.average import softmax
from pipelines.diagnosis.explanation.values import Explanation
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.diagnosis.trust.novelty import NoveltyScores
from pipelines.harmonization.scores.native import NativeScores

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
class Details:
    """What is known of n answered samples beside probabilities.

    Flags of little fat (n,), likeness to the training patients, conformal sets (n, K), and by
    position the muscles that would help with a sentence for people.
    """

    near_normal: Bool
    novelty: NoveltyScores | None
    sets: Bool | None
    advice: Mapping[int, tuple[str, str]]


def result_table(
    model: DiagnosisModel,
    samples: pd.DataFrame,
    margins: Float32,
    probabilities: Float32,
    order: Index,
) -> pd.DataFrame:
    """Return the ranked diagnoses, one row per sample and diagnosis: ``RESULT_COLUMNS``.

    `margins` are those of every member, (M, n, K); `order` has the classes (n, K), best first.
    """
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


def sample_table(model: DiagnosisModel, admission: Admission, details: Details) -> pd.DataFrame:
    """Return one row per sample, answered or not: ``SAMPLE_COLUMNS``."""
    scored, reasons = admission.scored, admission.reasons
    table = _repeated(scored.samples, 1)
    missing = np.asarray(np.isnan(scored.values).all(axis=2))
    names = np.array(scored.muscles, dtype=object)
    table["status"] = np.where([bool(r) for r in reasons], "refused", "answered")
    table["muscles_scored"] = (~missing).sum(axis=1)
    table["coverage"] = admission.coverage
    table["partial"] = admission.partial
    table["typicality"] = np.nan
    # Object columns: a missing text or flag is None.
    table["reason"] = pd.Series([reason or None for reason in reasons], dtype=object)
    gaps = [", ".join(names[row]) or None for row in list(missing)]
    table["missing"] = pd.Series(gaps, dtype=object)
    for column in ("near_normal", "unlike_training", "conformal_set", "helpful", "message"):
        table[column] = pd.Series([None] * len(table), dtype=object)
    for position, row in enumerate(admission.rows):
        _fill_sample(table, int(row), position, model=model, details=details, usual=admission.usual)
    for row, reason in enumerate(reasons):
        if reason:
            table.at[row, "message"] = f"Not answered: {reason}."
    return table[list(SAMPLE_COLUMNS)]


def _fill_sample(
    table: pd.DataFrame,
    row: int,
    position: int,
    *,
    model: DiagnosisModel,
    details: Details,
    usual: float,
) -> None:
    """Write flags and sentences of one answered sample."""
    messages = []
    if table.at[row, "partial"]:
        messages.append(
            f"Partial scan: {int(np.asarray(table.at[row, 'muscles_scored']))} of "
            f"{len(model.ensemble.harmonization.muscles)} muscles are scored, training patients "
            f"have {usual:.0f} (median); the others are estimated from similar training patients."
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
            messages.append(model.novelty.text(typicality))
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


def explanation_table(
    model: DiagnosisModel,
    answered: NativeScores,
    explanation: Explanation,
    order: Index,
    *,
    top_classes: int | None,
    top_features: int | None,
) -> pd.DataFrame:
    """Return what features add to the margins, one row each: ``EXPLANATION_COLUMNS``.

    Only so many of the highest ranked diagnoses and of the largest SHAP values; None for all.
    """
    n, classes, p = explanation.values.shape
    if not n:
        return pd.DataFrame(columns=list(EXPLANATION_COLUMNS))
    k = classes if top_classes is None else min(top_classes, classes)
    m = p if top_features is None else min(top_features, p)
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
