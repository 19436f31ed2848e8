"""One scan from images to labels with sides, confidence, checks and provenance."""

import json

import numpy as np
import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.errors import ModelError
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.export import Prediction
from pipelines.segmentation.inference.predict import load_segmenter
from pipelines.segmentation.review.confidence import Calibration, write_calibration
from pipelines.segmentation.segment import segment
from tests.pipelines.segmentation.tiny_models import SPACING, disc_scan, plans, write_model


def load(folder, tmp_path):
    files = open_model(str(folder), read_registry(), cache_dir=tmp_path, trust_model=True)
    return load_segmenter(files, device="cpu", backend="torch", threads=1)


def pair_of_limbs():
    """Two limbs with the discs of both muscles, mirrored."""
    channels, affine, labels = disc_scan((64, 48, 4), (SPACING, SPACING, 6.0), seed=7)
    both = np.concatenate([channels, channels[:, ::-1]], axis=1)
    return both, affine, np.concatenate([labels, labels[::-1]])


@pytest.fixture(scope="module")
def result(trained_folder, tmp_path_factory):
    channels, affine, _ = pair_of_limbs()
    segmenter = load(trained_folder, tmp_path_factory.mktemp("cache"))
    return segment({"water": channels[0], "fat": channels[1]}, affine, segmenter)


def test_labels_have_sides(result):
    _, _, truth = pair_of_limbs()
    for value, name in ((1, "rectus_femoris"), (2, "gracilis")):
        for side, half in (("left", slice(0, 64)), ("right", slice(64, None))):
            expected = np.zeros(truth.shape, bool)
            expected[half] = truth[half] == value
            found = result.labels == muscles()[name].value(side)
            assert 2 * (found & expected).sum() / (found.sum() + expected.sum()) > 0.9


def test_confidence_has_a_row_per_muscle_and_side(result):
    assert len(result.confidence) == 4
    assert (result.confidence["soft_dice"] > 0.6).all()
    assert result.confidence["expected_dice"].isna().all()


def test_checks_cover_sides_and_plausibility(result):
    names = [check.name for check in result.checks]
    assert names[0] == "sides"
    assert {"absent_muscles", "muscle_position", "muscle_symmetry", "body_region"} <= set(names)


def test_provenance_can_be_written(result):
    said = json.loads(json.dumps(result.provenance))
    assert said["Channels"] == ["water", "fat"]
    assert said["LogitInterpolation"] == "linear"
    assert said["MirrorCompletion"] is False


def test_volumes_that_change_hands_or_go_are_told(trained_folder, tmp_path, monkeypatch):
    channels, affine, _ = pair_of_limbs()
    truth = np.zeros(channels.shape[1:], np.uint8)
    for half in (truth[:64], truth[:63:-1]):
        half[10:22, 15:30] = 1
        half[40:52, 15:30] = 2
    wrong = truth.copy()
    wrong[40:52, 15:30, 0] = 1  # a section of gracilis taken for rectus femoris: 12 x 15 voxels
    wrong[30, 36:40, 3] = 1  # 4 voxels away from the rest
    sure = Prediction(
        wrong,
        np.full_like(wrong, 255),
        np.zeros_like(wrong),
        {v: np.ones((1, 1, 1)) for v in (1, 2)},
    )
    monkeypatch.setattr("pipelines.segmentation.segment.predict_labels", lambda *arguments: sure)
    images = {"water": channels[0], "fat": channels[1]}
    found = segment(images, affine, load(trained_folder, tmp_path))
    voxel_ml = SPACING * SPACING * 6 / 1000
    assert found.provenance["DiscontinuousVolumeReassigned"] == pytest.approx(180 * voxel_ml)
    assert found.provenance["StrayVolumeRemoved"] == pytest.approx(4 * voxel_ml)
    for value, name in ((1, "rectus_femoris"), (2, "gracilis")):
        both_sides = [muscles()[name].value(side) for side in ("left", "right")]
        np.testing.assert_array_equal(np.isin(found.labels, both_sides), truth == value)


def test_calibration_of_the_model_is_used(model_folder, tmp_path):
    write_calibration(Calibration((0.0, 1.0), (0.7, 0.7), "made up"), model_folder)
    channels, affine, _ = pair_of_limbs()
    images = {"water": channels[0], "fat": channels[1]}
    found = segment(images, affine, load(model_folder, tmp_path))
    np.testing.assert_allclose(found.confidence["expected_dice"], 0.7)


def test_unfit_images_are_refused(trained_folder, tmp_path):
    channels, affine, _ = pair_of_limbs()
    with pytest.raises(ModelError, match=r"needs 2 channels \(water, fat\); the scan has water"):
        segment({"water": channels[0]}, affine, load(trained_folder, tmp_path))


def test_unknown_orientation_is_reported(checkpoint, tmp_path):
    content = {**plans(), "image_reader_writer": "SimpleITKIO"}
    folder = write_model(tmp_path, checkpoint, **{"plans.json": content})
    channels, affine, _ = pair_of_limbs()
    images = {"water": channels[0], "fat": channels[1]}
    first = segment(images, affine, load(folder, tmp_path)).checks[0]
    assert (first.name, first.level) == ("model_orientation", "warn")
    assert "RAS is assumed" in first.text


def test_replaced_and_missing_channels_are_reported(trained_folder, tmp_path):
    from dataclasses import replace

    segmenter = load(trained_folder, tmp_path)
    files = replace(
        segmenter.files,
        channels=(("water", "in_phase"), ("fat",)),
        missing_channels=True,
        normalization="dixon_joint",
    )
    channels, affine, _ = pair_of_limbs()
    found = segment({"in_phase": channels.sum(axis=0)}, affine, replace(segmenter, files=files))
    texts = [check.text for check in found.checks if check.name == "model_channels"]
    assert "was given the in_phase image in place of water" in texts[0]
    assert "did without the fat image" in texts[1]
    assert found.provenance["Channels"] == ["in_phase", "missing"]
