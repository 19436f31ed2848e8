import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix

from pipelines.diagnosis.evaluation.intervals import resamples, wilson_interval
from pipelines.diagnosis.evaluation.one_vs_rest import one_vs_rest_areas
from pipelines.diagnosis.evaluation.per_class import class_table, confusion_table
from tests.pipelines.diagnosis.predicted_cohort import CLASSES, cohort, predictions_of

# Truth A A A A B B C, answers A A B C B A C.
Y = [0, 0, 0, 0, 1, 1, 2]
ANSWERS = [0, 0, 1, 2, 1, 0, 2]


def table_of(predictions):
    drawn = resamples(predictions, 10)
    return class_table(predictions, one_vs_rest_areas(predictions, drawn.weights), drawn)


@pytest.fixture(scope="module")
def by_hand():
    probabilities = np.full((7, 3), 0.15)
    probabilities[np.arange(7), ANSWERS] = 0.7
    return predictions_of(Y, probabilities, fold=[0, 0, 1, 1, 0, 1, 1])


@pytest.mark.parametrize(
    ("measure", "counts"),
    [
        ("sensitivity", {"A": (2, 4), "B": (1, 2), "C": (1, 1)}),
        ("specificity", {"A": (2, 3), "B": (4, 5), "C": (5, 6)}),
        ("ppv", {"A": (2, 3), "B": (1, 2), "C": (1, 2)}),
        ("npv", {"A": (2, 4), "B": (4, 5), "C": (5, 5)}),
        ("top_3_recall", {"A": (4, 4), "B": (2, 2), "C": (1, 1)}),
    ],
)
def test_rates_by_hand(by_hand, measure, counts):
    table = table_of(by_hand)
    rows = table[table["measure"] == measure].set_index("class")
    for name, (numerator, denominator) in counts.items():
        row = rows.loc[name]
        assert (row["numerator"], row["denominator"]) == (numerator, denominator)
        assert row["value"] == pytest.approx(numerator / denominator)
        assert row["lower"] <= row["value"] <= row["upper"]
        assert (row["n_patients"], row["interval"]) == (denominator, "wilson")


def test_spread_over_folds_by_hand(by_hand):
    # Sensitivity of A: 2 of 2 in fold 0, 0 of 2 in fold 1; of C only fold 1 has one.
    table = table_of(by_hand).set_index(["class", "measure"])
    row = table.loc[("A", "sensitivity")]
    assert (row["fold_mean"], row["fold_sd"]) == (0.5, pytest.approx(np.sqrt(0.5)))
    row = table.loc[("C", "sensitivity")]
    assert row["fold_mean"] == 1
    assert np.isnan(row["fold_sd"])


def test_a_class_never_named_has_no_predictive_value():
    table = table_of(predictions_of([0, 1, 0], [[0.9, 0.1]] * 3)).set_index(["class", "measure"])
    row = table.loc[("B", "ppv")]
    assert np.isnan([row["value"], row["lower"], row["upper"]]).all()
    assert (row["numerator"], row["denominator"]) == (0, 0)
    assert table.loc[("B", "sensitivity"), "value"] == 0


def test_areas_stand_beside_their_class():
    made = cohort().predictions
    table = table_of(made).set_index(["class", "measure"])
    row = table.loc[("D", "pr_auc")]
    expected = average_precision_score(made.y == 3, made.probabilities[:, 3])
    assert row["value"] == pytest.approx(expected)
    assert (row["numerator"], row["denominator"], row["n_patients"]) == (25, 285, 25)
    assert row["interval"] == "bootstrap"
    assert list(table.index.get_level_values("class")[::8]) == list(CLASSES)


def test_confusion_agrees_with_scikit_learn_and_rows_sum_to_one():
    made = cohort(visits=2).predictions
    table = confusion_table(made)
    counts = table.pivot(index="truth", columns="predicted", values="count").to_numpy()
    np.testing.assert_array_equal(counts, confusion_matrix(made.y, made.predicted))
    np.testing.assert_allclose(table.groupby("truth")["fraction"].sum(), 1)
    assert set(table[table["truth"] == "A"]["n_samples"]) == {240}
    assert set(table[table["truth"] == "A"]["n_patients"]) == {120}


def test_an_empty_cell_counts_patients_for_its_interval():
    predictions = predictions_of(
        [0, 0, 0, 0, 1],
        [[0.9, 0.1]] * 4 + [[0.1, 0.9]],
        fold=[0, 0, 1, 1, 0],
        patient=[0, 0, 1, 1, 2],
    )
    cell = confusion_table(predictions).set_index(["truth", "predicted"]).loc[("A", "B")]
    assert cell["upper"] == pytest.approx(float(wilson_interval(0, 2)[1]))
