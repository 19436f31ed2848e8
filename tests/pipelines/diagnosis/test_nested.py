"""Nested cross-validation from end to end on a small cohort."""

import logging
import pickle

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis import outer_fold
from pipelines.diagnosis.ensemble import softmax
from pipelines.diagnosis.nested import run_nested
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from pipelines.harmonization.native import NativeScores
from tests.pipelines.diagnosis.small_cohorts import small_cohort, tiny_protocol

OPTIONS = HarmonizationOptions()


@pytest.fixture(scope="module")
def cohort():
    return small_cohort(visits=2)


@pytest.fixture(scope="module")
def result(cohort):
    return run_nested(*cohort, OPTIONS, tiny_protocol(comparators=True))


def assert_same(first, second):
    for name in ("y", "fold", "margins", "probabilities"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    pd.testing.assert_frame_equal(first.trials, second.trials)
    assert first.members == second.members
    for name, values in first.comparators.items():
        np.testing.assert_array_equal(values, second.comparators[name])


def test_every_sample_is_predicted_by_a_fold_that_never_saw_its_patient(cohort, result):
    native, labels = cohort

    assert result.classes == ("A", "B", "C")
    assert [result.classes[k] for k in result.y] == labels
    assert result.samples.index.equals(native.samples.index)
    assert sorted(set(result.fold)) == [0, 1, 2]
    for _, folds in pd.Series(result.fold).groupby(native.samples["patient"].to_numpy()):
        assert folds.nunique() == 1
    assert np.isfinite(result.margins).all()


def test_probabilities_are_those_of_the_mean_margins(result):
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(result.probabilities, softmax(result.margins), rtol=1e-5)
    for fold, margins in enumerate(result.member_margins):
        np.testing.assert_array_equal(margins.mean(axis=0), result.margins[result.fold == fold])
        assert len(margins) == sum(m.fold == fold for m in result.members)


def test_learns_the_patterns(result):
    assert (result.probabilities.argmax(axis=1) == result.y).mean() > 0.6
    for probabilities in result.comparators.values():
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        assert (probabilities.argmax(axis=1) == result.y).mean() > 0.6
    assert set(result.comparators) == {"random_forest", "nearest_neighbours"}


def test_best_members(result):
    scores = [m.score for m in result.best_members(4)]
    assert scores == sorted((m.score for m in result.members), reverse=True)[:4]


def test_result_does_not_depend_on_who_runs_the_folds(cohort, result):
    def elsewhere(function, tasks):
        for task in reversed(list(tasks)):
            copy = pickle.loads(pickle.dumps(task))
            yield pickle.loads(pickle.dumps(function(copy)))

    ticks = []
    other = run_nested(
        *cohort, OPTIONS, tiny_protocol(comparators=True), map_tasks=elsewhere,
        progress=lambda *n: ticks.append(n),
    )  # fmt: skip

    assert_same(other, result)
    assert ticks == [(5, 15), (10, 15), (15, 15)]


def test_killed_run_goes_on_where_it_was(cohort, result, tmp_path, monkeypatch):
    protocol = tiny_protocol(comparators=True)

    def stop(done, total):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_nested(*cohort, OPTIONS, protocol, checkpoint=tmp_path, progress=stop)
    searches = []
    original = outer_fold.search

    def counted(*args, **kwargs):
        searches.append(kwargs["fold"])
        return original(*args, **kwargs)

    monkeypatch.setattr(outer_fold, "search", counted)
    ticks = []
    resumed = run_nested(
        *cohort, OPTIONS, protocol, checkpoint=tmp_path, progress=lambda *n: ticks.append(n)
    )

    assert_same(resumed, result)
    assert searches == [1, 2]
    assert ticks == [(n, 15) for n in range(1, 16)]
    # All folds are done now: nothing is searched, the same comes back.
    assert_same(run_nested(*cohort, OPTIONS, protocol, checkpoint=tmp_path), result)
    assert searches == [1, 2]
    assert len(list(tmp_path.iterdir())) == 1
    # Another seed is another search and leaves the first one alone.
    run_nested(*cohort, OPTIONS, tiny_protocol(seed=1, trials=2), checkpoint=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_test_samples_have_no_influence_on_their_fold(cohort, result):
    native, labels = cohort
    test = np.flatnonzero(result.fold == 0)
    values = native.values.copy()
    values[test] = 4 - values[test][:, ::-1]
    changed = run_nested(
        NativeScores(native.samples, native.muscles, values), labels, OPTIONS, tiny_protocol()
    )

    own = result.trials["fold"] == 0
    pd.testing.assert_frame_equal(result.trials[own], changed.trials[own])
    assert not np.array_equal(result.trials["score"], changed.trials["score"])


def test_samples_that_cannot_be_used_are_left_out_and_said(caplog):
    native, labels = small_cohort((9, 9, 3))
    labels[0], labels[10] = None, float("nan")

    with caplog.at_level(logging.WARNING):
        result = run_nested(native, labels, OPTIONS, tiny_protocol(outer_folds=2))

    assert result.classes == ("A", "B")
    assert (result.excluded, result.undiagnosed) == ({"C": 3}, 2)
    assert len(result.y) == 16
    assert native.samples.index[0] not in result.samples.index
    assert caplog.messages[:2] == [
        "2 samples have no diagnosis: not used for training",
        "diagnoses with fewer than 5 samples are left out: C (3)",
    ]


def test_two_diagnoses_are_needed():
    native, labels = small_cohort((9, 4))
    with pytest.raises(DataError) as error:
        run_nested(native, labels, OPTIONS, tiny_protocol())
    assert error.value.message == (
        "Training needs two diagnoses with at least 5 samples each; the cohort has A (9), B (4)."
    )
    assert "--minimum-samples" in error.value.hint


def test_no_diagnosis_at_all():
    native, _ = small_cohort((5, 5))
    with pytest.raises(DataError, match="the cohort has no diagnosis at all"):
        run_nested(native, [None] * 10, OPTIONS, tiny_protocol())


def test_labels_must_fit_the_samples():
    native, labels = small_cohort()
    with pytest.raises(DataError, match="35 diagnoses were given for 36 samples"):
        run_nested(native, labels[1:], OPTIONS, tiny_protocol())


def test_many_visits_of_few_patients_are_no_substitute():
    native, labels = small_cohort((8, 2), visits=4)
    with pytest.raises(DataError, match=r"Fewer patients than the 3 folds: B \(2\)"):
        run_nested(native, labels, OPTIONS, tiny_protocol())


def test_oversampling_and_masking_run_with_random_draws(cohort):
    native, labels = cohort
    protocol = tiny_protocol(
        balance="smote-nc", masking=0.5, trials=2, combine="probabilities",
        space={"rounds": {"low": 3, "high": 4}},
    )  # fmt: skip
    options = HarmonizationOptions(method="ranks", draws=2)
    first, again = (run_nested(native, labels, options, protocol) for _ in range(2))

    assert_same(first, again)
    assert {"augmentation_factor", "smote_k"} <= set(first.trials)
    assert (first.probabilities.argmax(axis=1) == first.y).mean() > 0.5
