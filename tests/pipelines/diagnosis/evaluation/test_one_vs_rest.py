import numpy as np
import pytest
from sklearn import metrics as sk

from pipelines.diagnosis.evaluation.one_vs_rest import (
    MACRO,
    MICRO,
    micro_areas,
    one_vs_rest_areas,
    one_vs_rest_curves,
)
from tests.pipelines.diagnosis.predicted_cohort import CLASSES, all_samples, cohort, predictions_of


@pytest.fixture(scope="module")
def example():
    return cohort().predictions


def test_areas_agree_with_scikit_learn(example):
    found = one_vs_rest_areas(example, all_samples(example))
    truth = np.eye(4)[example.y]
    np.testing.assert_allclose(
        found.roc[0], sk.roc_auc_score(truth, example.probabilities, average=None)
    )
    np.testing.assert_allclose(
        found.precision_recall[0],
        sk.average_precision_score(truth, example.probabilities, average=None),
    )
    assert found.roc_macro[0] == pytest.approx(
        sk.roc_auc_score(example.y, example.probabilities, multi_class="ovr", average="macro")
    )


def test_micro_averages_agree_with_scikit_learn(example):
    found = micro_areas(example, all_samples(example))
    truth, probabilities = np.eye(4)[example.y], example.probabilities
    assert found.roc[0] == pytest.approx(sk.roc_auc_score(truth, probabilities, average="micro"))
    assert found.precision_recall[0] == pytest.approx(
        sk.average_precision_score(truth, probabilities, average="micro")
    )


@pytest.mark.parametrize("classes", [{0, 1, 2, 3}, {0, 1, 3}])
def test_micro_average_of_pairs_is_that_of_all_answers_written_out(example, classes):
    scores, positive = [], []
    for row, truth in zip(example.probabilities, example.y, strict=True):
        for other in classes - {truth} if truth in classes else ():
            scores += [row[truth], row[other]]
            positive += [True, False]
    weights = np.isin(example.y, list(classes)).astype(float)[None, :]
    found = micro_areas(example, weights)
    assert found.precision_recall_pairs[0] == pytest.approx(
        sk.average_precision_score(positive, scores)
    )
    assert found.roc_pairs[0] == pytest.approx(sk.roc_auc_score(positive, scores))
    assert (found.roc_pairs[0] == pytest.approx(found.roc[0])) == (len(classes) == 4)


def test_an_absent_class_is_left_out_of_the_macro_average():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=40)
    predictions = predictions_of(y, rng.dirichlet(np.ones(3), size=40))
    found = one_vs_rest_areas(predictions, all_samples(predictions))
    assert np.isnan(found.roc[0, 2])
    assert np.isnan(found.precision_recall[0, 2])
    assert found.roc_macro[0] == pytest.approx(found.roc[0, :2].mean())
    assert set(one_vs_rest_curves(predictions)["class"]) == {"A", "B", MICRO, MACRO}


def test_curves_of_all_classes_and_averages(example):
    table = one_vs_rest_curves(example)
    assert set(table["class"]) == {*CLASSES, MICRO, MACRO}
    counts = table.groupby("class")[["n_positive", "n_negative"]].first()
    assert tuple(counts.loc["D"]) == (25, 260)
    assert tuple(counts.loc[MICRO]) == (285, 3 * 285)
    roc = table[table["curve"] == "roc"]
    for name in CLASSES:
        curve = roc[roc["class"] == name]
        exact = sk.roc_auc_score(
            example.y == CLASSES.index(name), example.probabilities[:, CLASSES.index(name)]
        )
        assert np.trapezoid(curve["y"], curve["x"]) == pytest.approx(exact, abs=0.005)
    areas = one_vs_rest_areas(example, all_samples(example))
    macro = roc[roc["class"] == MACRO]
    assert np.trapezoid(macro["y"], macro["x"]) == pytest.approx(areas.roc_macro[0], abs=0.01)
    macro = table[(table["curve"] == "precision_recall") & (table["class"] == MACRO)]
    assert macro["y"].mean() == pytest.approx(areas.precision_recall_macro[0], abs=0.01)


def test_one_class_only_has_no_macro_curve():
    predictions = predictions_of([0, 0], [[0.6, 0.4], [0.7, 0.3]])
    assert set(one_vs_rest_curves(predictions)["class"]) == {MICRO}
