import numpy as np
import pytest
import xgboost

from pipelines.diagnosis.explanation.interactions import (
    InteractionStrength,
    cluster_features,
    interaction_strength,
    interaction_table,
)
from pipelines.diagnosis.explanation.trees.flat_trees import flatten_booster, tile_rows
from pipelines.diagnosis.explanation.trees.kernel import explain_pairs_tile
from pipelines.errors import DataError
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

UPPER = np.triu_indices(FEATURES, 1)


@pytest.mark.parametrize(("depth", "missing"), [(1, 0), (2, 0), (6, 0.2), (9, 0)])
def test_equal_to_xgboost(depth, missing):
    booster, rows = train(depth, missing=missing)
    rows = rows[:60]
    expected = booster.predict(xgboost.DMatrix(rows), pred_interactions=True)
    trees = flatten_booster(data_of(booster), "booster", classes=CLASSES, features=FEATURES)
    for group in range(CLASSES):
        values = np.zeros((FEATURES, len(rows)), np.float32)
        pairs = np.zeros((FEATURES, FEATURES, len(rows)), np.float32)
        explain_pairs_tile(trees, group, tile_rows(rows), values, pairs)
        own = expected[:, group, :-1, :-1]
        np.testing.assert_allclose(values.T, own.sum(axis=2), atol=2e-5)
        np.testing.assert_allclose(pairs[UPPER].T, own[:, UPPER[0], UPPER[1]], atol=2e-5)
        assert not pairs[np.tril_indices(FEATURES)].any()


def test_strength_of_an_ensemble():
    (first, rows), (second, _) = train(4, seed=1), train(5, seed=2)
    ensemble = FakeEnsemble(
        (FakeMember(data_of(first), 3), FakeMember(data_of(second), 5)),
        harmonization=FakeHarmonization(),
    )
    done = []
    found = interaction_strength(
        ensemble,
        FakeNative(rows[:, :, None].astype(float)),
        threads=2,
        progress=lambda *step: done.append(step),
    )
    parts = [
        first.predict(xgboost.DMatrix(rows), pred_interactions=True),
        second.predict(xgboost.DMatrix(rows + np.float32(0.5)), pred_interactions=True),
    ]
    expected = np.abs(np.mean(parts, axis=0)).mean(axis=0)[:, :-1, :-1]
    np.testing.assert_allclose(found.strength, expected, atol=1e-5)
    assert found.strength.dtype == np.float32
    assert done[-1] == (len(done), CLASSES * 4)
    only = interaction_strength(ensemble, FakeNative(rows[:, :, None].astype(float)), ["c"])
    np.testing.assert_array_equal(only.strength[0], found.strength[2])


def test_draws_are_averaged_before_the_absolute_value():
    booster, rows = train(4)
    members = (FakeMember(data_of(booster)),)
    native = FakeNative(rows[:30, :, None].astype(float))
    found = interaction_strength(FakeEnsemble(members, harmonization=FakeHarmonization(2)), native)
    parts = [
        booster.predict(
            xgboost.DMatrix((rows[:30].astype(float) + shift).astype(np.float32)),
            pred_interactions=True,
        )
        for shift in (0, 0.1)
    ]
    expected = np.abs(np.mean(parts, axis=0)).mean(axis=0)[:, :-1, :-1]
    np.testing.assert_allclose(found.strength, expected, atol=1e-5)


def test_unknown_class_and_empty_cohort():
    booster, rows = train(2)
    ensemble = FakeEnsemble((FakeMember(data_of(booster)),), harmonization=FakeHarmonization())
    native = FakeNative(rows[:, :, None].astype(float))
    with pytest.raises(DataError, match="the model has no class x") as raised:
        interaction_strength(ensemble, native, ["x"])
    assert raised.value.hint == "choose from a, b, c, d"
    with pytest.raises(DataError, match="no sample"):
        interaction_strength(ensemble, native.subset(np.arange(0)))


@pytest.fixture
def planted():
    """Two groups of features that interact, with known strengths; f6 interacts with nothing."""
    strength = np.full((FEATURES, FEATURES), 0.01, np.float32)
    strength[6, :], strength[:, 6] = 0, 0
    for group, value in (((0, 3, 5), 1.0), ((1, 2, 4), 0.8)):
        for i in group:
            for j in group:
                strength[i, j] = value
    np.fill_diagonal(strength, np.arange(FEATURES))
    names = tuple(f"f{i}" for i in range(FEATURES))
    return InteractionStrength(("a",), names, strength[None])


def test_clusters_are_the_planted_groups(planted):
    table = cluster_features(planted, "a", clusters=3)
    assert sorted(table["feature"]) == sorted(planted.feature_names)
    assert table["order"].tolist() == list(range(1, FEATURES + 1))
    groups = {frozenset(rows) for rows in table.groupby("cluster")["feature"].agg(set)}
    assert groups == {
        frozenset({"f0", "f3", "f5"}),
        frozenset({"f1", "f2", "f4"}),
        frozenset({"f6"}),
    }
    assert table["cluster"].is_monotonic_increasing
    row = table.set_index("feature").loc["f2"]
    assert row["alone"] == 2
    assert row["together"] == pytest.approx(2 * 0.8 + 3 * 0.01)
    assert row["partner"] in {"f1", "f4"}
    assert row["partner_strength"] == pytest.approx(0.8)
    lonely = table.set_index("feature").loc["f6"]
    assert (lonely["partner"], lonely["partner_strength"]) == ("n/a", 0)


def test_pairs_are_sorted_by_strength(planted):
    table = interaction_table(planted, "a")
    assert len(table) == len(UPPER[0])
    assert set(map(tuple, table.loc[:2, ["feature", "partner"]].to_numpy())) == {
        ("f0", "f3"),
        ("f0", "f5"),
        ("f3", "f5"),
    }
    assert table["strength"].is_monotonic_decreasing


def test_no_interaction_at_all_still_clusters():
    names = ("x", "y", "z")
    table = cluster_features(
        InteractionStrength(("a",), names, np.zeros((1, 3, 3), np.float32)), "a"
    )
    assert table["partner"].tolist() == ["n/a"] * 3


def test_clustering_errors(planted):
    with pytest.raises(DataError, match="interactions of b were not measured"):
        cluster_features(planted, "b")
    one = InteractionStrength(("a",), ("x",), np.zeros((1, 1, 1), np.float32))
    with pytest.raises(DataError, match="at least two"):
        cluster_features(one, "a")
