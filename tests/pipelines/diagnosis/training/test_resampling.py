"""Oversampling against imbalanced-learn, and class weights."""

import logging

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE, SMOTENC

from pipelines.diagnosis.training.resampling import Oversampler, class_weights, mask_blocks
from tests.pipelines.diagnosis.small_cohorts import small_cohort


def training_rows(counts=(40, 12, 25), seed=0, columns=6):
    """Return rows whose last column is a category of two values, and their classes."""
    random = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    x = random.normal(size=(len(y), columns)) + y[:, np.newaxis]
    x[:, -1] = np.where(random.random(len(y)) < 0.5, -0.9, 1.1)
    order = random.permutation(len(y))
    return x[order].astype(np.float32), y[order]


@pytest.mark.parametrize("neighbours", [1, 2, 5, 10])
@pytest.mark.parametrize("factor", [1.0, 1.37, 2.0])
def test_equals_imbalanced_learn_row_by_row(factor, neighbours):
    x, y = training_rows()
    size = round(factor * 40)
    theirs = SMOTENC(
        categorical_features=[5],
        k_neighbors=neighbours,
        sampling_strategy=dict.fromkeys(range(3), size),
        random_state=7,
    ).fit_resample(x, y)

    ours = Oversampler(x, y, (5,), 10).sample(factor, neighbours, 7)

    np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-6)


def test_equals_plain_smote_without_categories():
    x, y = training_rows()
    theirs = SMOTE(k_neighbors=3, sampling_strategy=dict.fromkeys(range(3), 60), random_state=1)

    ours, labels = Oversampler(x, y, (), 5).sample(1.5, 3, 1)

    expected, expected_labels = theirs.fit_resample(x, y)
    np.testing.assert_array_equal(labels, expected_labels)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_every_class_grows_to_the_factor_and_originals_come_first():
    x, y = training_rows()
    rows, labels = Oversampler(x, y, (5,), 5).sample(1.5, 5, 0)

    assert np.bincount(labels).tolist() == [60, 60, 60]
    np.testing.assert_array_equal(rows[: len(x)], x)
    assert set(rows[:, 5]) == set(x[:, 5])


def test_seed_decides():
    x, y = training_rows()
    oversampler = Oversampler(x, y, (5,), 5)

    first, again, other = (oversampler.sample(2, 5, seed)[0] for seed in (3, 3, 4))

    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_small_class_uses_fewer_neighbours_and_says_so(caplog):
    x, y = training_rows((10, 3))
    with caplog.at_level(logging.INFO):
        oversampler = Oversampler(x, y, (5,), 5)
    rows, labels = oversampler.sample(1, 5, 0)

    assert caplog.messages == [
        "class 1 has 3 training samples: oversampled from at most 2 neighbours"
    ]
    own = x[y == 1][:, :5]
    new = rows[len(x) :][labels[len(x) :] == 1][:, :5]
    assert len(new) == 7
    assert (new >= own.min(axis=0) - 1e-6).all()
    assert (new <= own.max(axis=0) + 1e-6).all()


def test_class_with_one_sample_is_copied():
    x, y = training_rows((6, 1))
    rows, labels = Oversampler(x, y, (5,), 5).sample(1, 5, 0)

    np.testing.assert_array_equal(rows[labels == 1], np.repeat(x[y == 1], 6, axis=0))


def test_class_weights_give_every_class_the_same_total():
    weights = class_weights(np.array([0, 0, 0, 1, 3, 3]))

    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2, 1, 1], rtol=1e-6)
    assert weights.mean() == pytest.approx(1)


def observed(native):
    return (~np.isnan(native.values)).any(axis=2)


def test_hides_what_some_other_sample_lacks():
    native, _ = small_cohort(missing=0.3)
    masked = mask_blocks(native, 1.0, 0)
    before, after = observed(native), observed(masked)

    assert (after <= before).all()
    changed = np.flatnonzero((before != after).any(axis=1))
    assert len(changed) > len(before) / 2
    for row in changed:
        assert any(np.array_equal(after[row], before[row] & other) for other in before)
        assert after[row].sum() >= 2
    np.testing.assert_array_equal(masked.values[after], native.values[after])
    assert masked.samples is native.samples


def test_share_of_samples():
    native, _ = small_cohort((200, 200), missing=0.25)
    changed = (observed(native) != observed(mask_blocks(native, 0.3, 1))).any(axis=1)

    assert 0.2 < changed.mean() < 0.35
    np.testing.assert_array_equal(mask_blocks(native, 0.0, 1).values, native.values)


def test_sample_that_would_lose_nearly_everything_stays():
    native, _ = small_cohort((4, 4), missing=0)
    values = native.values.copy()
    values[:4, 1:] = np.nan
    sparse = type(native)(native.samples, native.muscles, values)

    np.testing.assert_array_equal(observed(mask_blocks(sparse, 1.0, 0)), observed(sparse))


def test_seed_decides_which_blocks_are_masked():
    native, _ = small_cohort(missing=0.4)
    first, again, other = (mask_blocks(native, 0.5, s).values for s in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other, equal_nan=True)
