import numpy as np
import pytest

from pipelines.diagnosis.evaluation.coverage import MeasuredSets, coverage_table, measured_sets
from pipelines.diagnosis.evaluation.intervals import wilson_interval
from pipelines.diagnosis.trust.conformal import fit_conformal
from tests.pipelines.diagnosis.predicted_cohort import CLASSES, cohort, predictions_of


def test_table_by_hand():
    # Sets at 0.1: {A}, {A, B}, {}, {B}; truths A, B, A, A.
    predictions = predictions_of([0, 1, 0, 0], [[0.5, 0.5]] * 4)
    p_values = np.array([[0.5, 0.05], [0.2, 0.11], [0.1, 0.05], [0.02, 0.9]])
    measured = MeasuredSets(np.arange(4), p_values, np.array([False, True]))
    table = coverage_table(predictions, measured, (0.1,)).set_index("class")
    assert list(table["coverage"]) == [0.5, pytest.approx(1 / 3), 1.0]
    assert list(table["mean_size"]) == [1.0, pytest.approx(2 / 3), 2.0]
    assert list(table["n_patients"]) == [4, 3, 1]
    assert list(table["pooled"]) == [False, False, True]
    assert table.loc["all", "fraction_single"] == 0.5
    assert table.loc["all", "fraction_empty"] == 0.25
    assert table.loc["all", "target"] == 0.9
    lower, upper = wilson_interval(0.5, 4)
    assert table.loc["all", ["lower", "upper"]].tolist() == [float(lower), float(upper)]


def test_a_fold_is_measured_with_the_calibration_of_the_others():
    made = cohort(visits=2)
    predictions = made.predictions
    measured = measured_sets(predictions, made.margins, seed=3)
    assert len(np.unique(predictions.patient[measured.rows])) == len(measured.rows) == 285
    own = predictions.fold[measured.rows] == 4
    others = measured.rows[~own]
    fitted = fit_conformal(
        made.margins[others], made.y[others], CLASSES, predictions.patient[others]
    )
    np.testing.assert_array_equal(
        measured.p_values[own], fitted.p_values(made.margins[measured.rows[own]])
    )


@pytest.mark.parametrize("randomised", [False, True])
def test_measured_coverage_of_every_class_is_what_is_promised(randomised):
    made = cohort(patients=(900, 700, 500, 300), folds=10)
    measured = measured_sets(made.predictions, made.margins, randomised=randomised)
    table = coverage_table(made.predictions, measured, (0.1, 0.2))
    assert (table["upper"] > table["target"]).all()
    assert (table["lower"] < table["target"] + 0.01).all()
    smaller = table[table["alpha"] == 0.2].set_index("class")["mean_size"]
    assert (smaller < table[table["alpha"] == 0.1].set_index("class")["mean_size"]).all()


def test_small_classes_are_marked_as_pooled():
    made = cohort(patients=(80, 60, 40, 12))
    table = coverage_table(made.predictions, measured_sets(made.predictions, made.margins), (0.1,))
    pooled = table.set_index("class")["pooled"]
    assert pooled["D"]
    assert not pooled["A"]
    assert not pooled["all"]
