"""Which samples are trained on."""

import logging

import pytest

from pipelines.diagnosis.cohort import training_cohort
from pipelines.errors import DataError
from tests.pipelines.diagnosis.small_cohorts import small_cohort


def test_samples_that_cannot_be_used_are_left_out_and_said(caplog):
    native, labels = small_cohort((9, 9, 3))
    labels[0], labels[10] = None, float("nan")

    with caplog.at_level(logging.WARNING):
        cohort = training_cohort(native, labels, 5)

    assert cohort.classes == ("A", "B")
    assert (cohort.excluded, cohort.undiagnosed) == ({"C": 3}, 2)
    assert cohort.y.tolist() == [0] * 8 + [1] * 8
    rows = [*range(1, 10), *range(11, 18)]
    assert cohort.native.samples.index.equals(native.samples.index[rows])
    assert caplog.messages == [
        "2 samples have no diagnosis: not used for training",
        "diagnoses with fewer than 5 samples are left out: C (3)",
    ]


def test_two_diagnoses_are_needed():
    with pytest.raises(DataError) as error:
        training_cohort(*small_cohort((9, 4)), 5)
    assert error.value.message == (
        "Training needs two diagnoses with at least 5 samples each; the cohort has A (9), B (4)."
    )
    assert "--minimum-samples" in error.value.hint


def test_no_diagnosis_at_all():
    native, _ = small_cohort((5, 5))
    with pytest.raises(DataError, match="the cohort has no diagnosis at all"):
        training_cohort(native, [None] * 10, 5)


def test_labels_must_fit_the_samples():
    native, labels = small_cohort()
    with pytest.raises(DataError, match="35 diagnoses were given for 36 samples"):
        training_cohort(native, labels[1:], 5)
