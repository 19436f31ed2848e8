"""Our trees against those of XGBoost."""

import numpy as np
import pytest
import xgboost

from pipelines.diagnosis.ensemble.boosting import fit_booster, margins, training_matrix
from pipelines.diagnosis.training.histogram_trees import BinnedRows, validation_margins

PARAMETERS = {
    "eta": 0.3, "max_depth": 4, "min_child_weight": 1.5, "subsample": 1.0,
    "colsample_bytree": 1.0, "lambda": 1.3, "gamma": 0.0, "rounds": 12,
}  # fmt: skip
CLASSES = 4


def rows(count, seed):
    random = np.random.default_rng(seed)
    y = random.permutation(np.arange(count) % CLASSES)
    features = random.normal(size=(count, 7)) + 0.7 * y[:, np.newaxis] * (np.arange(7) < 3)
    features[:, 5] = np.round(features[:, 5])
    return features.astype(np.float32), y


@pytest.fixture(scope="module")
def data():
    return *rows(400, 0), *rows(150, 1)


def centred(values):
    """Margins are known up to a constant per row; XGBoost starts from another one."""
    return values - values.mean(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"max_depth": 1},
        {"max_depth": 6, "min_child_weight": 0.1},
        {"gamma": 0.8, "rounds": 30},
        {"min_child_weight": 12.0, "lambda": 0.1},
        {"eta": 0.05, "rounds": 40},
    ],
)
@pytest.mark.parametrize("max_bin", [8, 32])
def test_same_margins_as_xgboost_without_sampling(data, max_bin, changes):
    features, y, others, y_others = data
    parameters = {**PARAMETERS, **changes}
    train = BinnedRows(features, y, None, max_bin)

    ours, rounds = validation_margins(
        train, train.bin(others), y_others, parameters, classes=CLASSES, seed=0
    )

    matrix = training_matrix(features, y, None, max_bin)
    fit = fit_booster(matrix, parameters, classes=CLASSES, max_bin=max_bin, seed=0)
    np.testing.assert_allclose(centred(ours), centred(margins(fit.booster, others)), atol=1e-4)
    assert rounds == parameters["rounds"]
    assert ours.dtype == np.float32


def test_same_margins_as_xgboost_with_weights(data):
    features, y, others, y_others = data
    keep = (y != 0) | (np.arange(len(y)) % 5 == 0)
    features, y = features[keep], y[keep]
    weights = (len(y) / (CLASSES * np.bincount(y)[y])).astype(np.float32)
    train = BinnedRows(features, y, weights, 32)

    ours, _ = validation_margins(
        train, train.bin(others), y_others, PARAMETERS, classes=CLASSES, seed=0
    )

    matrix = training_matrix(features, y, weights, 32)
    fit = fit_booster(matrix, PARAMETERS, classes=CLASSES, max_bin=32, seed=0)
    np.testing.assert_allclose(centred(ours), centred(margins(fit.booster, others)), atol=1e-4)


def test_bins_are_those_of_xgboost(data):
    features, y, others, _ = data
    matrix = training_matrix(features, y, None, 16)
    starts, cuts = matrix.get_quantile_cut()
    train = BinnedRows(features, y, None, 16)

    for j in range(features.shape[1]):
        edges = cuts[starts[j] : starts[j + 1]]
        expected = np.searchsorted(edges, others[:, j], side="right").clip(max=len(edges) - 1)
        np.testing.assert_array_equal(train.bin(others)[:, j], expected)
    assert train.bins.max() <= 16


@pytest.mark.parametrize("columns", [6, 7])
@pytest.mark.parametrize(
    ("share", "column_share"), [(0.6, 1.0), (1.0, 0.5), (0.75, 0.3), (0.5, 0.05)]
)
@pytest.mark.parametrize("seed", [0, 1, 2024])
def test_same_rows_and_columns_as_xgboost(data, columns, share, column_share, seed):
    features, y, others, y_others = data
    features, others = features[:, :columns], others[:, :columns]
    parameters = {**PARAMETERS, "subsample": share, "colsample_bytree": column_share}
    train = BinnedRows(features, y, None, 32)

    ours, _ = validation_margins(
        train, train.bin(others), y_others, parameters, classes=CLASSES, seed=seed
    )

    matrix = training_matrix(features, y, None, 32)
    fit = fit_booster(matrix, parameters, classes=CLASSES, max_bin=32, seed=seed)
    np.testing.assert_allclose(centred(ours), centred(margins(fit.booster, others)), atol=1e-4)


def test_share_of_columns_is_counted_in_single_precision():
    # In double precision 0.29 of 100 columns are 28; in XGBoost's single precision 29.
    random = np.random.default_rng(3)
    features = random.normal(size=(200, 100)).astype(np.float32)
    y = np.arange(200) % 2
    parameters = {**PARAMETERS, "colsample_bytree": 0.29, "max_depth": 2, "rounds": 5}
    assert int(0.29 * 100) == 28
    train = BinnedRows(features, y, None, 32)

    ours, _ = validation_margins(train, train.bins, y, parameters, classes=2, seed=0)

    matrix = training_matrix(features, y, None, 32)
    fit = fit_booster(matrix, parameters, classes=2, max_bin=32, seed=0)
    np.testing.assert_allclose(centred(ours), centred(margins(fit.booster, features)), atol=1e-4)


def test_seed_decides(data):
    features, y, others, y_others = data
    parameters = {**PARAMETERS, "subsample": 0.6, "colsample_bytree": 0.5}
    train = BinnedRows(features, y, None, 32)
    first, again, other = (
        validation_margins(
            train, train.bin(others), y_others, parameters, classes=CLASSES, seed=seed
        )[0]
        for seed in (4, 4, 5)
    )

    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_early_stopping_returns_the_best_round(data):
    features, y, others, y_others = data
    train = BinnedRows(features, y, None, 32)
    binned = train.bin(others)
    parameters = {**PARAMETERS, "rounds": 200}

    stopped, rounds = validation_margins(
        train, binned, y_others, parameters, classes=CLASSES, seed=0, patience=4
    )

    losses = []
    for count in range(1, rounds + 5):
        found, _ = validation_margins(
            train, binned, y_others, {**parameters, "rounds": count}, classes=CLASSES, seed=0
        )
        powers = np.exp(found.astype(np.float64))
        shares = powers / powers.sum(axis=1, keepdims=True)
        losses.append(-np.log(shares[np.arange(len(y_others)), y_others]).mean())
    assert int(np.argmin(losses)) + 1 == rounds < 100
    exact, _ = validation_margins(
        train, binned, y_others, {**parameters, "rounds": rounds}, classes=CLASSES, seed=0
    )
    np.testing.assert_array_equal(stopped, exact)
    matrix = training_matrix(features, y, None, 32)
    fit = fit_booster(
        matrix, parameters, classes=CLASSES, max_bin=32, seed=0,
        validation=xgboost.DMatrix(others, y_others), patience=4,
    )  # fmt: skip
    assert fit.rounds == rounds


def test_missing_features_are_refused(data):
    features = data[0].copy()
    features[0, 0] = np.nan
    with pytest.raises(ValueError, match="features must be imputed before boosting"):
        BinnedRows(features, data[1], None, 32)
