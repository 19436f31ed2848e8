"""Nearest-neighbour imputation against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import KNNImputer

from pipelines.diagnosis.imputation import impute


def with_gaps(random, rows, columns, share):
    values = random.normal(size=(rows, columns)).astype(np.float32)
    values[random.random(values.shape) < share] = np.nan
    return values


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 40), st.integers(1, 20), st.integers(1, 8), st.floats(0, 0.7),
    st.integers(0, 1000),
)  # fmt: skip
def test_equals_scikit_learn_for_every_number_of_neighbours(donors, rows, columns, share, seed):
    random = np.random.default_rng(seed)
    reference = with_gaps(random, donors, columns, share)
    values = with_gaps(random, rows, columns, share)
    # scikit-learn also averages donors that share no feature with the row; ours have one.
    reference[:, 0], values[:, 0] = random.normal(size=donors), random.normal(size=rows)
    reference[0] = random.normal(size=columns)

    filled = impute(reference, values, [1, 3, 30])

    for k, ours in filled.items():
        theirs = KNNImputer(n_neighbors=k).fit(reference)
        np.testing.assert_allclose(ours, theirs.transform(values), atol=2e-6)


def test_own_rows_are_filled_from_the_others():
    rows = np.array([[0, 0], [1, np.nan], [1.2, 5], [9, 7]], np.float32)

    filled = impute(rows, rows, [1, 2])

    assert filled[1][1, 1] == 5
    assert filled[2][1, 1] == 2.5
    np.testing.assert_array_equal(filled[1][[0, 2, 3]], rows[[0, 2, 3]])


def test_feature_of_nobody_and_row_without_anything_get_the_mean():
    reference = np.array([[-1, np.nan], [1, np.nan]], np.float32)
    values = np.array([[np.nan, np.nan], [1, np.nan], [np.nan, 3]], np.float32)

    filled = impute(reference, values, [1])[1]

    np.testing.assert_array_equal(filled, [[0, 0], [1, 0], [0, 3]])


def test_many_rows_equal_few(monkeypatch):
    random = np.random.default_rng(0)
    reference, values = with_gaps(random, 30, 5, 0.3), with_gaps(random, 25, 5, 0.3)
    whole = impute(reference, values, [4])[4]
    monkeypatch.setattr("pipelines.diagnosis.imputation._CHUNK", 7)

    np.testing.assert_array_equal(impute(reference, values, [4])[4], whole)


def test_input_is_not_changed():
    values = np.array([[np.nan, 1]], np.float32)
    impute(np.ones((3, 2), np.float32), values, [1])
    assert np.isnan(values[0, 0])


@pytest.mark.parametrize("rows", [0, 3])
def test_complete_rows_stay(rows):
    values = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    np.testing.assert_array_equal(impute(np.ones((3, 2), np.float32), values, [2])[2], values)
