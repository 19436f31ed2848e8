"""Confidence: the numbers follow from the probabilities, the calibration from its cases."""

import json

import numpy as np
import pytest

from pipelines.anatomy.vocabulary import Label, muscles
from pipelines.errors import ModelError
from pipelines.segmentation.inference.export import Prediction
from pipelines.segmentation.review.confidence import (
    COLUMNS,
    Calibration,
    fit_calibration,
    muscle_confidence,
    read_calibration,
    without_removed,
    write_calibration,
)

RF, GR = muscles()["rectus_femoris"], muscles()["gracilis"]
SHARED = [Label(1, "RF", "rectus_femoris", "both"), Label(2, "GR", "gracilis", "both")]


def prediction(labels, probability, soft, entropy=0):
    shape = labels.shape
    return Prediction(
        np.zeros(shape, np.uint8),
        np.broadcast_to(np.uint8(probability), shape),
        np.broadcast_to(np.uint8(entropy), shape),
        {value: np.full((1, 1, 1), total) for value, total in soft.items()},
    )


def two_sides():
    labels = np.zeros((40, 20, 2), np.uint16)
    labels[2:12, 4:14] = RF.value("left")  # 200 voxels
    labels[25:30, 4:14] = RF.value("right")  # 100 voxels
    return labels


def row(table, side):
    return table[table["side"] == side].iloc[0]


def test_certain_prediction_expects_a_perfect_dice():
    labels = two_sides()
    table = muscle_confidence(labels, prediction(labels, 255, {1: 300.0}), SHARED)
    assert list(table.columns) == list(COLUMNS)
    assert table[["muscle", "side"]].to_numpy().tolist() == [
        ["rectus_femoris", "left"],
        ["rectus_femoris", "right"],
    ]
    for name in ("mean_probability", "boundary_probability", "soft_dice"):
        np.testing.assert_allclose(table[name], 1.0)
    np.testing.assert_allclose(table["mean_entropy"], 0.0)
    assert table["expected_dice"].isna().all()


def test_soft_volume_goes_with_the_slices_and_voxels_that_are_removed():
    labels = np.zeros((10, 10, 4), np.uint8)
    labels[:4, :, 1:3] = 1  # 40 voxels in each of two slices
    soft = np.array([5.0, 50.0, 45.0, 30.0]).reshape(1, 1, 4)
    found = Prediction(labels, np.full_like(labels, 255), np.zeros_like(labels), {1: soft})
    removed = np.zeros(labels.shape, bool)
    removed[:, :, 2:] = True
    removed[:1, :, 1] = True
    kept = without_removed(found, removed).soft_voxels[1]
    np.testing.assert_allclose(kept.ravel(), [5.0, 50.0 * 0.75, 0.0, 0.0])
    total = Prediction(labels, found.probability, found.entropy, {1: np.full((1, 1, 1), 130.0)})
    kept = without_removed(total, removed).soft_voxels[1]
    assert kept.item() == pytest.approx(130.0 * 30 / 80)


def test_probability_outside_is_shared_by_size():
    labels = two_sides()
    # inside: 300 voxels of probability 0.8 = 240; the network gives the label 300 in all
    table = muscle_confidence(labels, prediction(labels, 204, {1: 300.0}, entropy=51), SHARED)
    for side, n in (("left", 200), ("right", 100)):
        inside, outside = 0.8 * n, 60 * n / 300
        expected = 2 * inside / (n + inside + outside)
        assert row(table, side)["soft_dice"] == pytest.approx(expected)
        assert row(table, side)["mean_probability"] == pytest.approx(0.8)
        assert row(table, side)["mean_entropy"] == pytest.approx(0.2)


def test_sides_of_the_model_are_scored_by_their_own_labels():
    label_map = [
        Label(1, "RF_L", "rectus_femoris", "left"),
        Label(2, "RF_R", "rectus_femoris", "right"),
    ]
    labels = two_sides()
    soft = {1: 200.0, 2: 300.0}
    table = muscle_confidence(labels, prediction(labels, 255, soft), label_map)
    assert row(table, "left")["soft_dice"] == pytest.approx(1.0)
    assert row(table, "right")["soft_dice"] == pytest.approx(2 * 100 / (100 + 300))


