import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pipelines.diagnosis.evaluation import metrics
from tests.pipelines.diagnosis.predicted_cohort import all_samples, cohort, predictions_of


@pytest.fixture(scope="module")
def example():
    return cohort().predictions


def plain(function, predictions, *rest):
    return function(predictions, all_samples(predictions), *rest)[0]


def test_weighted_top_two_of_the_published_code():
    # Golden value of the Myo-Guide authors' public code; class 2 has no sample.
    scores = [[0.9, 0.05, 0.05], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6], [0.5, 0.3, 0.2]]
    predictions = predictions_of([0, 0, 0, 1], scores)
    assert plain(metrics.weighted_top_n, predictions, (2,))[0] == pytest.approx(2 / 3, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_weighted_top_n_is_equation_one_with_the_weights_of_equation_two(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(5, size=30)
    probabilities = rng.dirichlet(np.ones(5), size=30)
    weight = np.array([len(y) / np.sum(y == label) for label in y])
    for n in (1, 2, 3, 5):
        answers = np.argsort(-probabilities, axis=1)[:, :n]
        inside = np.array([label in own for label, own in zip(y, answers, strict=True)])
        expected = np.sum(weight * inside) / np.sum(weight)
        found = plain(metrics.weighted_top_n, predictions_of(y, probabilities), (n,))[0]
        assert found == pytest.approx(expected, abs=1e-12)


def test_figures_agree_with_scikit_learn(example):
    y, p = example.y, example.probabilities
    assert plain(metrics.balanced_accuracy, example) == pytest.approx(
        sk.balanced_accuracy_score(y, example.predicted), abs=1e-12
    )
    assert plain(metrics.accuracy, example) == pytest.approx(
        sk.accuracy_score(y, example.predicted)
    )
    assert plain(metrics.log_loss, example) == pytest.approx(sk.log_loss(y, p), abs=1e-9)
    assert plain(metrics.brier_score, example) == pytest.approx(
        ((p - np.eye(4)[y]) ** 2).sum(axis=1).mean(), abs=1e-12
    )
    weight = 1 / np.bincount(y)[y]
    for i, n in enumerate((2, 3)):
        expected = sk.top_k_accuracy_score(y, p, k=n, sample_weight=weight)
        found = plain(metrics.weighted_top_n, example, (2, 3))[i]
        assert found == pytest.approx(expected, abs=1e-12)


def test_first_of_the_top_n_is_the_balanced_accuracy(example):
    top = plain(metrics.weighted_top_n, example, (1, 4))
    assert top[0] == plain(metrics.balanced_accuracy, example)
    assert top[1] == 1.0


def test_whole_weights_are_repetitions(example):
    weights = np.random.default_rng(1).integers(0, 3, size=(1, example.n))
    rows = np.repeat(np.arange(example.n), weights[0])
    repeated = predictions_of(example.y[rows], example.probabilities[rows])
    for function in (
        metrics.balanced_accuracy,
        metrics.accuracy,
        metrics.log_loss,
        metrics.brier_score,
        metrics.expected_calibration_error,
        metrics.classwise_calibration_error,
    ):
        np.testing.assert_allclose(
            function(example, weights.astype(float))[0], plain(function, repeated), rtol=1e-10
        )


def test_a_class_without_weight_is_left_out_of_the_mean(example):
    weights = (example.y != 3).astype(float)[None, :]
    expected = sk.recall_score(
        example.y, example.predicted, labels=[0, 1, 2], average="macro", zero_division=0
    )
    assert metrics.balanced_accuracy(example, weights)[0] == pytest.approx(expected)
    assert np.isnan(metrics.balanced_accuracy(example, np.zeros((1, example.n)))[0])


def test_calibration_error_by_hand():
    # Confidence .7 (half right) and .95 (all right): (2 * .2 + 1 * .05) / 3.
    predictions = predictions_of([0, 1, 1], [[0.7, 0.3], [0.7, 0.3], [0.05, 0.95]])
    assert plain(metrics.expected_calibration_error, predictions) == pytest.approx(0.15)


def test_perfect_calibration_has_a_small_error_and_overconfidence_a_known_one():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 20000)
    right = rng.random(20000) < confidence
    honest = predictions_of(np.where(right, 0, 1), np.column_stack([confidence, 1 - confidence]))
    assert plain(metrics.expected_calibration_error, honest) < 0.02
    sure = np.column_stack([np.full(20000, 0.99), np.full(20000, 0.01)])
    overconfident = predictions_of(np.where(right, 0, 1), sure)
    assert plain(metrics.expected_calibration_error, overconfident) == pytest.approx(
        0.99 - right.mean(), abs=1e-12
    )


def test_a_probability_of_zero_for_the_truth_has_a_finite_loss():
    predictions = predictions_of([1, 0], [[1.0, 0.0], [1.0, 0.0]])
    assert plain(metrics.log_loss, predictions) == pytest.approx(-np.log(1e-7) / 2)


def test_confidence_bins_are_closed_on_the_right():
    bins = metrics.confidence_bin(np.array([0.0, 0.25, 0.2500001, 0.5, 1.0]), 4)
    np.testing.assert_array_equal(bins, [0, 0, 1, 1, 3])
