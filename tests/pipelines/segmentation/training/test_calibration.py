"""Confidence against the Dice reached, on synthetic scans whose truth is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipelines.anatomy.label_maps import read_label_map
from pipelines.segmentation.inference.export import UNIT_STEPS, Prediction
from pipelines.segmentation.synthesis.deformation import PoseRange
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.sampler import Sampler, SamplerRange
from pipelines.segmentation.synthesis.tissues import MUSCLES
from pipelines.segmentation.training import calibration
from pipelines.segmentation.training.calibration import calibration_error, score_synthetic_scans
from pipelines.segmentation.training.evaluation import draw_scan

SEGMENTER = SimpleNamespace(files=SimpleNamespace(labels=read_label_map("thigh11")))
RANGES = SamplerRange(
    shape=(288, 176), single_leg=0.0, cut_field=0.0, growth=0.0, pose=PoseRange(swellings=0)
)


def score(thigh, monkeypatch, *, shift, certainty):
    """Score a network that moves the truth by `shift` pixels and is always equally sure."""
    scans = []

    def remember(sampler, thigh):
        scans.append(draw_scan(sampler, thigh))
        return scans[-1]

    def predict(images, affine, segmenter):
        assert images is scans[-1].images
        np.testing.assert_allclose(np.diag(affine)[:2], 1.25)
        labels = np.roll(scans[-1].classes, shift, axis=1)
        probability = np.full(labels.shape, round(certainty * UNIT_STEPS), np.uint8)
        soft = {
            value: certainty * (labels == value).sum(axis=(0, 1), keepdims=True)
            for value in MUSCLES
        }
        return Prediction(labels, probability, np.zeros_like(probability), soft)

    monkeypatch.setattr(calibration, "draw_scan", remember)
    monkeypatch.setattr(calibration, "predict_labels", predict)
    sampler = Sampler([thigh], NoiseBank(1), 4, RANGES)
    return score_synthetic_scans(SEGMENTER, [thigh, thigh], sampler, 1)


def test_perfect_labels_have_dice_one_on_both_sides(simple_thigh, monkeypatch):
    scores = score(simple_thigh, monkeypatch, shift=0, certainty=1.0)
    assert len(scores) == 2 * 22
    assert (scores["dice"] == 1).all()
    np.testing.assert_allclose(scores["soft_dice"], 1)
    assert set(scores["thigh"]) == {0, 1}


def test_displaced_labels_score_lower(simple_thigh, monkeypatch):
    scores = score(simple_thigh, monkeypatch, shift=3, certainty=0.8)
    assert scores["dice"].between(0.3, 0.97).all()
    np.testing.assert_allclose(scores["soft_dice"], 0.8, atol=0.1)


def test_muscle_without_truth_has_dice_zero(simple_thigh, monkeypatch):
    lacking = simple_thigh.tissue.copy()
    lacking[lacking == 4] = 3
    thigh = replace(simple_thigh, tissue=lacking)

    def invent(images, affine, segmenter):
        labels = np.zeros(images.shape[1:], np.uint8)
        labels[100:120, 80:100] = labels[170:190, 80:100] = 4
        sure = np.full(labels.shape, UNIT_STEPS, np.uint8)
        return Prediction(labels, sure, np.zeros_like(sure), {4: np.ones((1, 1, 1))})

    monkeypatch.setattr(calibration, "predict_labels", invent)
    sampler = Sampler([thigh], NoiseBank(1), 4, RANGES)
    scores = score_synthetic_scans(SEGMENTER, [thigh], sampler, 1)
    assert set(scores["muscle"]) == {"vastus_intermedius"}
    assert (scores["dice"] == 0).all()


def test_error_is_measured_on_thighs_left_out():
    rng = np.random.default_rng(0)
    soft = rng.uniform(0.5, 1.0, 120)
    scores = pd.DataFrame({"thigh": np.repeat([0, 1, 2], 40), "soft_dice": soft, "dice": soft})
    assert calibration_error(scores) < 0.02
    # One thigh goes against what the others say, which only shows if it is left out.
    scores.loc[scores["thigh"] == 2, "dice"] -= 0.4
    expected = (2 * 0.2 + 0.4) / 3
    assert calibration_error(scores) == pytest.approx(expected, abs=0.05)
