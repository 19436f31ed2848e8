"""Testing each study on the others."""

import numpy as np
import pytest

from pipelines.diagnosis.cohort import training_cohort
from pipelines.diagnosis.ensemble.average import MemberParameters
from pipelines.diagnosis.training.leave_one_study_out import leave_one_study_out
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.ensemble.test_average import VALUES
from tests.pipelines.diagnosis.small_cohorts import small_cohort, tiny_protocol

MEMBERS = [MemberParameters(0, 0, 0.5, VALUES)]
OPTIONS = HarmonizationOptions()


def leave_out(native, labels, **kwargs):
    cohort = training_cohort(native, labels, 5)
    return leave_one_study_out(cohort, OPTIONS, tiny_protocol(), MEMBERS, **kwargs)


def test_each_study_is_predicted_by_the_others():
    native, labels = small_cohort((12, 12), studies=3)
    ticks = []
    result = leave_out(native, labels, progress=lambda *n: ticks.append(n))
    cohort = training_cohort(native, labels, 5)
    studies = native.samples["study"].to_numpy()

    assert result.studies == ("study0", "study1", "study2")
    assert ticks == [(1, 3), (2, 3), (3, 3)]
    assert (result.skipped, len(result.cohort.y)) == ({}, 24)
    for k, study in enumerate(result.studies):
        train = np.flatnonzero(studies != study)
        ensemble = train_ensemble(cohort, train, MEMBERS, OPTIONS, tiny_protocol())
        expected = ensemble.predict(native.subset(studies == study)).mean(axis=0)
        np.testing.assert_array_equal(result.margins[result.fold == k], expected)
        assert (result.cohort.native.samples["study"][result.fold == k] == study).all()
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, rtol=1e-6)


def test_a_patient_of_two_studies_is_on_one_side_only():
    native, labels = small_cohort((12, 12), studies=2)
    samples = native.samples
    of = [np.flatnonzero(samples["study"] == study) for study in ("study0", "study1")]
    twice = next(
        (a, b)
        for a in of[0]
        for b in of[1]
        if labels[a] == labels[b] and (samples["patient"] == samples["patient"].iloc[a]).sum() == 1
    )
    samples["patient"] = np.where(
        np.isin(np.arange(len(samples)), twice), "same person", samples["patient"]
    )
    result = leave_out(native, labels)

    cohort = training_cohort(native, labels, 5)
    train = np.setdiff1d(of[1], twice)
    ensemble = train_ensemble(cohort, train, MEMBERS, OPTIONS, tiny_protocol())
    expected = ensemble.predict(native.subset(of[0])).mean(axis=0)
    np.testing.assert_array_equal(result.margins[result.fold == 0], expected)
    assert result.cohort.native.samples.index[result.fold == 1].tolist() == [
        samples.index[row] for row in of[1] if row != twice[1]
    ]


def test_order_of_results_does_not_matter():
    native, labels = small_cohort((12, 12), studies=3)
    backwards = leave_out(
        native, labels, map_tasks=lambda function, tasks: map(function, reversed(list(tasks)))
    )
    np.testing.assert_array_equal(leave_out(native, labels).margins, backwards.margins)


def test_study_with_its_own_diagnoses_cannot_be_tested(caplog):
    native, labels = small_cohort((12, 12, 8))
    native.samples["study"] = np.where(
        np.array(labels) == "C", "single", native.samples["study"].to_numpy()
    )
    result = leave_out(native, labels)

    assert result.studies == ("study0", "study1")
    assert result.skipped == {"single": "no other study has its diagnoses"}
    assert len(result.cohort.y) == 24
    assert "study single can't be left out: no other study has its diagnoses" in caplog.text


def test_untested_samples_are_counted():
    native, labels = small_cohort((12, 12, 12))
    native.samples["study"] = np.where(
        np.array(labels) == "C", "study0", native.samples["study"].to_numpy()
    )
    result = leave_out(native, labels)

    assert len(result.cohort.y) == 24
    assert result.cohort.classes == ("A", "B", "C")
    assert set(result.cohort.y) == {0, 1}


def test_one_study_only():
    native, labels = small_cohort(studies=1)
    with pytest.raises(DataError) as error:
        leave_out(native, labels)
    assert error.value.message == ("All samples come from the study study0: none can be left out.")
    assert "--study" in error.value.hint


def test_studies_that_share_nothing():
    native, labels = small_cohort((12, 12))
    native.samples["study"] = [f"of {label}" for label in labels]
    with pytest.raises(DataError) as error:
        leave_out(native, labels)
    assert error.value.message == (
        "No study could be tested without its own samples "
        "(of A: no other study has its diagnoses; of B: no other study has its diagnoses)."
    )


def test_other_studies_with_one_diagnosis():
    native, labels = small_cohort((12, 12))
    native.samples["study"] = ["only A"] * 4 + ["both"] * 20
    result = leave_out(native, labels)

    assert result.skipped == {"both": "the other studies have one diagnosis only"}
    assert result.studies == ("only A",)
