"""A whole training on two thighs, in miniature, and its command line."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pipelines.errors import DataError
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE
from pipelines.segmentation.synthesis.real_sampler import RealSlice
from pipelines.segmentation.synthesis.sampler import SamplerRange
from pipelines.segmentation.training import session
from pipelines.segmentation.training.session import TrainingOptions, run_session

SMALL = SamplerRange(shape=(64, 64))


@pytest.fixture
def options(tmp_path, monkeypatch, simple_thigh):
    monkeypatch.setattr(
        session, "complete_all", lambda paths, seeds, cache: [simple_thigh] * len(paths)
    )
    monkeypatch.setattr(session, "SCANS_PER_THIGH", 1)
    monkeypatch.setattr(session, "VALIDATION_BATCHES", 1)
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, "unset")
    labels = tmp_path / "labels"
    labels.mkdir()
    for person in ("01", "02"):
        (labels / f"sub-{person}_dseg.nii.gz").touch()
    return TrainingOptions(
        labels=labels,
        work=tmp_path / "work",
        model=tmp_path / "model",
        hold_out=["02"],
        epochs=1,
        steps=1,
        batch_size=1,
        base_features=4,
        max_features=4,
        threads=1,
    )


def test_training_ends_in_a_model_and_held_out_scores(options):
    table = run_session(options, SMALL)
    stored = torch.load(options.model / "fold_0" / "checkpoint_final.pth", weights_only=True)
    assert stored["current_epoch"] == 1
    assert set(table["severity"]) <= {"mild", "severe"}
    assert "all" in set(table["muscle"])
    assert table["dice_mean"].between(0, 1).all()
    assert (options.work / "held_out_scores.tsv").exists()


def test_nobody_held_out_gives_a_model_without_scores(options):
    everyone = TrainingOptions(**{**vars(options), "hold_out": ()})
    assert run_session(everyone, SMALL).empty
    assert (options.model / "plans.json").exists()


def test_real_scans_need_a_network_and_nobody_held_out(options, tmp_path, monkeypatch):
    with_real = TrainingOptions(**{**vars(options), "real_cases": tmp_path / "cases.tsv"})
    with pytest.raises(DataError, match="need a trained network"):
        run_session(with_real, SMALL)
    monkeypatch.setattr(session, "network_from_checkpoint", lambda *_: None)
    monkeypatch.setattr(session, "read_real_cases", lambda *_: {"01": [], "02": []})
    started = TrainingOptions(**{**vars(with_real), "start_from": tmp_path / "start.pth"})
    with pytest.raises(DataError, match="people who are held out: 02"):
        run_session(started, SMALL)


def test_training_mixes_real_slices(options, tmp_path, monkeypatch):
    run_session(options, SMALL)
    image = np.full((2, *CANVAS_SHAPE), 0.5, np.float32)
    real = RealSlice(image, np.full(CANVAS_SHAPE, 3, np.uint8), 191.5)
    monkeypatch.setattr(session, "read_real_cases", lambda table, network: {"03": [real]})
    mixed = TrainingOptions(
        **{
            **vars(options),
            "work": tmp_path / "work2",
            "model": tmp_path / "model2",
            "start_from": options.model / "fold_0" / "checkpoint_final.pth",
            "real_cases": tmp_path / "cases.tsv",
            "real_share": 1.0,
        }
    )
    run_session(mixed, SMALL)
    first, second = (
        torch.load(folder / "fold_0" / "checkpoint_final.pth", weights_only=True)
        for folder in (options.model, mixed.model)
    )
    moved = [
        (second["network_weights"][name] != weights).any()
        for name, weights in first["network_weights"].items()
    ]
    assert any(moved)


def test_command_line_tells_what_is_wrong(repository, tmp_path):
    result = subprocess.run(
        [
            sys.executable,
            repository / "tools" / "train_thigh_model.py",
            *("--labels", tmp_path, "--work", tmp_path / "w", "--model", tmp_path / "m"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert f"No .nii or .nii.gz label map in {tmp_path}." in result.stderr
