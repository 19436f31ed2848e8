"""Data that the trials of a search share."""

import numpy as np
import pytest

from pipelines.diagnosis.training.fold_data import PreparedFold
from pipelines.diagnosis.training.folds import Split
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_training_cohort, tiny_protocol

ROWS = np.arange(28)


def prepared(**changes):
    """Return a fold with 6, 8 and 6 training rows of the classes, and 2, 2 and 4 test rows."""
    cohort = small_training_cohort((8, 10, 10))
    test = np.array([0, 1, 8, 9, 18, 19, 20, 21])
    split = Split(np.setdiff1d(ROWS, test), test)
    return PreparedFold(cohort, split, HarmonizationOptions(), tiny_protocol(**changes))


def test_trials_of_the_same_neighbours_share_one_binned_matrix():
    training = prepared().training
    matrix = training.matrix({"knn_k": 3, "eta": 0.1})

    assert training.matrix({"knn_k": 3, "eta": 0.2}) is matrix
    assert training.matrix({"knn_k": 4, "eta": 0.1}) is not matrix


def test_weights_balance_the_classes():
    matrix = prepared().training.matrix({"knn_k": 3})
    totals = np.bincount(matrix.get_label().astype(int), matrix.get_weight())
    np.testing.assert_allclose(totals, 20 / 3, rtol=1e-6)


def test_oversampling_balances_the_classes_anew_for_every_trial():
    training = prepared(balance="smote-nc").training
    values = {"knn_k": 3, "smote_k": 2, "augmentation_factor": 1.5}
    matrix = training.matrix(values)

    assert np.bincount(matrix.get_label().astype(int)).tolist() == [12, 12, 12]
    assert training.matrix(values) is not matrix


def test_validation_rows_are_ready_for_every_number_of_neighbours():
    fold = prepared()

    assert fold.y_validation.tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
    for k in (3, 4):
        assert np.isfinite(fold.validation(k)).all()
        assert fold.validation_matrix(k) is fold.validation_matrix(k)
        assert fold.validation_matrix(k).num_row() == 8
    with pytest.raises(KeyError):
        fold.validation(5)
