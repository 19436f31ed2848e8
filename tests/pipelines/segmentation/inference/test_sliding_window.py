"""Tiles and weights against nnU-Net's own, and against networks that are known."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference.network import build_network
from pipelines.segmentation.inference.predict import load_segmenter
from pipelines.segmentation.inference.sliding_window import (
    count_tiles,
    mix_neighbours,
    slide,
    tile_starts,
    tile_weights,
)
from tests.pipelines.segmentation.tiny_models import plans, write_model


def copy(tiles):
    """The first channel and its double."""
    for tile in tiles:
        yield np.concatenate([tile[:1], 2 * tile[:1]])


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 200), st.integers(4, 64)), min_size=1, max_size=3),
    step=st.sampled_from([0.3, 0.5, 0.7, 1.0]),
)
def test_tiles_start_where_those_of_nnunet_do(sizes, step):
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    patch = tuple(size for _, size in sizes)
    shape = tuple(max(size, length) for length, size in sizes)
    starts = tile_starts([length for length, _ in sizes], patch, step)
    theirs = compute_steps_for_sliding_window(shape, patch, step)
    assert [sorted({start[axis] for start in starts}) for axis in range(len(patch))] == theirs
    assert len(starts) == math.prod(map(len, theirs))


@pytest.mark.parametrize("patch", [(192, 320), (48, 64), (8, 48, 64), (5, 7, 9)])
def test_weights_are_those_of_nnunet(patch):
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    theirs = compute_gaussian(patch, value_scaling_factor=10, device=torch.device("cpu")).float()
    ours = tile_weights(patch)
    assert ours.dtype == np.float32
    assert ours.min() > 0
    # Half precision, in steps of 2**-24 where it ends.
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-3, atol=2**-24)


def nnunet_logits(files, data):
    """Logits of nnU-Net's predictor."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    with contextlib.redirect_stdout(io.StringIO()):
        predictor = nnUNetPredictor(
            tile_step_size=0.5,
            use_gaussian=True,
            use_mirroring=False,
            perform_everything_on_device=False,
            device=torch.device("cpu"),
            allow_tqdm=False,
        )
    manager = PlansManager(dict(files.plans))
    predictor.manual_initialization(
        network=build_network(files, files.plan, files.checkpoints[0]),
        plans_manager=manager,
        configuration_manager=manager.get_configuration(files.plan.configuration),
        parameters=None,
        dataset_json=dict(files.dataset),
        trainer_name="",
        inference_allowed_mirroring_axes=None,
    )
    return predictor.predict_sliding_window_return_logits(torch.from_numpy(data)).float().numpy()


def our_logits(files, data):
    segmenter = load_segmenter(files, device="cpu", backend="torch", threads=1)
    return slide(data, segmenter.folds[0], files.plan.patch_size, 3, step=0.5)


def opened(folder, tmp_path):
    return open_model(str(folder), read_registry(), cache_dir=tmp_path, trust_model=True)


@pytest.mark.parametrize("size", [(3, 48, 64), (2, 30, 40), (2, 100, 71), (1, 20, 130)])
def test_two_dimensional_networks_agree_with_nnunet(trained_folder, tmp_path, size):
    files = opened(trained_folder, tmp_path)
    data = np.random.default_rng(1).random((2, *size), np.float32)
    ours, theirs = our_logits(files, data), nnunet_logits(files, data)
    assert ours.shape == theirs.shape
    # nnU-Net adds up in float16.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.03)


def test_three_dimensional_networks_agree_with_nnunet(checkpoint_3d, tmp_path):
    folder = write_model(
        tmp_path,
        checkpoint_3d,
        configuration="3d_fullres",
        **{"plans.json": plans(three_dimensional=True)},
    )
    files = opened(folder, tmp_path)
    a, b, d = files.plan.patch_size
    data = np.random.default_rng(2).random((2, a + 3, b - 9, d + 20), np.float32)
    ours, theirs = our_logits(files, data), nnunet_logits(files, data)
    assert ours.shape == theirs.shape
    # In the outermost corners the weights are too small for nnU-Net's float16.
    assert (np.abs(ours - theirs) < 0.03).mean() > 0.99


@pytest.mark.parametrize("patch", [(8, 6), (4, 8, 6)])
def test_a_network_that_copies_gives_back_the_data(patch):
    data = np.random.default_rng(0).random((2, 5, 19, 4), np.float32)
    logits = slide(data, copy, patch, 2, step=0.5)
    np.testing.assert_allclose(logits, np.stack([data[0], 2 * data[0]]), rtol=1e-6)


def test_every_tile_is_reported():
    done = []
    data = np.ones((1, 3, 20, 6), np.float32)
    slide(data, copy, (8, 6), 2, step=0.7, done=lambda: done.append(1))
    assert len(done) == count_tiles((3, 20, 6), (8, 6), 0.7) == 3 * 4


def test_tiles_cover_the_data_from_edge_to_edge():
    assert tile_starts((20, 6), (8, 6), 0.5) == [(0, 0), (4, 0), (8, 0), (12, 0)]
    assert tile_starts((5, 3), (8, 6), 0.5) == [(0, 0)]
    assert count_tiles((10, 20, 6), (5, 10, 6), 0.5) == 9


def blocks_of(logits, *lengths):
    stops = np.cumsum(lengths)
    for first, stop in zip(stops - lengths, stops, strict=True):
        yield int(first), logits[:, first:stop].copy()


def mixed(blocks, weight):
    found = list(mix_neighbours(blocks, weight))
    assert [first for first, _ in found] == list(
        np.cumsum([0, *(logits.shape[1] for _, logits in found)])[:-1]
    )
    return np.concatenate([logits for _, logits in found], axis=1)


@pytest.mark.parametrize("lengths", [(7,), (3, 3, 1), (1, 1, 5), (1,) * 7])
def test_weighted_mean_over_neighbours_however_the_scan_is_divided(lengths):
    logits = np.random.default_rng(0).normal(size=(3, 7, 4, 5)).astype(np.float32)
    padded = np.pad(logits, [(0, 0), (1, 1), (0, 0), (0, 0)])
    expected = padded[:, 1:-1] + 0.25 * (padded[:, :-2] + padded[:, 2:])
    expected /= np.array([1.25, 1.5, 1.5, 1.5, 1.5, 1.5, 1.25])[:, None, None]
    found = mixed(blocks_of(logits, *lengths), 0.25)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_single_slice_stays():
    logits = np.random.default_rng(1).normal(size=(2, 1, 3, 3)).astype(np.float32)
    np.testing.assert_array_equal(mixed(blocks_of(logits, 1), 0.3), logits)


def test_nothing_gives_nothing():
    assert list(mix_neighbours([], 0.1)) == []


def test_doubtful_slice_follows_its_neighbours_and_a_clear_one_does_not():
    logits = np.zeros((2, 3, 1, 2), np.float32)
    logits[0] = 4.0  # the neighbours are sure of the first class
    logits[:, 1, 0, 0] = (0.0, 0.5)
    logits[:, 1, 0, 1] = (0.0, 5.0)
    assert mixed(blocks_of(logits, 3), 0.1)[:, 1, 0].argmax(axis=0).tolist() == [0, 1]
