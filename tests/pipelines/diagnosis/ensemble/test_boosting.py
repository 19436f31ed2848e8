"""One booster."""

import numpy as np
import pytest
import xgboost

from pipelines.diagnosis.ensemble.boosting import (
    fit_booster,
    load_booster,
    margins,
    store_booster,
    training_matrix,
)

PARAMETERS = {
    "eta": 0.3, "max_depth": 3, "min_child_weight": 1.0, "subsample": 0.8,
    "colsample_bytree": 0.7, "lambda": 1.0, "gamma": 0.0, "rounds": 6, "knn_k": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 30)
    return (random.normal(size=(90, 5)) + y[:, np.newaxis]).astype(np.float32), y


def fit(rows, seed=0, **changes):
    matrix = training_matrix(*rows, None, 32)
    return fit_booster(matrix, {**PARAMETERS, **changes}, classes=3, max_bin=32, seed=seed)


def test_missing_features_never_reach_the_trees(rows):
    features = rows[0].copy()
    features[3, 2] = np.nan
    with pytest.raises(ValueError, match="features must be imputed before boosting"):
        training_matrix(features, rows[1], None, 32)


def test_margins_are_those_of_xgboost(rows):
    fitted = fit(rows)
    expected = fitted.booster.predict(xgboost.DMatrix(rows[0]), output_margin=True)

    np.testing.assert_array_equal(margins(fitted.booster, rows[0]), expected)
    assert fitted.rounds == fitted.booster.num_boosted_rounds() == 6
    assert (expected.argmax(axis=1) == rows[1]).mean() > 0.8


def test_margins_of_the_first_rounds(rows):
    long, short = fit(rows), fit(rows, rounds=2)

    np.testing.assert_array_equal(
        margins(long.booster, rows[0], 2), margins(short.booster, rows[0])
    )


def test_same_seed_same_trees(rows):
    first, again, other = (fit(rows, seed).booster for seed in (1, 1, 2))

    assert store_booster(first) == store_booster(again)
    assert store_booster(first) != store_booster(other)


def test_stored_booster_predicts_bit_for_bit(rows):
    booster = fit(rows).booster
    loaded = load_booster(store_booster(booster))

    np.testing.assert_array_equal(margins(loaded, rows[0]), margins(booster, rows[0]))


def test_early_stopping_ends_where_the_loss_is_least(rows):
    random = np.random.default_rng(1)
    noise = xgboost.DMatrix(random.normal(size=(60, 5)), random.integers(0, 3, 60))
    matrix = training_matrix(*rows, None, 32)

    stopped = fit_booster(
        matrix, {**PARAMETERS, "rounds": 80}, classes=3, max_bin=32, seed=0, validation=noise,
        patience=3,
    )  # fmt: skip

    assert stopped.booster.num_boosted_rounds() == stopped.rounds + 3
    assert stopped.rounds < 20


def test_weights_change_the_model(rows):
    weights = np.where(rows[1] == 0, 20, 1).astype(np.float32)
    plain = margins(fit(rows).booster, rows[0]).argmax(axis=1)
    matrix = training_matrix(*rows, weights, 32)
    heavy = fit_booster(matrix, PARAMETERS, classes=3, max_bin=32, seed=0).booster

    assert (margins(heavy, rows[0]).argmax(axis=1) == 0).sum() > (plain == 0).sum()
