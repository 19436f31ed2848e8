import numpy as np
import pytest
from scipy.stats import binomtest

from pipelines.diagnosis.evaluation.intervals import (
    interval_of,
    mean_and_sd,
    proportions,
    resamples,
    wilson_interval,
)
from tests.pipelines.diagnosis.predicted_cohort import cohort


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 10), (10, 10), (55, 120)])
def test_wilson_agrees_with_scipy(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    lower, upper = wilson_interval(k / n, n)
    assert (float(lower), float(upper)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_independent_samples_have_the_wilson_interval_of_their_number():
    # One sample each: the cluster variance is p (1 - p) / (n - 1), so n - 1 samples count.
    counted = np.array([True] * 30 + [False] * 10)[:, None]
    found = proportions(counted, np.ones_like(counted), np.arange(40))
    lower, upper = wilson_interval(0.75, 39)
    assert (found.lower[0], found.upper[0]) == pytest.approx((float(lower), float(upper)))
    assert (found.numerator[0], found.denominator[0], found.patients[0]) == (30, 40, 40)


def test_repeating_every_patient_adds_no_information():
    counted = np.array([True] * 30 + [False] * 10)[:, None]
    once = proportions(counted, np.ones_like(counted), np.arange(40))
    five = np.repeat(np.arange(40), 5)
    repeated = proportions(counted[five], np.ones((200, 1), bool), five)
    assert repeated.lower[0] == pytest.approx(once.lower[0], abs=1e-12)
    assert repeated.upper[0] == pytest.approx(once.upper[0], abs=1e-12)
    assert (repeated.denominator[0], repeated.patients[0]) == (200, 40)


def test_all_right_counts_patients_and_not_visits():
    found = proportions(np.ones((50, 1), bool), np.ones((50, 1), bool), np.repeat(np.arange(10), 5))
    assert found.value[0] == 1
    assert found.lower[0] == pytest.approx(float(wilson_interval(1, 10)[0]))
    assert found.upper[0] == 1


def test_only_samples_of_the_denominator_count_and_none_is_nan():
    asked = np.array([[True, False], [True, False], [False, False]])
    found = proportions(np.ones((3, 2), bool), asked, np.arange(3))
    assert (found.numerator[0], found.denominator[0]) == (2, 2)
    assert np.isnan([found.value[1], found.lower[1], found.upper[1]]).all()
    assert found.patients[1] == 0


def test_cluster_interval_covers_as_it_says():
    # Patients differ in their own rate (beta), visits of one are alike; the mean rate is 0.7.
    rng = np.random.default_rng(0)
    trials, patients, visits = 1500, 60, 4
    rate = np.repeat(rng.beta(1.4, 0.6, size=(patients, trials)), visits, axis=0)
    counted = rng.random(rate.shape) < rate
    found = proportions(counted, np.ones_like(counted), np.repeat(np.arange(patients), visits))
    coverage = ((found.lower <= 0.7) & (found.upper >= 0.7)).mean()
    assert 0.93 < coverage < 0.97
    naive_lower, naive_upper = wilson_interval(found.value, patients * visits)
    assert ((naive_lower <= 0.7) & (naive_upper >= 0.7)).mean() < 0.85


def test_resamples_draw_whole_patients_within_their_class():
    made = cohort(patients=(12, 9, 7, 5), visits=2)
    drawn = resamples(made.predictions, replicates=50, seed=3)
    assert drawn.weights.shape == (1 + drawn.n_folds + 50, made.predictions.n)
    np.testing.assert_array_equal(drawn.weights[0], 1)
    replicates = drawn.weights[1 + drawn.n_folds :]
    np.testing.assert_array_equal(replicates[:, ::2], replicates[:, 1::2])
    for k, n in enumerate((12, 9, 7, 5)):
        np.testing.assert_array_equal(replicates[:, made.y == k].sum(axis=1), 2 * n)
    assert replicates.max() >= 2
    np.testing.assert_array_equal(
        drawn.weights[1 : 1 + drawn.n_folds].sum(axis=0), np.ones(made.predictions.n)
    )


def test_resamples_follow_the_seed():
    predictions = cohort(patients=(6, 6, 6, 6)).predictions
    same = [resamples(predictions, 5, seed).weights for seed in (1, 1, 2)]
    np.testing.assert_array_equal(same[0], same[1])
    assert (same[0] != same[2]).any()


def test_summary_of_a_mean_has_the_textbook_interval():
    predictions = cohort(patients=(400, 2, 2, 2)).predictions
    drawn = resamples(predictions, 2000, 0)
    inside = predictions.y == 0
    x = np.random.default_rng(5).normal(10, 2, size=predictions.n)
    values = drawn.weights[:, inside] @ x[inside] / drawn.weights[:, inside].sum(axis=1)
    summary = drawn.summary(values)
    error = x[inside].std() / np.sqrt(inside.sum())
    assert summary.value == pytest.approx(x[inside].mean())
    assert summary.upper - summary.lower == pytest.approx(2 * 1.96 * error, rel=0.1)
    of_folds = [x[inside & (predictions.fold == f)].mean() for f in predictions.fold_names]
    assert summary.fold_mean == pytest.approx(np.mean(of_folds))
    assert summary.fold_sd == pytest.approx(np.std(of_folds, ddof=1))


def test_reflected_interval_mirrors_the_percentiles_and_stays_above_zero():
    predictions = cohort(patients=(5, 5, 5, 5), folds=2).predictions
    drawn = resamples(predictions, 101, 0)
    values = np.concatenate([[1.0, 0.0, 0.0], np.linspace(0.5, 2.5, 101)])
    plain, mirrored = drawn.summary(values), drawn.summary(values, reflected=True)
    assert (plain.lower, plain.upper) == pytest.approx((0.55, 2.45))
    assert (mirrored.lower, mirrored.upper) == pytest.approx((0.0, 1.45))


def test_undefined_values_are_left_out():
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    mean, sd = mean_and_sd(values)
    np.testing.assert_array_equal(mean, [2.0, np.nan])
    np.testing.assert_allclose(sd, [np.sqrt(2), np.nan])
    lower, upper = interval_of(values)
    assert (lower[0], upper[0]) == pytest.approx((1.05, 2.95))
    assert np.isnan([lower[1], upper[1]]).all()
    assert np.isnan(interval_of(np.empty((0, 2)))[0]).all()
