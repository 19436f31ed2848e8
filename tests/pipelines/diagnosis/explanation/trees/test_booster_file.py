import json

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.diagnosis.explanation.trees.booster_file import read_booster
from pipelines.diagnosis.explanation.trees.flat_trees import flatten_booster
from pipelines.errors import ModelError
from tests.pipelines.diagnosis.explanation.boosters import CLASSES, FEATURES, data_of, train


@pytest.fixture(scope="module")
def data():
    return data_of(train(3, rounds=4)[0])


def flatten(data):
    return flatten_booster(data, "member 1", classes=CLASSES, features=FEATURES)


def test_trees_are_those_of_the_json_file(data):
    booster = xgboost.Booster(model_file=bytearray(data))
    learner = json.loads(booster.save_raw("json"))["learner"]
    stored = learner["gradient_booster"]["model"]["trees"]
    file = read_booster(data, "member 1")
    assert file.features == FEATURES
    assert file.tree_class.tolist() == list(range(CLASSES)) * 4
    np.testing.assert_array_equal(
        file.base, json.loads(learner["learner_model_param"]["base_score"])
    )
    assert file.counts[:, 0].tolist() == [len(tree["left_children"]) for tree in stored]
    trees = flatten(data)
    first = stored[0]  # depth first: the root, then its left child
    left = first["left_children"][0]
    assert trees.value[0] == np.float32(first["split_conditions"][0])
    assert trees.value[1] == np.float32(first["split_conditions"][left])
    assert trees.left_share[0] == pytest.approx(
        first["sum_hessian"][left] / first["sum_hessian"][0]
    )
    assert trees.depth == 3


def test_repeated_features_point_to_the_edge_above(data):
    trees = flatten_booster(
        data_of(train(6, rounds=8)[0]), "booster", classes=CLASSES, features=FEATURES
    )
    repeated = sum(repeats_below(trees, int(root), []) for root in trees.roots)
    assert repeated > 10


def repeats_below(trees, node, path):
    """Check the link of every node below; return how many repeat a feature of their path."""
    if trees.feature[node] < 0:
        assert trees.above[node] == -1
        return 0
    column = trees.feature[node] % FEATURES
    same = [2 * depth + side for depth, (other, side) in enumerate(path) if other == column]
    assert trees.above[node] == (same[-1] if same else -1)
    return (
        bool(same)
        + repeats_below(trees, node + 1, [*path, (column, 0)])
        + repeats_below(trees, int(trees.right[node]), [*path, (column, 1)])
    )


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10**6), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_files_never_crash(data, at, byte, cut):
    damaged = bytearray(data)
    at %= len(data)
    if cut:
        damaged = damaged[:at]
    else:
        damaged[at] = byte
    trees, message = attempt(bytes(damaged))
    assert "member 1" in message if trees is None else len(trees.roots) == 4 * CLASSES


def attempt(data):
    try:
        return flatten(data), ""
    except ModelError as error:
        return None, error.message


@pytest.mark.parametrize("text", [b"", b"{", b"not a model", b'{"learner": 1}', b"[]", b"Z"])
def test_other_files_are_refused(text):
    with pytest.raises(ModelError, match="member 1 is not a booster as XGBoost stores it"):
        read_booster(text, "member 1")


def test_children_outside_the_tree_are_refused(data):
    at = data.index(b"left_children[$l#L") + len(b"left_children[$l#L") + 8
    broken = data[:at] + (10**6).to_bytes(4, "big") + data[at + 4 :]
    with pytest.raises(ModelError, match="whose nodes do not hang together"):
        flatten(broken)


def test_loops_are_refused(data):
    head = data.index(b"right_children[$l#L") + len(b"right_children[$l#L") + 8
    left = data.index(b"left_children[$l#L") + len(b"left_children[$l#L") + 8
    loop = data[:head] + data[left : left + 4] + data[head + 4 :]  # both children are one node
    with pytest.raises(ModelError, match="whose nodes do not hang together"):
        flatten(loop)


@pytest.mark.parametrize("array", ["split_conditions", "sum_hessian"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(data, array, value):
    assert_refused(data, array, value)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_nodes_without_weight_are_refused(data, value):
    assert_refused(data, "sum_hessian", value)


def assert_refused(data, array, value):
    head = f"{array}[$d#L".encode()
    at = data.index(head) + len(head) + 8
    with pytest.raises(ModelError, match="weights that no training gives"):
        flatten(data[:at] + np.array(value, ">f4").tobytes() + data[at + 4 :])


def test_split_on_categories_is_refused(data):
    at = data.index(b"split_type[$U#L") + len(b"split_type[$U#L") + 8
    with pytest.raises(ModelError, match="splits on categories"):
        flatten(data[:at] + b"\x01" + data[at + 1 :])


def test_linear_booster_is_refused():
    booster, _ = train(2, booster="gblinear")
    with pytest.raises(ModelError, match="booster"):
        flatten(data_of(booster))


def test_dart_is_refused():
    booster, _ = train(2, booster="dart", one_drop=1)
    with pytest.raises(ModelError, match=r"member 1 is (a booster of kind 'dart'|not a booster)"):
        flatten(data_of(booster))


def test_one_tree_for_all_classes_is_refused():
    booster, _ = train(2, multi_strategy="multi_output_tree", tree_method="hist")
    with pytest.raises(ModelError, match=r"member 1 (has no tree|is not a booster)"):
        flatten(data_of(booster))


def test_parallel_trees_keep_their_class():
    booster, rows = train(3, rounds=2, num_parallel_tree=3, subsample=0.5)
    trees = flatten(data_of(booster))
    assert trees.class_start.tolist() == [0, 6, 12, 18, 24]
    contributions = booster.predict(xgboost.DMatrix(rows[:1]), pred_contribs=True)
    np.testing.assert_allclose(trees.expected, contributions[0, :, -1], atol=1e-5)
