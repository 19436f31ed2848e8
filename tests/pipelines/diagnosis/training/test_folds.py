"""Folds grouped by patient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.diagnosis.training.folds import grouped_folds
from pipelines.errors import DataError


def cohort(visits):
    """Return class numbers and patients: one tuple of visit counts per class."""
    y, patients = [], []
    for label, counts in enumerate(visits):
        for patient, count in enumerate(counts):
            y += [label] * count
            patients += [f"{label}-{patient}"] * count
    return np.array(y), np.array(patients, dtype=object)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 4), min_size=4, max_size=12), min_size=2, max_size=5),
    st.integers(2, 4),
    st.integers(0, 5),
)
def test_no_patient_is_on_both_sides(visits, folds, seed):
    y, patients = cohort(visits)
    classes = tuple("ABCDE"[: len(visits)])

    splits = grouped_folds(y, patients, classes, folds, seed)

    assert len(splits) == folds
    for split in splits:
        assert not set(patients[split.train]) & set(patients[split.test])
        assert set(y[split.train]) == set(range(len(classes)))
        assert sorted([*split.train, *split.test]) == list(range(len(y)))
    assert sorted(row for s in splits for row in s.test) == list(range(len(y)))


def test_classes_are_spread_evenly():
    y, patients = cohort([[1] * 40, [1] * 20])
    for split in grouped_folds(y, patients, ("A", "B"), 10, 0):
        assert np.bincount(y[split.test]).tolist() == [4, 2]


def test_class_with_few_patients_is_named_with_its_count():
    y, patients = cohort([[1] * 10, [9, 1], [1] * 10, [2] * 4])
    with pytest.raises(DataError) as error:
        grouped_folds(y, patients, ("GNE", "TTN", "VCP", "DMD"), 5, 0)
    assert error.value.message == "Fewer patients than the 5 folds: TTN (2), DMD (4)."
    assert "--minimum-samples" in error.value.hint
    assert "fewer folds" in error.value.hint


@pytest.mark.parametrize(("classes", "found"), [(("GNE",), "has only GNE"), ((), "has none")])
def test_one_class_cannot_be_trained(classes, found):
    y, patients = cohort([[1] * 5] if classes else [])
    with pytest.raises(DataError, match=f"At least two diagnoses are needed, the cohort {found}"):
        grouped_folds(y, patients, classes, 2, 0)


def test_class_in_one_fold_only_is_refused(monkeypatch):
    y, patients = cohort([[1] * 6, [1] * 2])

    class OneSided:
        def __init__(self, *args, **kwargs):
            pass

        def split(self, x, y, groups):
            yield np.arange(6), np.array([6, 7])

    monkeypatch.setattr("sklearn.model_selection.StratifiedGroupKFold", OneSided)
    with pytest.raises(DataError) as error:
        grouped_folds(y, patients, ("GNE", "TTN"), 2, 0)
    assert error.value.message == (
        "All samples of TTN fall into one of 2 folds, so nothing is left to learn from."
    )
