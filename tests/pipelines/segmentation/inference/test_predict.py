"""Prediction: exact grid, any voxel size, no side effects."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipelines.errors import DataError, DeviceError, ModelError
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference import predict
from pipelines.segmentation.inference.predict import load_segmenter, predict_labels
from tests.pipelines.segmentation.tiny_models import SPACING, disc_scan, plans, write_model


def opened(folder, tmp_path):
    return open_model(str(folder), read_registry(), cache_dir=tmp_path, trust_model=True)


def dice(labels, truth, value):
    found, true = labels == value, truth == value
    return 2 * (found & true).sum() / (found.sum() + true.sum())


@pytest.fixture(scope="module")
def segmenter(trained_folder, tmp_path_factory):
    files = opened(trained_folder, tmp_path_factory.mktemp("cache"))
    return load_segmenter(files, device="cpu", backend="torch", threads=1)


def rule(tiles):
    """A network whose labels are known: the class is the rounded value of the first channel."""
    for tile in tiles:
        values = np.arange(3, dtype=np.float32).reshape(-1, *[1] * (tile.ndim - 1))
        yield -10 * (tile[:1] - values) ** 2


@pytest.fixture
def rule_segmenter(segmenter):
    return replace(segmenter, folds=(rule,))


def scan_of(labels, spacing):
    channels = np.zeros((2, *labels.shape), np.float32)
    channels[0] = labels
    channels[1] = 1.0  # fills the image, so that nothing is cut off as air
    return channels, np.diag([*spacing, 1.0])


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((64, 48, 8), (SPACING, SPACING, 6.0)),
        ((192, 144, 3), (0.5, 0.5, 26.0)),
        ((48, 36, 16), (2.0, 2.0, 3.0)),
        ((96, 40, 4), (1.0, 1.8, 12.0)),
    ],
)
def test_trained_network_finds_the_discs_at_any_voxel_size(segmenter, shape, spacing):
    channels, affine, truth = disc_scan(shape, spacing, seed=99)
    found = predict_labels(channels, affine, segmenter)
    assert found.labels.shape == shape
    assert found.labels.dtype == np.uint8
    assert dice(found.labels, truth, 1) > 0.9
    assert dice(found.labels, truth, 2) > 0.9
    assert set(found.soft_voxels) == {1, 2}
    for value in (1, 2):
        hard = (found.labels == value).sum()
        assert found.soft_voxels[value].sum() == pytest.approx(hard, rel=0.6)
        assert found.soft_voxels[value].shape == (1, 1, found.labels.shape[2])
    assert found.probability[truth > 0].mean() > 0.6 * 255
    assert found.entropy[channels.sum(0) < 0.1].mean() < found.entropy[truth > 0].mean()


def test_network_grid_is_returned_voxel_for_voxel(rule_segmenter):
    labels = np.random.default_rng(3).integers(0, 3, (64, 48, 5)).astype(np.uint8)
    channels, affine = scan_of(labels, (SPACING, SPACING, 6.0))
    np.testing.assert_array_equal(predict_labels(channels, affine, rule_segmenter).labels, labels)


def test_finer_grid_is_returned_without_shift(rule_segmenter):
    # blocks of 3 voxels of 0.5 mm: exactly one voxel of the network each
    labels = np.zeros((192, 144, 2), np.uint8)
    labels[30:90, 21:99, 0] = 1
    labels[120:150, 60:120, 1] = 1
    channels, affine = scan_of(labels, (0.5, 0.5, 6.0))
    found = predict_labels(channels, affine, rule_segmenter).labels
    # interpolation may move a border by a voxel of the scan, but never to one side
    assert (found != labels).mean() < 0.01
    for k in (0, 1):
        centre, true = (np.argwhere(a[..., k] == 1).mean(axis=0) for a in (found, labels))
        np.testing.assert_allclose(centre, true, atol=0.02)


def test_network_sees_slices_as_nnunet_stores_them(segmenter):
    seen = []

    def spy(tiles):
        for tile in tiles:
            seen.append(tile[0].copy())
            yield from rule([tile])

    labels = np.zeros((64, 48, 2), np.uint8)
    labels[10, 20, 1] = 2  # x 10, y 20
    channels, affine = scan_of(labels, (SPACING, SPACING, 6.0))
    predict_labels(channels, affine, replace(segmenter, folds=(spy,)))
    assert seen[0].shape == (48, 64)
    assert np.argwhere(seen[1] == 2).tolist() == [[20, 10]]


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "LAS", "SRA", "PIR"])
@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_orientation_of_the_training_is_made_and_undone(segmenter, orientation, transpose):
    turned = replace(
        segmenter,
        files=replace(segmenter.files, orientation=orientation),
        plan=replace(segmenter.plan, transpose=transpose),
        folds=(rule,),
    )
    labels = np.random.default_rng(3).integers(0, 3, (20, 24, 16)).astype(np.uint8)
    channels, affine = scan_of(labels, (SPACING, SPACING, SPACING))
    np.testing.assert_array_equal(predict_labels(channels, affine, turned).labels, labels)


def test_air_is_background_with_certainty(rule_segmenter):
    labels = np.zeros((200, 48, 2), np.uint8)
    labels[90:110, 10:30] = 1
    channels, affine = scan_of(labels, (SPACING, SPACING, 6.0))
    channels[1] = 0
    channels[1, 80:120] = 1
    found = predict_labels(channels, affine, rule_segmenter)
    np.testing.assert_array_equal(found.labels, labels)
    assert (found.probability[:40] == 255).all()
    assert (found.entropy[:40] == 0).all()


def test_folds_are_averaged(segmenter):
    def vote(*logits):
        def network(tiles):
            for tile in tiles:
                scores = np.array(logits, np.float32).reshape(3, 1, 1)
                yield np.broadcast_to(scores, (3, *tile.shape[1:]))

        return network

    channels, affine, _ = disc_scan((64, 48, 2), (SPACING, SPACING, 6.0))
    votes = replace(segmenter, folds=(vote(3.0, 0.0, 2.0), vote(0.0, 3.0, 2.0)))
    found = predict_labels(channels, affine, votes)
    middle = (32, 24, 1)
    assert found.labels[middle] == 2  # the second choice of both
    expected = np.exp(2.0) / (np.exp(2.0) + 2 * np.exp(1.5))
    assert found.probability[middle] == pytest.approx(255 * expected, abs=1)
    assert found.soft_voxels[2].sum() / (64 * 48 * 2) == pytest.approx(expected, rel=0.3)


def test_blocks_of_slices_give_the_same_as_all_at_once(segmenter, monkeypatch):
    channels, affine, _ = disc_scan((64, 48, 7), (SPACING, SPACING, 6.0), seed=4)
    whole = predict_labels(channels, affine, segmenter)
    monkeypatch.setattr(predict, "BLOCK_BYTES", 3 * 48 * 64 * 2 * 2)
    parts = predict_labels(channels, affine, segmenter)
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_array_equal(parts.probability, whole.probability)


def test_slices_have_a_say_in_their_neighbours_across_blocks(segmenter, monkeypatch):
    channels, affine, _ = disc_scan((64, 48, 7), (SPACING, SPACING, 6.0), seed=4)
    mixed = replace(segmenter, neighbour_weight=0.5)
    whole = predict_labels(channels, affine, mixed)
    assert (whole.probability != predict_labels(channels, affine, segmenter).probability).any()
    monkeypatch.setattr(predict, "BLOCK_BYTES", 3 * 48 * 64 * 2 * 2)
    parts = predict_labels(channels, affine, mixed)
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_array_equal(parts.probability, whole.probability)


def test_progress_counts_every_tile(segmenter):
    channels, affine, _ = disc_scan((120, 48, 3), (SPACING, SPACING, 6.0))
    steps = []
    predict_labels(channels, affine, segmenter, lambda done, total: steps.append((done, total)))
    total = steps[0][1]
    assert total % 3 == 0
    assert total > 3
    assert steps == [(i + 1, total) for i in range(total)]


def test_three_dimensional_network_is_resampled_along_the_limb(checkpoint_3d, tmp_path):
    folder = write_model(
        tmp_path,
        checkpoint_3d,
        configuration="3d_fullres",
        **{"plans.json": plans(three_dimensional=True)},
    )
    segmenter = load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")
    for shape, spacing in [((64, 48, 16), (SPACING, SPACING, 3.0)), ((64, 48, 4), (1.5, 1.5, 24))]:
        channels, affine, truth = disc_scan(shape, spacing, seed=99)
        found = predict_labels(channels, affine, segmenter)
        assert found.labels.shape == shape
        assert dice(found.labels, truth, 1) > 0.85
        assert dice(found.labels, truth, 2) > 0.85


def test_neighbour_weight_is_for_two_dimensional_networks(checkpoint_3d, tmp_path):
    folder = write_model(
        tmp_path,
        checkpoint_3d,
        configuration="3d_fullres",
        **{"plans.json": plans(three_dimensional=True)},
    )
    files = replace(opened(folder, tmp_path), neighbour_weight=0.1)
    with pytest.raises(ModelError, match="three-dimensional and sees adjacent slices") as caught:
        load_segmenter(files, device="cpu", backend="torch")
    assert "Remove neighbour_weight" in caught.value.hint


def test_say_of_adjacent_slices_can_be_left_out(trained_folder, tmp_path):
    files = replace(opened(trained_folder, tmp_path), neighbour_weight=0.1)
    mixed, alone = (
        load_segmenter(files, device="cpu", backend="torch", neighbours=on) for on in (True, False)
    )
    assert mixed.provenance()["NeighbourWeight"] == 0.1
    assert alone.provenance()["NeighbourWeight"] == 0.0
    channels, affine, _ = disc_scan((64, 48, 3), (SPACING, SPACING, 6.0))
    found = [predict_labels(channels, affine, one).probability for one in (mixed, alone)]
    assert (found[0] != found[1]).any()


def test_logits_are_interpolated_between_slices(segmenter):
    # three slices of 6 mm from six of 3 mm: the network sees the mean position of each pair
    plan = replace(segmenter.plan, patch_size=(4, 48, 64), spacing=(6.0, SPACING, SPACING))
    labels = np.zeros((64, 48, 3), np.uint8)
    labels[..., 1] = 2
    channels, affine = scan_of(labels, (SPACING, SPACING, 12.0))
    found = predict_labels(channels, affine, replace(segmenter, plan=plan, folds=(rule,)))
    np.testing.assert_array_equal(found.labels, labels)


def test_number_of_channels_is_checked(segmenter):
    with pytest.raises(ModelError, match="has 2 input channels; 3 channels were given"):
        predict_labels(np.zeros((3, 8, 8, 2)), np.eye(4), segmenter)
    with pytest.raises(ModelError, match="an array without channels"):
        predict_labels(np.zeros((8, 8, 2)), np.eye(4), segmenter)


def test_images_without_signal_are_refused(segmenter):
    with pytest.raises(DataError, match="hold no signal"):
        predict_labels(np.zeros((2, 16, 16, 2)), np.eye(4), segmenter)


def test_empty_images_are_refused(segmenter):
    with pytest.raises(DataError, match=r"images are empty \(shape \(16, 16, 0\)\)"):
        predict_labels(np.zeros((2, 16, 16, 0)), np.eye(4), segmenter)


def test_affine_is_checked(segmenter):
    with pytest.raises(DataError, match="singular"):
        predict_labels(np.ones((2, 16, 16, 2)), np.zeros((4, 4)), segmenter)


def test_torch_backend_has_no_bfloat16(trained_folder, tmp_path):
    with pytest.raises(DeviceError, match="does not compute in bfloat16"):
        load_segmenter(
            opened(trained_folder, tmp_path), device="cpu", backend="torch", precision="bf16"
        )


def test_openvino_backend_is_for_cpus(trained_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match="runs on the CPU, not on cuda:0"):
        load_segmenter(opened(trained_folder, tmp_path), device="cuda", backend="openvino")


def test_provenance_names_model_and_method(segmenter):
    said = segmenter.provenance()
    assert said["ModelSHA256"] == segmenter.files.checksum
    assert said["Backend"] == "torch"
    assert said["Precision"] == "f32"
    assert said["Device"] == "cpu"
    assert said["PatchSize"] == [48, 64]
    assert said["NetworkSpacing"] == [SPACING, SPACING]
    assert said["Mirroring"] is False
    assert said["NeighbourWeight"] == 0.0


def test_damaged_checkpoint(model_folder, tmp_path):
    path = model_folder / "fold_0" / "checkpoint_final.pth"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"checkpoint_final\.pth cannot be read"):
        load_segmenter(opened(model_folder, tmp_path), device="cpu", backend="torch")


def test_git_lfs_pointer(model_folder, tmp_path):
    path = model_folder / "fold_0" / "checkpoint_final.pth"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n")
    with pytest.raises(ModelError, match="is a Git LFS pointer") as caught:
        load_segmenter(opened(model_folder, tmp_path), device="cpu", backend="torch")
    assert "git lfs pull" in caught.value.hint


def test_other_pth_file(model_folder, tmp_path):
    torch.save({"weights": 1}, model_folder / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(ModelError, match="holds no 'network_weights'"):
        load_segmenter(opened(model_folder, tmp_path), device="cpu", backend="torch")


def test_checkpoint_of_another_network(checkpoint, tmp_path):
    content = plans()
    architecture = content["configurations"]["2d"]["architecture"]
    architecture["arch_kwargs"]["features_per_stage"] = [4, 8]
    folder = write_model(tmp_path, checkpoint, **{"plans.json": content})
    with pytest.raises(ModelError, match=r"do not fit the network of plans\.json"):
        load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")


def test_network_of_a_newer_version(checkpoint, tmp_path):
    content = plans()
    keywords = content["configurations"]["2d"]["architecture"]["arch_kwargs"]
    keywords["stem_channels"] = 4  # which the residual network takes, this one does not
    folder = write_model(tmp_path, checkpoint, **{"plans.json": content})
    with pytest.raises(
        ModelError, match=r"architecture PlainConvUNet .* cannot be built"
    ) as caught:
        load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")
    assert "another version of dynamic-network-architectures than 0." in caught.value.hint


def test_network_that_does_not_fit_its_patch(checkpoint, tmp_path):
    content = plans()
    keywords = content["configurations"]["2d"]["architecture"]["arch_kwargs"]
    keywords["kernel_sizes"] = [[2, 2], [3, 3]]
    folder = write_model(tmp_path, checkpoint, **{"plans.json": content})
    with pytest.raises(ModelError, match=r"architecture PlainConvUNet .* cannot be built"):
        load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")


def test_huge_networks_take_no_memory_before_their_weights_fit(checkpoint, tmp_path):
    content = plans()
    keywords = content["configurations"]["2d"]["architecture"]["arch_kwargs"]
    keywords |= {"features_per_stage": [4096, 4096], "kernel_sizes": [[15, 15], [15, 15]]}
    keywords["n_conv_per_stage"] = [64, 64]  # 2 TB of weights
    folder = write_model(tmp_path, checkpoint, **{"plans.json": content})
    with pytest.raises(ModelError, match=r"do not fit the network of plans\.json"):
        load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")


def test_weights_of_compiled_and_distributed_networks_load(checkpoint, tmp_path, segmenter):
    weights = {f"module._orig_mod.{k}": v for k, v in checkpoint["network_weights"].items()}
    folder = write_model(tmp_path, {**checkpoint, "network_weights": weights})
    loaded = load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")
    tile = np.random.default_rng(0).random((2, 48, 64), np.float32)
    ours, theirs = (next(which.folds[0]([tile])) for which in (loaded, segmenter))
    np.testing.assert_array_equal(ours, theirs)


def test_checkpoint_with_a_training_log_loads(checkpoint, tmp_path):
    # nnU-Net keeps numpy scalars beside the weights, which weights_only refuses
    log = {"mean_fg_dice": [np.float64(0.9)], "epoch_start_timestamps": [np.datetime64("2026")]}
    folder = write_model(tmp_path, {**checkpoint, "logging": log})
    loaded = load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")
    assert len(loaded.folds) == 1


def test_configuration_comes_from_the_checkpoint_if_the_folder_does_not_tell(
    checkpoint, tmp_path, trained_folder
):
    folder = write_model(tmp_path, checkpoint).rename(tmp_path / "discs")
    files = opened(folder, tmp_path)
    assert files.plan is None
    loaded = load_segmenter(files, device="cpu", backend="torch")
    assert loaded.plan.configuration == "2d"
    nameless = {k: v for k, v in checkpoint.items() if k != "init_args"}
    folder = write_model(tmp_path / "b", nameless).rename(tmp_path / "nameless")
    with pytest.raises(ModelError, match="names a configuration"):
        load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")


def test_nothing_is_printed_written_or_needed(trained_folder, repository, tmp_path):
    """A bare process: no HOME, no nnUNet_* variables, a read-only model."""
    code = f"""
