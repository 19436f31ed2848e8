"""Nested cross-validation from end to end on a small cohort."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.ensemble.average import MemberParameters, softmax
from pipelines.diagnosis.explanation.values import explain_native
from pipelines.diagnosis.training import nested
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.diagnosis.training.nested import run_nested
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_training_cohort, tiny_protocol

OPTIONS = HarmonizationOptions()


@pytest.fixture(scope="module")
def cohort():
    return small_training_cohort(visits=2)


@pytest.fixture(scope="module")
def result(cohort):
    return run_nested(cohort, OPTIONS, tiny_protocol(comparators=True))


def assert_same(first, second):
    np.testing.assert_array_equal(first.cohort.y, second.cohort.y)
    for name in ("fold", "margins", "probabilities"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    pd.testing.assert_frame_equal(first.trials, second.trials)
    assert first.members == second.members
    for name, values in first.comparators.items():
        np.testing.assert_array_equal(values, second.comparators[name])


def test_every_sample_is_predicted_by_a_fold_that_never_saw_its_patient(cohort, result):
    assert result.cohort is cohort
    assert sorted(set(result.fold)) == [0, 1, 2]
    for _, folds in pd.Series(result.fold).groupby(cohort.patients):
        assert folds.nunique() == 1
    assert np.isfinite(result.margins).all()


def test_probabilities_are_those_of_the_mean_margins(result):
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(result.probabilities, softmax(result.margins), rtol=1e-5)
    for fold, margins in enumerate(result.member_margins):
        np.testing.assert_array_equal(margins.mean(axis=0), result.margins[result.fold == fold])
        assert len(margins) == sum(m.fold == fold for m in result.members)


@pytest.mark.parametrize("options", [OPTIONS, HarmonizationOptions(method="ranks", draws=2)])
def test_explanations_are_those_of_the_ensembles_of_the_folds(cohort, options):
    """Trained once more, each fold's ensemble gives the same margins and explanations."""
    protocol = tiny_protocol(trials=3)
    found = run_nested(cohort, options, protocol, explain=True)

    assert len(found.explanations) == 3
    for fold, part in enumerate(found.explanations):
        rows = np.flatnonzero(found.fold == fold)
        ensemble = train_ensemble(
            cohort, np.flatnonzero(found.fold != fold),
            [m for m in found.members if m.fold == fold], options, protocol,
        )  # fmt: skip
        expected = explain_native(ensemble, cohort.native.subset(rows))
        np.testing.assert_array_equal(part.rows, rows)
        assert part.features == ensemble.feature_names
        np.testing.assert_array_equal(part.values, expected.values)
        np.testing.assert_array_equal(part.base, expected.base)
        np.testing.assert_array_equal(
            ensemble.predict(cohort.native.subset(rows)), found.member_margins[fold]
        )
        total = part.values.sum(axis=2) + part.base
        np.testing.assert_allclose(total, found.margins[rows], atol=1e-4)


def test_a_resumed_run_trains_and_explains_nothing_twice(cohort, tmp_path, monkeypatch):
    protocol = tiny_protocol(trials=3)

    def run(**options):
        return run_nested(cohort, OPTIONS, protocol, checkpoint=tmp_path, **options)

    assert run().explanations == ()
    # The trials are there; the members are trained again, for their explanations.
    first = run(explain=True)
    assert_same(first, run_nested(cohort, OPTIONS, protocol))

    def never(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(nested, "search", never)
    monkeypatch.setattr(nested, "train_ensemble", never)
    again = run(explain=True)
    assert_same(again, first)
    for one, other in zip(again.explanations, first.explanations, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.base, other.base)
        assert one.features == other.features
    assert run().explanations != ()


def test_a_damaged_fold_is_refused_and_its_removal_repairs(cohort, tmp_path):
    protocol = tiny_protocol(trials=3)
    first = run_nested(cohort, OPTIONS, protocol, checkpoint=tmp_path)
    path = next(tmp_path.glob("*/fold-01.npz"))
    path.write_bytes(b"nothing of ours")
    with pytest.raises(DataError, match=r"fold-01\.npz is no result of fold 1 of this training"):
        run_nested(cohort, OPTIONS, protocol, checkpoint=tmp_path)
    path.unlink()
    assert_same(run_nested(cohort, OPTIONS, protocol, checkpoint=tmp_path), first)


@pytest.mark.parametrize("content", [b"garbage\n", b"[]\n", b'{"op": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_journal_is_refused_and_its_removal_repairs(cohort, tmp_path, content):
    protocol = tiny_protocol(trials=3)

    def run():
        return run_nested(cohort, OPTIONS, protocol, checkpoint=tmp_path)

    first = run()
    next(tmp_path.glob("*/fold-01.npz")).unlink()
    journal = next(tmp_path.glob("*/fold-01.journal"))
    written = journal.read_bytes()
    # Killed while it wrote: the unfinished line counts as not there.
    journal.write_bytes(written[:-20])
    assert_same(run(), first)
    next(tmp_path.glob("*/fold-01.npz")).unlink()
    lines = written.splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], content, *lines[3:]]))
    with pytest.raises(DataError) as error:
        run()
    assert error.value.message == f"{journal}, line 4 is no record of a search."
    assert "Remove the file and run the same command again" in error.value.hint
    journal.unlink()
    assert_same(run(), first)


