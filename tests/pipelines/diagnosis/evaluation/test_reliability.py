import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from pipelines.diagnosis.evaluation.intervals import resamples
from pipelines.diagnosis.evaluation.reliability import (
    calibrated_probabilities,
    calibration_table,
    reliability_table,
)
from pipelines.diagnosis.trust.temperature import fit_temperature
from tests.pipelines.diagnosis.predicted_cohort import cohort, predictions_of


@pytest.fixture(scope="module")
def overconfident():
    """Margins three times too large."""
    made = cohort(patients=(300, 300, 300, 300), spread=1.0)
    return made, 3 * made.margins


def test_reliability_agrees_with_scikit_learn():
    predictions = cohort(patients=(300, 200, 100, 50)).predictions
    table = reliability_table({"raw": predictions}, bins=10)
    confidence = predictions.probabilities.max(axis=1)
    right = predictions.predicted == predictions.y
    accuracy, mean = calibration_curve(right, confidence, n_bins=10)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], mean)
    assert table["n_samples"].sum() == 650
    assert (table["bin_upper"] >= table["confidence"]).all()
    assert (table["bin_lower"] < table["confidence"]).all()


def test_temperature_of_each_fold_comes_from_the_other_folds(overconfident):
    made, margins = overconfident
    probabilities, table = calibrated_probabilities(made.predictions, margins)
    inside = made.fold == 1
    other = fit_temperature(margins[~inside], made.y[~inside])
    row = table.set_index("fold").loc["1"]
    assert (row["temperature"], row["n_samples"]) == (other.value, (~inside).sum())
    np.testing.assert_array_equal(probabilities[inside], other.probabilities(margins[inside]))
    assert list(table["fold"]) == ["0", "1", "2", "3", "4", "all"]
    assert table["temperature"].iloc[-1] == pytest.approx(3, rel=0.1)


def test_changing_a_fold_does_not_change_its_own_temperature(overconfident):
    made, margins = overconfident
    changed = margins.copy()
    changed[made.fold == 1] = np.random.default_rng(0).normal(size=(np.sum(made.fold == 1), 4))
    tables = [calibrated_probabilities(made.predictions, m)[1] for m in (margins, changed)]
    temperatures = [table.set_index("fold")["temperature"] for table in tables]
    assert temperatures[0]["1"] == temperatures[1]["1"]
    assert temperatures[0]["2"] != temperatures[1]["2"]


def test_scaling_repairs_overconfidence(overconfident):
    made, margins = overconfident
    sure = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    scaled, _ = calibrated_probabilities(made.predictions, margins)
    variants = {
        name: predictions_of(made.y, p, fold=made.fold)
        for name, p in (("raw", sure), ("scaled", scaled))
    }
    drawn = resamples(variants["raw"], 100)
    table = calibration_table(variants, drawn).set_index(["probabilities", "metric"])["value"]
    assert table[("raw", "expected_calibration_error")] > 0.15
    assert table[("scaled", "expected_calibration_error")] < 0.05
    for metric in ("classwise_calibration_error", "log_loss", "brier_score"):
        assert table[("scaled", metric)] < table[("raw", metric)]