import sys
from pathlib import Path
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.inference.predict import load_segmenter, predict_labels
from pipelines.segmentation.catalogue.registry import read_registry
from tests.pipelines.segmentation.tiny_models import disc_scan
files = open_model({str(trained_folder)!r}, read_registry(), cache_dir=Path({str(tmp_path)!r}),
                   trust_model=True)
segmenter = load_segmenter(files, device="cpu", threads=1)
channels, affine, _ = disc_scan((64, 48, 2), (1.5, 1.5, 6.0))
assert predict_labels(channels, affine, segmenter).labels.any()
import multiprocessing
assert multiprocessing.active_children() == []
"""
    before = sorted(p.name for p in trained_folder.rglob("*"))
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(p.name for p in trained_folder.rglob("*")) == before


def test_old_plans_without_an_architecture_are_translated(checkpoint, tmp_path):
    content = plans()
    configuration = content["configurations"]["2d"]
    del configuration["architecture"]
    configuration |= {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 8,
        "unet_max_num_features": 16,
        "n_conv_per_stage_encoder": [1, 1],
        "n_conv_per_stage_decoder": [1],
        "num_pool_per_axis": [1, 1],
        "pool_op_kernel_sizes": [[1, 1], [2, 2]],
        "conv_kernel_sizes": [[3, 3], [3, 3]],
    }
    folder = write_model(tmp_path, checkpoint, **{"plans.json": content})
    loaded = load_segmenter(opened(folder, tmp_path), device="cpu", backend="torch")
    channels, affine, truth = disc_scan((64, 48, 4), (SPACING, SPACING, 6.0), seed=9)
    assert dice(predict_labels(channels, affine, loaded).labels, truth, 2) > 0.9
