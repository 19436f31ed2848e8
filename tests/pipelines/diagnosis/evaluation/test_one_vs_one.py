import numpy as np
import pytest
from sklearn import metrics as sk

from pipelines.diagnosis.evaluation.intervals import resamples
from pipelines.diagnosis.evaluation.one_vs_one import one_vs_one_curves, one_vs_one_table
from pipelines.diagnosis.evaluation.one_vs_rest import MACRO, MICRO, micro_areas
from tests.pipelines.diagnosis.predicted_cohort import cohort, predictions_of


def table_of(predictions, replicates=20):
    drawn = resamples(predictions, replicates)
    return one_vs_one_table(predictions, micro_areas(predictions, drawn.weights), drawn)


@pytest.fixture(scope="module")
def example():
    return cohort().predictions


@pytest.fixture(scope="module")
def table(example):
    return table_of(example).set_index(["class_a", "class_b"])


def test_macro_area_is_that_of_hand_and_till(example, table):
    expected = sk.roc_auc_score(
        example.y, example.probabilities, multi_class="ovo", average="macro"
    )
    assert table.loc[(MACRO, MACRO), "roc_auc"] == pytest.approx(expected)


def test_a_pair_is_the_mean_of_both_directions(example, table):
    rows = np.isin(example.y, [1, 3])
    y, p = example.y[rows], example.probabilities[rows]
    both = [sk.average_precision_score(y == k, p[:, k]) for k in (1, 3)]
    assert both[0] != pytest.approx(both[1], abs=0.01)
    pair = table.loc[("B", "D")]
    assert pair["pr_auc"] == pytest.approx(np.mean(both))
    assert (pair["n_a"], pair["n_b"]) == (80, 25)
    assert pair["pr_auc_lower"] < pair["pr_auc"] < pair["pr_auc_upper"]


def test_fold_spread_of_a_pair(example, table):
    values = []
    for fold in example.fold_names:
        rows = np.isin(example.y, [0, 1]) & (example.fold == fold)
        both = [
            sk.roc_auc_score(example.y[rows] == k, example.probabilities[rows, k]) for k in (0, 1)
        ]
        values.append(np.mean(both))
    pair = table.loc[("A", "B")]
    assert pair["roc_auc_fold_mean"] == pytest.approx(np.mean(values))
    assert pair["roc_auc_fold_sd"] == pytest.approx(np.std(values, ddof=1))


def test_every_pair_is_there_once(table):
    assert len(table) == 6 + 2
    assert table.index.is_unique
    assert table.loc[(MICRO, MICRO), "roc_auc"] == pytest.approx(
        table.loc[(MACRO, MACRO), "roc_auc"], abs=0.05
    )


def test_curves_average_both_directions(example):
    curves = one_vs_one_curves(example)
    pr = curves[(curves["curve"] == "precision_recall") & (curves["class_a"] == "A")]
    pr = pr[pr["class_b"] == "C"]
    rows = np.isin(example.y, [0, 2])
    both = [
        sk.average_precision_score(example.y[rows] == k, example.probabilities[rows, k])
        for k in (0, 2)
    ]
    assert pr["y"].mean() == pytest.approx(np.mean(both), abs=0.02)
    assert len(curves) == 6 * 2 * 51


def test_one_class_has_no_pair():
    predictions = predictions_of([1, 1, 1], [[0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    table = table_of(predictions, 3)
    assert list(table["class_a"]) == [MACRO, MICRO]
    assert table["roc_auc"].isna().all()
    assert one_vs_one_curves(predictions).empty
