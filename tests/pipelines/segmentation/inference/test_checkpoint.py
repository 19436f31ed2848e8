"""A checkpoint is the file that was checked, and runs code only where nothing else reads it."""

import zipfile

import numpy as np
import pytest
import torch

from pipelines.errors import ModelError
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.checkpoint import read_checkpoint
from tests.pipelines.segmentation.tiny_models import write_model

# What nnU-Net 2 keeps beside the weights.
NNUNET = {
    "logging": {"mean_fg_dice": [np.float64(0.9), np.float32(0.8)], "lrs": [0.01]},
    "_best_ema": np.float64(0.9),
    "current_epoch": 1000,
    "init_args": {"configuration": "2d", "fold": 0, "device": torch.device("cpu")},
    "inference_allowed_mirroring_axes": (0, 1),
    "optimizer_state": {"state": {0: {"step": np.int64(3)}}, "momentum": np.zeros(2)},
}


def opened(folder, tmp_path):
    return open_model(str(folder), read_registry(), cache_dir=tmp_path, trust_model=True)


@pytest.fixture
def reads(monkeypatch):
    """Whether weights only were asked for, each time that torch reads something."""
    asked, load = [], torch.load

    def spy(*arguments, weights_only, **options):
        asked.append(weights_only)
        return load(*arguments, weights_only=weights_only, **options)

    monkeypatch.setattr(torch, "load", spy)
    return asked


def test_what_nnunet_stores_is_read_without_running_code(tmp_path, checkpoint, reads):
    files = opened(write_model(tmp_path, {**checkpoint, **NNUNET}), tmp_path)
    content = read_checkpoint(files, files.checkpoints[0])
    assert reads == [True]
    assert content["_best_ema"] == 0.9
    assert content["logging"] == NNUNET["logging"]


def test_what_numpy_1_stored_is_read_without_running_code(tmp_path, checkpoint, reads):
    folder = write_model(tmp_path, {**checkpoint, "_best_ema": np.float64(0.5)})
    path = folder / "fold_0" / "checkpoint_final.pth"
    with zipfile.ZipFile(path) as archive:
        parts = {item.filename: archive.read(item) for item in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            old = part.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
            assert (old != part) == name.endswith("data.pkl")
            archive.writestr(name, old)
    files = opened(folder, tmp_path)
    assert read_checkpoint(files, path)["_best_ema"] == 0.5
    assert reads == [True]


@pytest.mark.parametrize(
    "weights", [None, [], {"a": 1}, {3: torch.zeros(1)}], ids=["none", "list", "number", "key"]
)
def test_what_holds_no_weights_is_refused(tmp_path, weights):
    files = opened(write_model(tmp_path, {"network_weights": weights}), tmp_path)
    with pytest.raises(ModelError, match="holds no 'network_weights'"):
        read_checkpoint(files, files.checkpoints[0])


def test_a_file_that_changed_after_the_check_is_refused(tmp_path, checkpoint):
    files = opened(write_model(tmp_path, checkpoint), tmp_path)
    torch.save({**checkpoint, "more": 1}, files.checkpoints[0])
    with pytest.raises(ModelError, match=r"has changed since its SHA-256 was checked"):
        read_checkpoint(files, files.checkpoints[0])
