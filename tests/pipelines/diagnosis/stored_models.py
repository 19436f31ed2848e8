"""A small trained model for the tests of store, card and application."""

from functools import cache

from pipelines.diagnosis.evaluation.evaluate import EvaluationOptions, evaluate
from pipelines.diagnosis.model.diagnosis_model import build_model
from pipelines.diagnosis.training.nested import run_nested
from pipelines.diagnosis.training.refit import refit_ensemble
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_training_cohort, tiny_protocol


@cache
def trained_model(method="paper"):
    """Return a model of the diseases A, B and C, and the cohort it was trained on."""
    cohort = small_training_cohort((24, 24, 22), seed=3)
    thresholds = {"0-4": (0, 10, 30, 50, 75, 100)} if method == "dither" else None
    options = HarmonizationOptions(method=method, draws=2, thresholds=thresholds)
    nested = run_nested(cohort, options, tiny_protocol())
    ensemble = refit_ensemble(nested)
    evaluation = evaluate(
        cohort.y,
        nested.probabilities,
        cohort.classes,
        nested.fold,
        cohort.native.samples,
        margins=nested.margins,
        options=EvaluationOptions(replicates=20, area_replicates=5),
    )
    model = build_model(
        "small",
        ensemble,
        nested,
        origin="simulated",
        created="2026-01-02",
        headline=evaluation.headline,
        tables=evaluation.tables,
        long_names={"A": "Disease of A", "Z": "not in the model"},
        licence="CC0-1.0",
    )
    return model, cohort.native
