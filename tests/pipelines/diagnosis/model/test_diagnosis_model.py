import pytest

from pipelines.diagnosis.model.diagnosis_model import build_model
from pipelines.diagnosis.training.nested import run_nested
from pipelines.diagnosis.training.refit import refit_ensemble
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_training_cohort, tiny_protocol


@pytest.fixture(scope="module")
def averaged():
    """A model whose members' probabilities are averaged, and the search behind it."""
    cohort = small_training_cohort((24, 24, 22), seed=3)
    nested = run_nested(cohort, HarmonizationOptions(), tiny_protocol(combine="probabilities"))
    ensemble = refit_ensemble(nested)
    model = build_model("averaged", ensemble, nested, origin="simulated", created="2026-01-02")
    return model, nested


def test_averaged_probabilities_are_not_calibrated(averaged):
    model, _ = averaged
    assert not model.calibrated
    assert model.ensemble.temperature == 1
