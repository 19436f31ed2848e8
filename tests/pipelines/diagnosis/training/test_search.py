"""The search of one outer fold: which trials count, and going on after an interruption."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from xgboost.core import XGBoostError

from pipelines.diagnosis.cohort import training_cohort
from pipelines.diagnosis.training import search as search_module
from pipelines.diagnosis.training.fold_data import PreparedFold
from pipelines.diagnosis.training.folds import grouped_folds
from pipelines.diagnosis.training.search import _is_hopeless, _member_mask, members_of, search
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_cohort, tiny_protocol


def prepared(protocol):
    native, labels = small_cohort()
    cohort = training_cohort(native, labels, 5)
    splits = grouped_folds(cohort.y, cohort.patients, cohort.classes, protocol.inner_folds, 0)
    return [PreparedFold(cohort, s, HarmonizationOptions(), protocol) for s in splits]


def trial_scores(scores, states=None):
    return pd.DataFrame(
        {
            "trial": range(len(scores)),
            "score": scores,
            "state": states or ["complete"] * len(scores),
        }
    )


@pytest.mark.parametrize(("count", "members"), [(60, 6), (90, 9), (11, 2), (10, 1), (4, 1), (1, 1)])
def test_members_are_what_lies_above_the_90th_percentile(count, members):
    scores = np.random.default_rng(count).permutation(np.arange(count)) / count
    mask = _member_mask(trial_scores(scores), 90)

    assert mask.sum() == members
    np.testing.assert_array_equal(mask, scores >= np.percentile(scores, 90))


def test_earlier_of_equal_trials_becomes_member():
    mask = _member_mask(trial_scores([0.5, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]), 80)
    assert np.flatnonzero(mask).tolist() == [1, 2]


def test_abandoned_trials_count_but_do_not_join():
    states = ["abandoned"] * 5 + ["complete"] * 5
    mask = _member_mask(trial_scores([0.9, *np.linspace(0, 0.4, 9)], states), 75)
    assert np.flatnonzero(mask).tolist() == [7, 8, 9]


def test_failed_trials_neither_count_nor_join():
    mask = _member_mask(
        trial_scores([0.1, np.nan, 0.3, 0.2], ["complete", "failed", "complete", "complete"]), 90
    )
    assert np.flatnonzero(mask).tolist() == [2]


def test_trial_table_and_progress():
    protocol = tiny_protocol()
    ticks = []
    trials = search(prepared(protocol), 3, protocol, fold=2, progress=lambda: ticks.append(1))

    assert trials["trial"].tolist() == [0, 1, 2, 3, 4]
    assert set(trials["fold"]) == {2}
    assert set(trials["state"]) == {"complete"}
    assert trials["score"].between(0.3, 1).all()
    assert trials["rounds"].between(2, 5).all()
    assert trials["member"].sum() == 2
    assert trials.loc[trials["member"], "score"].min() >= trials["score"].median()
    assert len(ticks) == 5
    members = members_of(trials)
    assert [m.trial for m in members] == np.flatnonzero(trials["member"]).tolist()
    assert set(members[0].values) == set(protocol.space)


def test_score_is_the_mean_balanced_accuracy_of_the_inner_folds():
    from sklearn.metrics import balanced_accuracy_score

    from pipelines.diagnosis.ensemble.boosting import fit_booster, margins

    protocol = tiny_protocol(trials=1, random_trials=1)
    folds = prepared(protocol)
    trials = search(folds, 3, protocol)
    values = members_of(trials)[0].values
    scores = []
    for fold in folds:
        fit = fit_booster(fold.training.matrix(values), values, classes=3, max_bin=32, seed=0)
        predicted = margins(fit.booster, fold.validation(values["knn_k"])).argmax(axis=1)
        scores.append(balanced_accuracy_score(fold.y_validation, predicted))

    assert trials["score"][0] == pytest.approx(np.mean(scores), abs=1e-12)


def test_folds_and_seeds_draw_different_trials():
    protocol = tiny_protocol(trials=2)
    folds = prepared(protocol)
    first, other_fold = (search(folds, 3, protocol, fold=f)["eta"] for f in (0, 1))
    other_seed = search(folds, 3, tiny_protocol(trials=2, seed=1))["eta"]

    assert not set(first) & set(other_fold)
    assert not set(first) & set(other_seed)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, MemoryError])
def test_interrupted_search_ends_like_an_uninterrupted_one(tmp_path, monkeypatch, interruption):
    protocol = tiny_protocol()
    folds = prepared(protocol)
    expected = search(folds, 3, protocol)
    journal = tmp_path / "fold.journal"
    fits = 0
    original = search_module.fit_booster

    def fail_in_the_third_trial(*args, **kwargs):
        nonlocal fits
        fits += 1
        if fits == 6:
            raise interruption
        return original(*args, **kwargs)

    monkeypatch.setattr(search_module, "fit_booster", fail_in_the_third_trial)
    with pytest.raises(interruption):
        search(folds, 3, protocol, journal=journal)
    monkeypatch.undo()
    with journal.open("ab") as stream:
        stream.write(b'{"op_code": 6, "work')  # killed while writing
    ticks = []
    resumed = search(folds, 3, protocol, journal=journal, progress=lambda: ticks.append(1))

    pd.testing.assert_frame_equal(resumed, expected)
    assert len(ticks) == 5
    monkeypatch.setattr(search_module, "fit_booster", None)
    pd.testing.assert_frame_equal(search(folds, 3, protocol, journal=journal), expected)


def test_failed_trial_is_recorded_and_the_search_goes_on(monkeypatch, caplog):
    protocol = tiny_protocol()
    fits = 0
    original = search_module.fit_booster

    def fail_once(*args, **kwargs):
        nonlocal fits
        fits += 1
        if fits == 2:
            raise XGBoostError("out of bins")
        return original(*args, **kwargs)

    monkeypatch.setattr(search_module, "fit_booster", fail_once)
    trials = search(prepared(protocol), 3, protocol)

    assert trials["state"].tolist() == ["failed", *["complete"] * 4]
    assert np.isnan(trials["score"][0])
    assert not trials["member"][0]
    assert "trial 0 failed: out of bins" in caplog.text


def test_all_trials_failed(monkeypatch):
    def fail(*args, **kwargs):
        raise XGBoostError("no memory for bins")

    monkeypatch.setattr(search_module, "fit_booster", fail)
    protocol = tiny_protocol(trials=2)
    with pytest.raises(DataError) as error:
        search(prepared(protocol), 3, protocol, fold=1)
    assert error.value.message == "All 2 trials of outer fold 2 failed: no memory for bins."


def test_giving_up_hopeless_trials_changes_nothing_but_the_work(monkeypatch):
    monkeypatch.setattr(search_module, "_TRIALS_TO_LEARN_FROM", 3)
    exhaustive = tiny_protocol(
        trials=16, random_trials=8, inner_folds=3, percentile=90, abandon=0,
        space={"max_depth": {"low": 1}, "eta": {"low": 0.001, "high": 0.5}},
    )  # fmt: skip
    folds = prepared(exhaustive)
    fits = 0
    original = search_module.fit_booster

    def counted(*args, **kwargs):
        nonlocal fits
        fits += 1
        return original(*args, **kwargs)

    monkeypatch.setattr(search_module, "fit_booster", counted)
    expected = search(folds, 3, exhaustive)
    assert fits == 48
    fits = 0
    raced = search(folds, 3, replace(exhaustive, abandon=3.0))
    abandoned = raced["state"] == "abandoned"

    assert abandoned.any()
    assert fits < 48
    assert raced["score"].notna().all()
    same = [*exhaustive.space, "trial", "member"]
    pd.testing.assert_frame_equal(raced[same], expected[same])
    pd.testing.assert_frame_equal(raced[~abandoned], expected[~abandoned])


def test_early_stopping_hands_its_rounds_to_the_members():
    protocol = tiny_protocol(early_stopping=2, space={"rounds": {"low": 60, "high": 60}})
    trials = search(prepared(protocol), 3, protocol)

    assert (trials["rounds"] < 60).all()
    assert members_of(trials)[0].values["rounds"] == trials.loc[trials["member"], "rounds"].iloc[0]


FOLDS = np.array([0.08, 0.04, 0.0, -0.04, -0.08])


def trials(count=12, scatter=0.01, seed=0):
    """Return scores of trials that differ in level (0.5 to 0.61), folds and chance."""
    random = np.random.default_rng(seed)
    levels = 0.5 + 0.01 * np.arange(count)[:, np.newaxis]
    return levels + FOLDS + random.normal(0, scatter, (count, 5))


def test_bad_start_on_an_easy_fold_is_hopeless():
    assert _is_hopeless([0.5 + FOLDS[0]], trials(), places=2, caution=3)


def test_the_same_score_on_a_hard_fold_is_not():
    complete = trials()[:, ::-1]
    assert not _is_hopeless([0.5 + FOLDS[0]], complete, places=2, caution=3)


def test_uncertainty_shrinks_with_the_folds():
    level = 0.585  # members start near 0.60
    scores = [level + f for f in FOLDS]
    answers = [_is_hopeless(scores[:s], trials(), places=2, caution=3) for s in range(1, 5)]

    assert answers == sorted(answers)
    assert (answers[0], answers[-1]) == (False, True)


def test_caution_keeps_more():
    scores = [0.57 + FOLDS[0]]
    assert _is_hopeless(scores, trials(), places=2, caution=0.5)
    assert not _is_hopeless(scores, trials(), places=2, caution=10)


@pytest.mark.parametrize(("count", "places"), [(5, 2), (12, 13), (0, 1)])
def test_too_few_trials_to_judge(count, places):
    assert not _is_hopeless([0.0], trials(count), places, 1)


def test_complete_trial_is_never_hopeless():
    assert not _is_hopeless([0.0] * 5, trials(), 2, 1)


def test_rarely_loses_a_trial_that_would_have_been_best():
    random = np.random.default_rng(1)
    lost = judged = 0
    for seed in range(400):
        scores = trials(20, 0.015, seed)[random.permutation(20)]
        complete, new = scores[:-1], scores[-1]
        if (complete.mean(axis=1) > new.mean()).sum() < 2:
            judged += 1
            lost += any(_is_hopeless(new[:s], complete, 2, 3) for s in range(1, 5))

    assert judged > 25
    assert lost == 0
