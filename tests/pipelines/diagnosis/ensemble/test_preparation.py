"""The preparation of features, and what it may know."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import KNNImputer

from pipelines.diagnosis.ensemble.preparation import Preparation, _impute
from pipelines.errors import DataError


def features(rows, seed=0):
    random = np.random.default_rng(seed)
    values = random.normal(30, 12, (rows, 4))
    values[:, 3] = random.integers(0, 2, rows)
    values[random.random(values.shape) < 0.2] = np.nan
    return values


def test_scales_each_feature_by_the_values_present():
    rows = np.array([[1.0, 10.0], [3.0, np.nan], [np.nan, 30.0]])
    preparation = Preparation.fit(rows)

    np.testing.assert_array_equal(preparation.mean, [2, 20])
    np.testing.assert_array_equal(preparation.sd, [1, 10])
    np.testing.assert_array_equal(preparation.transform(np.array([[4.0, 20.0]]), [1])[1], [[2, 0]])


def test_statistics_come_from_the_training_rows_only():
    train, test = features(40), features(10, seed=1)
    changed = test * 100 + 5

    first, second = Preparation.fit(train, [3]), Preparation.fit(train, [3])
    first.transform(test, [3])
    second.transform(changed, [3])

    np.testing.assert_array_equal(first.mean, np.nanmean(train, axis=0))
    np.testing.assert_allclose(first.sd, np.nanstd(train, axis=0), rtol=1e-12)
    for name in ("mean", "sd", "reference"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    # A test row is prepared alone exactly as among others: it is no donor for its neighbours.
    np.testing.assert_allclose(
        first.transform(test[:1], [3])[3], first.transform(test, [3])[3][:1], atol=1e-6
    )


def test_nothing_stays_missing_and_sex_has_two_values():
    preparation = Preparation.fit(features(40), [3])
    prepared = preparation.transform(features(30, seed=2), [3, 6])
    codes = ((np.array([0, 1]) - preparation.mean[3]) / preparation.sd[3]).astype(np.float32)

    assert set(prepared) == {3, 6}
    for rows in (*prepared.values(), preparation.training_rows([3])[3]):
        assert rows.dtype == np.float32
        assert not np.isnan(rows).any()
        assert set(rows[:, 3]) == set(codes)


def test_sex_is_rounded_to_the_nearer_code():
    train = np.array([[0.0, 0], [0.1, 0], [0.2, 1], [5.0, 1], [5.1, 1], [5.2, 1]])
    preparation = Preparation.fit(train, [1])
    zero, one = ((np.array([0, 1]) - preparation.mean[1]) / preparation.sd[1]).astype(np.float32)

    prepared = preparation.transform(np.array([[0.1, np.nan], [5.1, np.nan]]), [3])[3]

    assert prepared[:, 1].tolist() == [zero, one]


def test_constant_and_empty_features_become_zero():
    rows = np.array([[0.1, np.nan], [0.1, np.nan], [0.1, np.nan]])
    preparation = Preparation.fit(rows)
    prepared = preparation.transform(np.array([[0.1, np.nan], [0.3, 2.0]]), [2])[2]

    assert preparation.sd.tolist() == [1, 1]
    np.testing.assert_allclose(prepared, [[0, 0], [0.2, 2]], atol=1e-7)


def test_other_number_of_features_is_refused():
    with pytest.raises(DataError, match="3 features were given, the preparation knows 4"):
        Preparation.fit(features(9)).transform(np.zeros((1, 3)), [1])


def test_no_rows_are_refused():
    with pytest.raises(DataError, match="no training sample to learn the preparation from"):
        Preparation.fit(np.empty((0, 4)))


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

    filled = _impute(reference, values, [1, 3, 30])

    for k, ours in filled.items():
        theirs = KNNImputer(n_neighbors=k).fit(reference)
        np.testing.assert_allclose(ours, theirs.transform(values), atol=2e-6)


def test_own_rows_are_filled_from_the_others():
    rows = np.array([[0, 0], [1, np.nan], [1.2, 5], [9, 7]], np.float32)

    filled = _impute(rows, rows, [1, 2])

    assert filled[1][1, 1] == 5
    assert filled[2][1, 1] == 2.5
    np.testing.assert_array_equal(filled[1][[0, 2, 3]], rows[[0, 2, 3]])


def test_feature_of_nobody_and_row_without_anything_get_the_mean():
    reference = np.array([[-1, np.nan], [1, np.nan]], np.float32)
    values = np.array([[np.nan, np.nan], [1, np.nan], [np.nan, 3]], np.float32)

    filled = _impute(reference, values, [1])[1]

    np.testing.assert_array_equal(filled, [[0, 0], [1, 0], [0, 3]])


def test_many_rows_equal_few(monkeypatch):
    random = np.random.default_rng(0)
    reference, values = with_gaps(random, 30, 5, 0.3), with_gaps(random, 25, 5, 0.3)
    whole = _impute(reference, values, [4])[4]
    monkeypatch.setattr("pipelines.diagnosis.ensemble.preparation._CHUNK", 7)

    np.testing.assert_array_equal(_impute(reference, values, [4])[4], whole)


def test_input_is_not_changed():
    values = np.array([[np.nan, 1]], np.float32)
    _impute(np.ones((3, 2), np.float32), values, [1])
    assert np.isnan(values[0, 0])


@pytest.mark.parametrize("rows", [0, 3])
def test_complete_rows_stay(rows):
    values = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    np.testing.assert_array_equal(_impute(np.ones((3, 2), np.float32), values, [2])[2], values)
