import numpy as np
import pytest
import shap
import xgboost

from pipelines.diagnosis.explanation.trees.flat_trees import flatten_booster, tile_rows
from pipelines.diagnosis.explanation.trees.kernel import explain_tile, quadrature
from pipelines.diagnosis.explanation.values import explain_native, shap_values
from pipelines.errors import ModelError
from tests.pipelines.diagnosis.explanation.boosters import (
    CLASSES,
    FEATURES,
    FakeEnsemble,
    FakeHarmonization,
    FakeMember,
    FakeNative,
    data_of,
    train,
)


def ensemble_of(*boosters, neighbours=(3, 5, 3), draws=1):
    members = tuple(FakeMember(data_of(b), k) for b, k in zip(boosters, neighbours, strict=False))
    return FakeEnsemble(members, harmonization=FakeHarmonization(draws))


@pytest.mark.parametrize("depth", [1, 2, 3, 6, 9, 13])
def test_equal_to_xgboost_at_every_depth(depth):
    booster, rows = train(depth)
    found = shap_values(ensemble_of(booster), rows)
    expected = booster.predict(xgboost.DMatrix(rows), pred_contribs=True)
    np.testing.assert_allclose(found.values, expected[..., :-1], atol=2e-5)
    np.testing.assert_allclose(found.base, expected[0, :, -1], atol=1e-5)


def test_equal_to_tree_explainer():
    booster, rows = train(5)
    found = shap_values(ensemble_of(booster), rows[:50]).values
    expected = shap.TreeExplainer(booster).shap_values(rows[:50])
    np.testing.assert_allclose(found, expected.transpose(0, 2, 1), atol=1e-5)


def test_missing_values_take_the_default_direction():
    booster, rows = train(6, missing=0.3, rounds=10)
    assert np.isnan(rows).any()
    found = shap_values(ensemble_of(booster), rows)
    expected = booster.predict(xgboost.DMatrix(rows), pred_contribs=True)
    np.testing.assert_allclose(found.values, expected[..., :-1], atol=2e-5)


def test_brute_force_shapley_values():
    """One tree against the definition: the mean over all orders of features."""
    booster, rows = train(3, rounds=1)
    trees = flatten_booster(data_of(booster), "booster", classes=CLASSES, features=FEATURES)
    values = np.zeros((FEATURES, 5), np.float32)
    explain_tile(trees, 0, tile_rows(rows[:5]), values)
    for row in range(5):
        np.testing.assert_allclose(values[:, row], shapley_values(trees, rows[row]), atol=1e-6)


def shapley_values(trees, row):
    worth = {}
    for subset in range(2**FEATURES):
        known = [j for j in range(FEATURES) if subset >> j & 1]
        worth[subset] = expectation(trees, int(trees.roots[0]), row, known)
    result = np.zeros(FEATURES)
    for j in range(FEATURES):
        for subset in range(2**FEATURES):
            if subset >> j & 1:
                continue
            size = subset.bit_count()
            weight = 1 / (FEATURES * comb(FEATURES - 1, size))
            result[j] += weight * (worth[subset | 1 << j] - worth[subset])
    return result


def comb(n, k):
    return np.prod([(n - i) / (i + 1) for i in range(k)]) if k else 1


def expectation(trees, node, row, known):
    if trees.feature[node] < 0:
        return float(trees.value[node])
    left, right = node + 1, int(trees.right[node])
    feature = int(trees.feature[node]) % FEATURES
    if feature in known:
        chosen = left if row[feature] < trees.value[node] else right
        return expectation(trees, chosen, row, known)
    return float(trees.left_share[node]) * expectation(trees, left, row, known) + float(
        trees.right_share[node]
    ) * expectation(trees, right, row, known)


def test_ensemble_is_the_mean_of_its_members_and_adds_up():
    boosters = [train(depth, seed=depth) for depth in (2, 4, 6)]
    rows = boosters[0][1]
    found = shap_values(ensemble_of(*(b for b, _ in boosters)), rows, threads=2)
    shifted = [rows, rows + np.float32(0.5), rows]
    parts = [
        b.predict(xgboost.DMatrix(x), pred_contribs=True)
        for (b, _), x in zip(boosters, shifted, strict=True)
    ]
    margins = [
        b.predict(xgboost.DMatrix(x), output_margin=True)
        for (b, _), x in zip(boosters, shifted, strict=True)
    ]
    mean = np.mean(parts, axis=0)
    np.testing.assert_allclose(found.values, mean[..., :-1], atol=1e-5)
    np.testing.assert_allclose(found.base, mean[0, :, -1], atol=1e-5)
    np.testing.assert_allclose(found.member_margins, margins, atol=1e-5)
    total = found.values.sum(axis=2) + found.base
    np.testing.assert_allclose(total, np.mean(margins, axis=0), atol=1e-5)


def test_result_depends_on_neither_threads_nor_the_other_rows():
    booster, rows = train(6)
    ensemble = ensemble_of(booster)
    alone = np.concatenate([shap_values(ensemble, rows[i : i + 1]).values for i in range(3)])
    many = shap_values(ensemble, np.tile(rows, (3, 1)), threads=2).values
    one = shap_values(ensemble, np.tile(rows, (3, 1)), threads=1).values
    np.testing.assert_array_equal(many, one)
    np.testing.assert_allclose(many[:3], alone, atol=1e-6)
    np.testing.assert_array_equal(many[: len(rows)], many[len(rows) : 2 * len(rows)])


def test_no_rows():
    booster, rows = train(2)
    found = shap_values(ensemble_of(booster), rows[:0])
    assert found.values.shape == (0, CLASSES, FEATURES)
    assert found.member_margins.shape == (1, 0, CLASSES)


def test_draws_are_averaged_and_progress_counts_them():
    booster, rows = train(4)
    done = []
    found = explain_native(
        ensemble_of(booster, booster, draws=2),
        FakeNative(rows[:, :, None].astype(float)),
        progress=lambda *step: done.append(step),
    )
    once = ensemble_of(booster, booster)
    parts = [shap_values(once, rows.astype(float) + shift) for shift in (0, 0.1)]
    np.testing.assert_allclose(found.values, (parts[0].values + parts[1].values) / 2, atol=1e-6)
    np.testing.assert_allclose(
        found.member_margins, (parts[0].member_margins + parts[1].member_margins) / 2, atol=1e-5
    )
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("depth", [1, 6, 7, 20])
def test_quadrature_is_exact_for_the_depth(depth):
    nodes, weights = (array.astype(np.float64).ravel() for array in quadrature(depth))
    for power in range(depth):
        assert (weights * nodes**power).sum() == pytest.approx(1 / (power + 1), abs=1e-6)


def test_member_of_another_model_is_refused():
    booster, rows = train(2)
    ensemble = ensemble_of(booster)
    ensemble.classes = tuple("abc")
    with pytest.raises(ModelError, match="member 1 of the ensemble knows 4 classes and 7 features"):
        shap_values(ensemble, rows)
