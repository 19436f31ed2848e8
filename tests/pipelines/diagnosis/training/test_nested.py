"""Nested cross-validation from end to end on a small cohort."""

import logging
import pickle

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.cohort import training_cohort
from pipelines.diagnosis.ensemble.average import softmax
from pipelines.diagnosis.explanation.values import explain_native
from pipelines.diagnosis.training import nested
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.diagnosis.training.nested import run_nested
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from pipelines.harmonization.scores.native import NativeScores
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


@pytest.mark.parametrize("options", [OPTIONS, HarmonizationOptions(method="ranks", draws=2)])
def test_explanations_are_those_of_the_ensembles_of_the_folds(cohort, options):
    """Trained once more, each fold's ensemble gives the same margins and explanations."""
    native, labels = cohort
    protocol = tiny_protocol(trials=3)
    found = run_nested(native, labels, options, protocol, explain=True)
    used = training_cohort(native, labels, protocol.minimum_samples)

    assert len(found.explanations) == 3
    for fold, part in enumerate(found.explanations):
        rows = np.flatnonzero(found.fold == fold)
        ensemble = train_ensemble(
            used, np.flatnonzero(found.fold != fold),
            [m for m in found.members if m.fold == fold], options, protocol,
        )  # fmt: skip
        expected = explain_native(ensemble, native.subset(rows))
        np.testing.assert_array_equal(part.rows, rows)
        assert part.features == ensemble.feature_names
        np.testing.assert_array_equal(part.values, expected.values)
        np.testing.assert_array_equal(part.base, expected.base)
        np.testing.assert_array_equal(
            ensemble.predict(native.subset(rows)), found.member_margins[fold]
        )
        total = part.values.sum(axis=2) + part.base
        np.testing.assert_allclose(total, found.margins[rows], atol=1e-4)


def test_a_resumed_run_trains_and_explains_nothing_twice(cohort, tmp_path, monkeypatch):
    protocol = tiny_protocol(trials=3)

    def run(**options):
        return run_nested(*cohort, OPTIONS, protocol, checkpoint=tmp_path, **options)

    assert run().explanations == ()
    # The trials are there; the members are trained again, for their explanations.
    first = run(explain=True)
    assert_same(first, run_nested(*cohort, OPTIONS, protocol))

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
    first = run_nested(*cohort, OPTIONS, protocol, checkpoint=tmp_path)
    path = next(tmp_path.glob("*/fold-01.npz"))
    path.write_bytes(b"nothing of ours")
    with pytest.raises(DataError, match=r"fold-01\.npz is no result of fold 1 of this training"):
        run_nested(*cohort, OPTIONS, protocol, checkpoint=tmp_path)
    path.unlink()
    assert_same(run_nested(*cohort, OPTIONS, protocol, checkpoint=tmp_path), first)


@pytest.mark.parametrize("content", [b"garbage\n", b"[]\n", b'{"op": 1}\n', b"\xff\xfe\n"])
def test_a_damaged_journal_is_refused_and_its_removal_repairs(cohort, tmp_path, content):
    protocol = tiny_protocol(trials=3)

    def run():
        return run_nested(*cohort, OPTIONS, protocol, checkpoint=tmp_path)

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
    original = nested.search

    def counted(*args, **kwargs):
        searches.append(kwargs["fold"])
        return original(*args, **kwargs)

    monkeypatch.setattr(nested, "search", counted)
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
