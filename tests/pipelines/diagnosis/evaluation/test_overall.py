import numpy as np
import pytest
from sklearn import metrics as sk

from pipelines.diagnosis.evaluation.intervals import resamples
from pipelines.diagnosis.evaluation.one_vs_rest import micro_areas, one_vs_rest_areas
from pipelines.diagnosis.evaluation.overall import (
    comparison_table,
    figures,
    fold_table,
    overall_table,
    quick_figures,
)
from tests.pipelines.diagnosis.predicted_cohort import cohort, predictions_of


@pytest.fixture(scope="module")
def example():
    return cohort(visits=2).predictions


@pytest.fixture(scope="module")
def drawn(example):
    return resamples(example, 200)


@pytest.fixture(scope="module")
def values(example, drawn):
    few = drawn.first(20)
    return figures(
        quick_figures(example, drawn.weights),
        one_vs_rest_areas(example, few.weights),
        micro_areas(example, few.weights),
    )


def test_pooled_figure_interval_and_spread_over_folds(example, drawn, values):
    table = overall_table(values, example, drawn).set_index("metric")
    row = table.loc["balanced_accuracy"]
    assert row["value"] == pytest.approx(sk.balanced_accuracy_score(example.y, example.predicted))
    of_folds = [
        sk.balanced_accuracy_score(example.y[f], example.predicted[f])
        for f in (example.fold == name for name in example.fold_names)
    ]
    assert row["fold_mean"] == pytest.approx(np.mean(of_folds))
    assert row["fold_sd"] == pytest.approx(np.std(of_folds, ddof=1))
    assert row["lower"] < row["value"] < row["upper"]
    assert (row["n_samples"], row["n_patients"], row["n_folds"]) == (570, 285, 5)
    assert table.loc["weighted_top_1", "value"] == row["value"]


def test_every_figure_of_every_fold(example, drawn, values):
    table = fold_table(values, example, drawn)
    assert len(table) == 5 * len(values)
    row = table[(table["fold"] == "2") & (table["metric"] == "pr_auc_macro")].iloc[0]
    inside = example.fold == 2
    truth = np.eye(4)[example.y[inside]]
    assert row["value"] == pytest.approx(
        sk.average_precision_score(truth, example.probabilities[inside], average="macro")
    )
    assert row["n_samples"] == inside.sum() == 2 * row["n_patients"]


def test_comparison_is_paired(example, drawn):
    worse = np.random.default_rng(0).dirichlet(np.ones(4), size=example.n)
    others = {
        "same": predictions_of(
            example.y, example.probabilities, fold=example.fold, patient=example.patient
        ),
        "random": predictions_of(example.y, worse, fold=example.fold, patient=example.patient),
    }
    table = comparison_table(example, others, drawn).set_index(["model", "metric"])
    same = table.loc[("same", "balanced_accuracy")]
    assert (same["difference"], same["difference_lower"], same["difference_upper"]) == (0, 0, 0)
    random = table.loc[("random", "balanced_accuracy")]
    assert random["value"] == pytest.approx(0.25, abs=0.08)
    own = table.loc[("ensemble", "balanced_accuracy"), "value"]
    assert random["difference"] == pytest.approx(own - random["value"])
    assert random["difference_lower"] > 0