def test_border_is_the_in_plane_rim():
    labels = two_sides()
    probability = np.zeros(labels.shape, np.uint8)
    probability[3:11, 5:13] = 255
    probability[26:29, 5:13] = 255
    table = muscle_confidence(labels, prediction(labels, probability, {1: 1.0}), SHARED)
    np.testing.assert_allclose(table["boundary_probability"], 0.0)
    assert row(table, "left")["mean_probability"] == pytest.approx(64 / 100)
    assert row(table, "right")["mean_probability"] == pytest.approx(24 / 50)


def test_muscle_at_the_image_edge_has_a_border_there():
    labels = np.full((4, 4, 1), RF.value("left"), np.uint16)
    probability = np.full((4, 4, 1), 51, np.uint8)
    probability[1:3, 1:3] = 255
    table = muscle_confidence(labels, prediction(labels, probability, {1: 16.0}), SHARED)
    assert row(table, "left")["boundary_probability"] == pytest.approx(0.2)


def test_nothing_found_gives_no_rows():
    labels = np.zeros((4, 4, 2), np.uint16)
    table = muscle_confidence(labels, prediction(labels, 255, {}), SHARED)
    assert len(table) == 0
    assert list(table.columns) == list(COLUMNS)


def test_calibration_is_applied():
    labels = two_sides()
    curve = Calibration((0.2, 1.0), (0.1, 0.9), "cases")
    table = muscle_confidence(labels, prediction(labels, 255, {1: 900.0}), SHARED, curve)
    score = 2 / (2 + 2)
    assert row(table, "left")["soft_dice"] == pytest.approx(score)
    assert row(table, "left")["expected_dice"] == pytest.approx(0.1 + (score - 0.2))


def test_fitted_curve_rises_through_the_cases():
    generator = np.random.default_rng(0)
    scores = generator.uniform(0.3, 1.0, 400)
    dice = np.clip(scores**2 + generator.normal(0, 0.03, 400), 0, 1)
    curve = fit_calibration(scores, dice, "held-back cases")
    assert list(curve.scores) == sorted(curve.scores)
    assert list(curve.dice) == sorted(curve.dice)
    at = np.array([0.4, 0.6, 0.8, 0.95])
    np.testing.assert_allclose(curve.expected_dice(at), at**2, atol=0.03)


def test_curve_does_not_leave_the_range_of_its_cases():
    curve = Calibration((0.4, 0.8), (0.3, 0.9), "cases")
    np.testing.assert_allclose(curve.expected_dice(np.array([0.0, 1.0])), [0.3, 0.9])


def test_few_cases_are_refused():
    with pytest.raises(ModelError, match="3 values do not suffice"):
        fit_calibration(np.ones(3), np.ones(3), "cases")


def test_calibration_survives_its_file(tmp_path):
    curve = Calibration((0.25, 0.5, 1.0), (0.1, 0.4, 0.95), "12 synthesized scans")
    assert write_calibration(curve, tmp_path).name == "calibration.json"
    assert read_calibration(tmp_path) == curve


def test_no_calibration(tmp_path):
    assert read_calibration(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be used"),
        (json.dumps({"points": [[0, 1]]}), "cannot be used: KeyError"),
        (json.dumps({"points": [[0]], "source": "x"}), "cannot be used"),
        (json.dumps({"points": [], "source": "x"}), "points that do not rise"),
        (json.dumps({"points": [[0, float("nan")]], "source": "x"}), "not between 0 and 1"),
        (json.dumps({"points": [[0, 1.5]], "source": "x"}), "not between 0 and 1"),
        (json.dumps({"points": [[0, 10**400]], "source": "x"}), "cannot be used: OverflowError"),
        (json.dumps({"points": [[0.5, 0.5], [0.4, 0.6]], "source": "x"}), "do not rise"),
        (json.dumps({"points": [[0.4, 0.5], [0.5, 0.4]], "source": "x"}), "do not rise"),
    ],
)
def test_malformed_calibration_is_named(tmp_path, content, message):
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(ModelError, match=rf"calibration\.json .*{message}"):
        read_calibration(tmp_path)
