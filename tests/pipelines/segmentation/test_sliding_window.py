"""Tiles and weights against nnU-Net's own predictor, and against networks that are known."""

import contextlib
import io

import numpy as np
import pytest
import torch

from pipelines.segmentation.model_files import open_model
from pipelines.segmentation.predict import load_segmenter
from pipelines.segmentation.registry import read_registry
from pipelines.segmentation.sliding_window import count_tiles, slide, tile_starts
from tests.pipelines.segmentation.tiny_models import plans, write_model

CPU = torch.device("cpu")


class Copy(torch.nn.Module):
    """The first channel and its double."""

    def forward(self, image):
        return torch.cat([image[:, :1], 2 * image[:, :1]], dim=1)


def nnunet_logits(segmenter, data):
    """Logits of nnU-Net's predictor."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    with contextlib.redirect_stdout(io.StringIO()):
        predictor = nnUNetPredictor(
            tile_step_size=0.5,
            use_gaussian=True,
            use_mirroring=False,
            perform_everything_on_device=False,
            device=CPU,
            allow_tqdm=False,
        )
    network = segmenter.network
    predictor.manual_initialization(
        network=segmenter.folds[0],
        plans_manager=network.plans_manager,
        configuration_manager=network.configuration_manager,
        parameters=None,
        dataset_json=dict(segmenter.files.dataset),
        trainer_name="",
        inference_allowed_mirroring_axes=None,
    )
    return predictor.predict_sliding_window_return_logits(data)


def our_logits(segmenter, data):
    with torch.inference_mode():
        return slide(
            data,
            segmenter.folds[0],
            segmenter.network.patch_size,
            step=0.5,
            device=CPU,
            results=CPU,
        )


@pytest.mark.parametrize("size", [(3, 48, 64), (2, 30, 40), (2, 100, 71), (1, 20, 130)])
def test_two_dimensional_networks_agree_with_nnunet(trained_folder, tmp_path, size):
    files = open_model(str(trained_folder), read_registry(), cache_dir=tmp_path, trust_model=True)
    segmenter = load_segmenter(files, device="cpu", backend="torch", threads=1)
    data = torch.from_numpy(np.random.default_rng(1).random((2, *size), np.float32))
    ours, theirs = our_logits(segmenter, data), nnunet_logits(segmenter, data)
    assert ours.shape == theirs.shape
    # nnU-Net adds up in float16.
    torch.testing.assert_close(ours, theirs.float(), rtol=0, atol=0.03)


def test_three_dimensional_networks_agree_with_nnunet(checkpoint_3d, tmp_path):
    folder = write_model(
        tmp_path,
        checkpoint_3d,
        configuration="3d_fullres",
        **{"plans.json": plans(three_dimensional=True)},
    )
    files = open_model(str(folder), read_registry(), cache_dir=tmp_path, trust_model=True)
    segmenter = load_segmenter(files, device="cpu", backend="torch", threads=1)
    a, b, d = segmenter.network.patch_size
    data = torch.from_numpy(np.random.default_rng(2).random((2, a + 3, b - 9, d + 20), np.float32))
    ours, theirs = our_logits(segmenter, data), nnunet_logits(segmenter, data).float()
    assert ours.shape == theirs.shape
    # In the outermost corners the weights are too small for nnU-Net's float16.
    assert ((ours - theirs).abs() < 0.03).float().mean() > 0.99


@pytest.mark.parametrize("patch", [(8, 6), (4, 8, 6)])
def test_a_network_that_copies_gives_back_the_data(patch):
    data = torch.rand(2, 5, 19, 4)
    logits = slide(data, Copy(), patch, step=0.5, device=CPU, results=CPU)
    torch.testing.assert_close(logits, torch.stack([data[0], 2 * data[0]]))


def test_every_tile_is_reported():
    done = []
    data = torch.rand(1, 3, 20, 6)
    slide(data, Copy(), (8, 6), step=0.7, device=CPU, results=CPU, done=lambda: done.append(1))
    assert len(done) == count_tiles((3, 20, 6), (8, 6), 0.7) == 3 * 4


def test_tiles_cover_the_data_from_edge_to_edge():
    assert tile_starts((20, 6), (8, 6), 0.5) == [(0, 0), (4, 0), (8, 0), (12, 0)]
    assert tile_starts((5, 3), (8, 6), 0.5) == [(0, 0)]
    assert count_tiles((10, 20, 6), (5, 10, 6), 0.5) == 9


def test_no_slices_is_an_error():
    with pytest.raises(ValueError, match="no slices to predict"):
        slide(torch.zeros(2, 0, 8, 6), Copy(), (8, 6), step=0.5, device=CPU, results=CPU)
