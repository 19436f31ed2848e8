"""Apply a diagnosis model to new patients: ranked diagnoses, how far to trust them, and why."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Float32
from pipelines.diagnosis.application.admission import (
    MINIMUM_COVERAGE,
    Admission,
    admit,
)
from pipelines.diagnosis.application.advice import advise
from pipelines.diagnosis.application.tables import (
    Details,
    explanation_table,
    result_table,
    sample_table,
)
from pipelines.diagnosis.explanation.values import explain_native
from pipelines.diagnosis.model.diagnosis_model import (
    DiagnosisModel,
    complete_features,
    involvement,
    muscle_percent,
)
from pipelines.harmonization.scores.native import NativeScores
from pipelines.progress import Progress


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
        is calibrated if the model is, ``spread`` the SD of the members' probabilities; ``in_set``
        and ``p_value`` are of the conformal set (missing where the model has none).
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
    admission = admit(model, native, chosen.minimum_coverage)
    answered = admission.answered
    explanation = explain_native(
        model.ensemble, answered, threads=chosen.threads, progress=progress
    )
    margins = explanation.member_margins
    probabilities = model.ensemble.probabilities(margins)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    details = _details(model, admission, margins, chosen)
    return Application(
        result_table(model, answered.samples, margins, probabilities, order),
        sample_table(model, admission, details),
        explanation_table(
            model,
            answered,
            explanation,
            order,
            top_classes=chosen.top_classes,
            top_features=chosen.top_features if chosen.explain else 0,
        ),
    )


def _details(
    model: DiagnosisModel,
    admission: Admission,
    margins: Float32,
    options: ApplyOptions,
) -> Details:
    answered = admission.answered
    if not len(answered.samples):
        return Details(np.zeros(0, bool), None, None, {})
    percent = muscle_percent(model.ensemble.harmonization, answered)
    partial = np.flatnonzero(admission.partial[admission.rows])[: options.advise_at_most]
    features = complete_features(model.ensemble, model.ensemble.harmonization.transform(answered))
    return Details(
        model.near_normal.flags(*involvement(percent)),
        model.novelty.scores(features) if model.novelty else None,
        model.conformal.sets(margins.mean(axis=0)) if model.conformal else None,
        {
            int(row): advise(model, answered.subset([row]), percent[row], threads=options.threads)
            for row in partial
        },
    )
