import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pipelines.diagnosis.evaluation.curves import (
    areas,
    precision_at,
    precision_recall_curve,
    rank_scores,
    roc_at,
    roc_curve,
    thin,
)


def question(seed, levels=None, n=60):
    rng = np.random.default_rng(seed)
    scores = rng.random(n) if levels is None else rng.integers(levels, size=n) / levels
    positive = rng.random(n) < 0.3
    positive[:2] = True, False
    return scores, positive


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, 2, 5, 20]))
@settings(max_examples=30, deadline=None)
def test_areas_agree_with_scikit_learn_under_ties_and_weights(seed, levels):
    scores, positive = question(seed, levels)
    weights = np.random.default_rng(seed + 1).integers(1, 4, size=(3, len(scores))).astype(float)
    roc, precision_recall = areas(rank_scores(scores, positive), weights)
    for row, found_roc, found_pr in zip(weights, roc, precision_recall, strict=True):
        expected = sk.roc_auc_score(positive, scores, sample_weight=row)
        assert found_roc == pytest.approx(expected, abs=1e-10)
        expected = sk.average_precision_score(positive, scores, sample_weight=row)
        assert found_pr == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("levels", [None, 4])
def test_curve_points_agree_with_scikit_learn(levels):
    scores, positive = question(7, levels)
    ranked = rank_scores(scores, positive)
    fpr, tpr, thresholds = sk.roc_curve(positive, scores, drop_intermediate=False)
    curve = roc_curve(ranked)
    np.testing.assert_allclose(curve.x, fpr)
    np.testing.assert_allclose(curve.y, tpr)
    np.testing.assert_allclose(curve.threshold, thresholds)
    precision, recall, thresholds = sk.precision_recall_curve(positive, scores)
    curve = precision_recall_curve(ranked)
    np.testing.assert_allclose(curve.x[::-1], recall)
    np.testing.assert_allclose(curve.y[::-1], precision)
    np.testing.assert_allclose(curve.threshold[:0:-1], thresholds)


def test_areas_without_positives_or_negatives_are_undefined():
    ranked = rank_scores(np.array([0.2, 0.8]), np.array([True, False]))
    roc, precision_recall = areas(ranked, np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(roc, [np.nan, np.nan, 0.0])
    np.testing.assert_array_equal(precision_recall, [1.0, np.nan, 0.5])


def test_one_score_for_all_is_chance():
    ranked = rank_scores(np.full(10, 0.3), np.arange(10) < 4)
    roc, precision_recall = areas(ranked, np.ones((1, 10)))
    assert (roc[0], precision_recall[0]) == (0.5, 0.4)


def test_roc_between_points_follows_the_steps():
    # Scores 4 > 3 > 2 > 1 of +, -, +, -: the curve steps (0, .5), (.5, .5), (.5, 1), (1, 1).
    ranked = rank_scores(np.array([4.0, 3, 2, 1]), np.array([True, False, True, False]))
    found = roc_at(roc_curve(ranked), np.array([0.0, 0.25, 0.5, 0.75, 1.0]))
    np.testing.assert_allclose(found, [0.5, 0.5, 1, 1, 1])


def test_step_curve_of_precision_has_average_precision_below_it():
    scores, positive = question(3)
    curve = precision_recall_curve(rank_scores(scores, positive))
    middle = (np.arange(200000) + 0.5) / 200000
    area = precision_at(curve, middle).mean()
    assert area == pytest.approx(sk.average_precision_score(positive, scores), abs=1e-4)


def test_thinning_keeps_ends_and_points_of_the_curve():
    scores, positive = question(5, n=5000)
    curve = roc_curve(rank_scores(scores, positive))
    drawn = thin(curve, 50)
    assert 40 <= len(drawn.x) <= 52
    assert (drawn.x[0], drawn.y[0], drawn.x[-1], drawn.y[-1]) == (0, 0, 1, 1)
    assert set(zip(drawn.x, drawn.y, strict=True)) <= set(zip(curve.x, curve.y, strict=True))
    assert np.abs(np.diff(drawn.x) + np.diff(drawn.y)).max() < 2.2 / 49
    assert thin(drawn, 100) is drawn
