"""The bundled thigh model: its files, and its fat fractions in two real patients."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest
from scipy.stats import spearmanr

from pipelines.anatomy.vocabulary import SIDES, muscles
from pipelines.segmentation.review.confidence import read_calibration
from pipelines.segmentation.synthesis.tissues import CLASS_NAMES, MUSCLES

# Mean and largest difference from published values (points): the aim, and what is reached (2.73 and
# 13.3, 0.57 and 1.1 in the model card) with a little slack.
AIM = (3.0, 8.0)
REACHED = {"sub-001": (2.8, 13.5), "sub-003": (0.6, 1.2)}
MISSES_THE_AIM = pytest.mark.xfail(
    strict=True, reason="sub-001: the wasted rectus femoris is 13.3 points off (model card)"
)
ABBREVIATIONS = ("SA", "RF", "VL", "VI", "VM", "AM", "GR", "BL", "ST", "SM", "BB")


@pytest.fixture(scope="module")
def folder(repository):
    return repository / "pipelines" / "segmentation" / "models" / "thigh11"


def test_plans_and_labels_are_those_of_the_training_code(folder):
    plans = json.loads((folder / "plans.json").read_text())
    dataset = json.loads((folder / "dataset.json").read_text())
    configuration = plans["configurations"]["2d"]
    assert configuration["normalization_schemes"] == ["NoNormalization"] * 2
    assert configuration["spacing"] == [1.25, 1.25]
    assert dataset["labels"] == {name: value for value, name in enumerate(CLASS_NAMES)}


def test_checkpoint_is_small_and_loads_without_unpickling_objects(folder):
    import torch

    checkpoint = folder / "fold_0" / "checkpoint_final.pth"
    assert checkpoint.stat().st_size < 20e6
    stored = torch.load(checkpoint, weights_only=True)
    assert stored["trainer_name"] == "nnUNetTrainer"
    assert all(torch.isfinite(weight).all() for weight in stored["network_weights"].values())


def test_card_names_licence_attribution_and_limits(folder):
    card = (folder / "MODEL_CARD.md").read_text()
    for words in ("research use only", "Apache-2.0", "Hirriririir", "02ffc7a", "## Limits"):
        assert words in card
    assert "@@" not in card


def read(path):
    image = nib.as_closest_canonical(nib.load(path))
    return np.asanyarray(image.dataobj).astype(np.float32), image.affine


def values_of(name):
    return [muscles()[name].value(side) for side in SIDES]


def test_expected_dice_is_calibrated(folder):
    curve = read_calibration(folder)
    assert "kept out of training" in curve.source
    low, high = curve.expected_dice(np.array([0.5, 0.95]))
    assert low < 0.4
    assert 0.8 < high < 1.0


@pytest.fixture(scope="module")
def fat_percent(shared_data, tmp_path_factory):
    """Mean fat fraction of the eleven muscles of each patient, measured and published."""
    from pipelines.segmentation.catalogue.model_files import open_model
    from pipelines.segmentation.catalogue.registry import read_registry
    from pipelines.segmentation.inference.predict import load_segmenter
    from pipelines.segmentation.segment import segment

    cache = tmp_path_factory.mktemp("cache")
    files = open_model("thigh11", read_registry(), cache_dir=cache, trust_model=True)
    segmenter = load_segmenter(files, backend="torch")
    data = shared_data / "ideal-thigh"
    with (data / "published_ff.tsv").open(newline="") as stream:
        rows = {row["participant_id"]: row for row in csv.DictReader(stream, delimiter="\t")}
    values = {}
    for patient in REACHED:
        stem = data / patient / "mr-quant" / patient
        water, affine = read(f"{stem}_WATER.nii.gz")
        fat, _ = read(f"{stem}_FAT.nii.gz")
        labels = segment({"water": water, "fat": fat}, affine, segmenter).labels
        total = water + fat
        fraction = 100 * np.divide(fat, total, out=np.zeros_like(fat), where=total > 0)
        measured = [
            fraction[np.isin(labels, values_of(CLASS_NAMES[m])) & (total > 0)].mean()
            for m in MUSCLES
        ]
        published = [100 * float(rows[patient][name]) for name in ABBREVIATIONS]
        values[patient] = np.array(measured), np.array(published)
    return values


@pytest.mark.parametrize("patient", REACHED)
def test_fat_fractions_are_as_near_the_published_ones_as_the_card_says(fat_percent, patient):
    assert np.all(differences(*fat_percent[patient]) <= REACHED[patient])
    assert spearmanr(*fat_percent[patient]).statistic >= 0.98


@pytest.mark.parametrize("patient", [pytest.param("sub-001", marks=MISSES_THE_AIM), "sub-003"])
def test_fat_fractions_reach_the_aim(fat_percent, patient):
    assert np.all(differences(*fat_percent[patient]) <= AIM)


def differences(measured, published):
    """Mean and largest difference."""
    error = np.abs(measured - published)
    return np.array([error.mean(), error.max()])