def test_learns_the_patterns(result):
    assert (result.probabilities.argmax(axis=1) == result.cohort.y).mean() > 0.6
    for probabilities in result.comparators.values():
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        assert (probabilities.argmax(axis=1) == result.cohort.y).mean() > 0.6
    assert set(result.comparators) == {"random_forest", "nearest_neighbours"}


def test_best_members(result):
    found = ((1, 0, 0.8), (0, 3, 0.9), (0, 2, 0.8), (2, 1, 0.5), (0, 1, 0.8))
    members = tuple(MemberParameters(*about, {}) for about in found)
    best = replace(result, members=members).best_members(4)
    assert [(m.fold, m.trial) for m in best] == [(0, 3), (0, 1), (0, 2), (1, 0)]


def test_result_does_not_depend_on_who_runs_the_folds(cohort, result):
    def elsewhere(function, tasks):
        for task in reversed(list(tasks)):
            copy = pickle.loads(pickle.dumps(task))
            yield pickle.loads(pickle.dumps(function(copy)))

    ticks = []
    other = run_nested(
        cohort, OPTIONS, tiny_protocol(comparators=True), map_tasks=elsewhere,
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
        run_nested(cohort, OPTIONS, protocol, checkpoint=tmp_path, progress=stop)
    searches = []
    original = nested.search

    def counted(*args, **kwargs):
        searches.append(kwargs["fold"])
        return original(*args, **kwargs)

    monkeypatch.setattr(nested, "search", counted)
    ticks = []
    resumed = run_nested(
        cohort, OPTIONS, protocol, checkpoint=tmp_path, progress=lambda *n: ticks.append(n)
    )

    assert_same(resumed, result)
    assert searches == [1, 2]
    assert ticks == [(n, 15) for n in range(1, 16)]
    # All folds are done now: nothing is searched, the same comes back.
    assert_same(run_nested(cohort, OPTIONS, protocol, checkpoint=tmp_path), result)
    assert searches == [1, 2]
    assert len(list(tmp_path.iterdir())) == 1
    # Another seed is another search and leaves the first one alone.
    run_nested(cohort, OPTIONS, tiny_protocol(seed=1, trials=2), checkpoint=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_test_samples_have_no_influence_on_their_fold(cohort, result):
    test = np.flatnonzero(result.fold == 0)
    values = cohort.native.values.copy()
    values[test] = 4 - values[test][:, ::-1]
    other = replace(cohort, native=replace(cohort.native, values=values))
    changed = run_nested(other, OPTIONS, tiny_protocol())

    own = result.trials["fold"] == 0
    pd.testing.assert_frame_equal(result.trials[own], changed.trials[own])
    assert not np.array_equal(result.trials["score"], changed.trials["score"])


def test_many_visits_of_few_patients_are_no_substitute():
    cohort = small_training_cohort((8, 2), visits=4)
    with pytest.raises(DataError, match=r"Fewer patients than the 3 folds: B \(2\)"):
        run_nested(cohort, OPTIONS, tiny_protocol())


def test_oversampling_and_masking_run_with_random_draws(cohort):
    protocol = tiny_protocol(
        balance="smote-nc", masking=0.5, trials=2, combine="probabilities",
        space={"rounds": {"low": 3, "high": 4}},
    )  # fmt: skip
    options = HarmonizationOptions(method="ranks", draws=2)
    first, again = (run_nested(cohort, options, protocol) for _ in range(2))

    assert_same(first, again)
    assert {"augmentation_factor", "smote_k"} <= set(first.trials)
    assert (first.probabilities.argmax(axis=1) == first.cohort.y).mean() > 0.5
