import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.diagnosis.evaluation.flags import near_normal_table, novelty_table
from pipelines.diagnosis.trust.class_distance import fit_class_distance
from tests.pipelines.diagnosis.predicted_cohort import cohort, predictions_of


def test_ordinary_patients_are_flagged_at_the_stated_rate():
    made = cohort(patients=(500, 500, 500, 500), visits=2)
    table = novelty_table(made.predictions, made.features)
    row = table.set_index("class").loc["all"]
    assert (row["stated_rate"], row["n_patients"]) == (0.05, 2000)
    assert row["lower"] <= 0.05 <= row["upper"]
    assert row["n_flagged"] == table["n_flagged"][1:].sum()
    assert row["flagged_rate"] == row["n_flagged"] / 2000


def test_other_rates_are_kept_too():
    made = cohort(patients=(500, 500, 500, 500))
    table = novelty_table(made.predictions, made.features, false_positive_rate=0.2)
    assert table["flagged_rate"][0] == pytest.approx(0.2, abs=0.03)


def test_a_disease_far_from_the_others_is_recognised_as_unknown_and_a_twin_is_not():
    rng = np.random.default_rng(0)
    means = np.array([[0.0, 0], [8, 0], [0.2, 0], [0, 8]])
    y = np.repeat(np.arange(4), 60)
    features = means[y] + rng.normal(size=(240, 2))
    predictions = predictions_of(y, np.full((240, 4), 0.25), fold=rng.integers(5, size=240))
    table = novelty_table(predictions, features).set_index("class")
    auc = table["unknown_distance_auc"]
    assert auc["B"] > 0.99
    assert auc["C"] == pytest.approx(0.5, abs=0.12)
    assert auc["all"] == pytest.approx(auc[["A", "B", "C", "D"]].mean())


def test_unknown_auc_of_one_fold_agrees_with_scikit_learn():
    made = cohort(folds=2)
    predictions = made.predictions
    table = novelty_table(predictions, made.features).set_index("class")
    summed, pairs = 0.0, 0
    for fold in (0, 1):
        test = predictions.fold == fold
        model = fit_class_distance(made.features[~test], made.y[~test], 4)
        nearest = model.distances(made.features[test])[:, [0, 1, 3]].min(axis=1)
        new = made.y[test] == 2
        summed += roc_auc_score(new, nearest) * new.sum() * (~new).sum()
        pairs += new.sum() * (~new).sum()
    assert table.loc["C", "unknown_distance_auc"] == pytest.approx(summed / pairs)


def test_near_normal_flag_per_disease():
    y = np.repeat([0, 1], 60)
    mean = np.where(y == 0, np.tile(np.linspace(0, 10, 60), 2), 50)
    right = np.arange(120) % 2 == 0
    probabilities = np.where((y == 0)[:, None] == right[:, None], [0.9, 0.1], [0.1, 0.9])
    predictions = predictions_of(
        y, probabilities, classes=("CLCN1", "DYSF"), fold=np.arange(120) % 4
    )
    table = near_normal_table(predictions, mean, np.minimum(2 * mean, 100)).set_index("class")
    # Threshold: the upper quartile of CLCN1 in the other folds, about 7.5 of 0 to 10.
    assert table.loc["CLCN1", "flagged_rate"] == pytest.approx(0.75, abs=0.04)
    assert (table.loc["DYSF", "n_flagged"], table.loc["DYSF", "n_patients"]) == (0, 60)
    assert np.isnan(table.loc["DYSF", "accuracy_flagged"])
    assert table.loc["DYSF", "accuracy_not_flagged"] == 0.5
    flagged = table.loc["all", "n_flagged"]
    assert flagged == table.loc["CLCN1", "n_flagged"]
    assert table.loc["all", "accuracy_flagged"] == pytest.approx(0.5, abs=1 / flagged)
