"""When a trial of the search is given up."""

import numpy as np
import pytest

from pipelines.diagnosis.racing import is_hopeless

FOLDS = np.array([0.08, 0.04, 0.0, -0.04, -0.08])


def trials(count=12, scatter=0.01, seed=0):
    """Return scores of trials that differ in level (0.5 to 0.61), folds and chance."""
    random = np.random.default_rng(seed)
    levels = 0.5 + 0.01 * np.arange(count)[:, np.newaxis]
    return levels + FOLDS + random.normal(0, scatter, (count, 5))


def test_bad_start_on_an_easy_fold_is_hopeless():
    assert is_hopeless([0.5 + FOLDS[0]], trials(), places=2, caution=3)


def test_the_same_score_on_a_hard_fold_is_not():
    complete = trials()[:, ::-1]
    assert not is_hopeless([0.5 + FOLDS[0]], complete, places=2, caution=3)


def test_uncertainty_shrinks_with_the_folds():
    level = 0.585  # members start near 0.60
    scores = [level + f for f in FOLDS]
    answers = [is_hopeless(scores[:s], trials(), places=2, caution=3) for s in range(1, 5)]

    assert answers == sorted(answers)
    assert (answers[0], answers[-1]) == (False, True)


def test_caution_keeps_more():
    scores = [0.57 + FOLDS[0]]
    assert is_hopeless(scores, trials(), places=2, caution=0.5)
    assert not is_hopeless(scores, trials(), places=2, caution=10)


@pytest.mark.parametrize(("count", "places"), [(5, 2), (12, 13), (0, 1)])
def test_too_few_trials_to_judge(count, places):
    assert not is_hopeless([0.0], trials(count), places, 1)


def test_complete_trial_is_never_hopeless():
    assert not is_hopeless([0.0] * 5, trials(), 2, 1)


def test_rarely_loses_a_trial_that_would_have_been_best():
    random = np.random.default_rng(1)
    lost = judged = 0
    for seed in range(400):
        scores = trials(20, 0.015, seed)[random.permutation(20)]
        complete, new = scores[:-1], scores[-1]
        if (complete.mean(axis=1) > new.mean()).sum() < 2:
            judged += 1
            lost += any(is_hopeless(new[:s], complete, 2, 3) for s in range(1, 5))

    assert judged > 25
    assert lost == 0
