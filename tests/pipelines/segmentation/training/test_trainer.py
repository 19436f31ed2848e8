"""Training steps, resuming, export and evaluation with a very small network."""

import json
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.real_sampler import RealSlice
from pipelines.segmentation.synthesis.sampler import Sampler, SamplerRange
from pipelines.segmentation.training.evaluation import (
    evaluate_on_synthetic_scans,
    predict_classes,
    slice_by_slice,
    summarize,
)
from pipelines.segmentation.training.export import export_model, load_network
from pipelines.segmentation.training.plans import dataset_description, make_plans
from pipelines.segmentation.training.stream import (
    MixedSampler,
    SampleSources,
    SampleStream,
    draw_batch,
)
from pipelines.segmentation.training.trainer import make_trainer, set_nnunet_folders

SHAPE = (64, 32)
DATASET = dataset_description("Dataset999_Test", 1)
PLANS = make_plans(DATASET, SHAPE, base_features=4, max_features=8, batch_size=2)


def batch(seed=0):
    """Two images whose left half is class 1 and bright in water."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.1, (2, 2, SHAPE[1], SHAPE[0])).astype(np.float32)
    classes = np.zeros((2, 1, SHAPE[1], SHAPE[0]), np.uint8)
    images[:, 0, :, :32] += 1
    classes[..., :32] = 1
    return images, classes


@pytest.fixture
def trained(tmp_path, monkeypatch):
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, "unset")
    set_nnunet_folders(tmp_path)
    torch.manual_seed(0)
    trainer = new_trainer()
    trainer.run_training()
    return Path(trainer.output_folder)


def new_trainer(epochs=2):
    return make_trainer(
        PLANS,
        DATASET,
        repeat(batch()),
        [batch(1)],
        epochs=epochs,
        steps=3,
        learning_rate=1e-2,
        device=torch.device("cpu"),
    )


def test_training_writes_nnunet_checkpoints_with_averaged_weights(trained):
    stored = torch.load(trained / "checkpoint_final.pth", weights_only=False)
    assert stored["trainer_name"] == "SyntheticTrainer"
    assert stored["current_epoch"] == 2
    assert stored["average_weights"].keys() == stored["network_weights"].keys()
    assert np.isfinite(stored["logging"]["train_losses"]).all()


def test_loss_falls_and_weights_move(trained):
    stored = torch.load(trained / "checkpoint_final.pth", weights_only=False)
    losses = stored["logging"]["train_losses"]
    assert losses[1] < losses[0]


def test_resuming_takes_over_state_and_epoch(trained):
    trainer = new_trainer(epochs=3)
    trainer.start_from(trained / "checkpoint_final.pth", resume=True)
    assert trainer.current_epoch == 2
    stored = torch.load(trained / "checkpoint_final.pth", weights_only=False)
    name = next(iter(stored["network_weights"]))
    torch.testing.assert_close(trainer.network.state_dict()[name], stored["network_weights"][name])
    torch.testing.assert_close(
        trainer.average.module.state_dict()[name], stored["average_weights"][name]
    )
    trainer.run_training()
    assert trainer.current_epoch == 3


def test_starting_from_weights_begins_at_epoch_zero(trained):
    trainer = new_trainer()
    trainer.start_from(trained / "checkpoint_final.pth", resume=False)
    stored = torch.load(trained / "checkpoint_final.pth", weights_only=False)
    name = next(iter(stored["average_weights"]))
    assert trainer.current_epoch == 0
    torch.testing.assert_close(trainer.network.state_dict()[name], stored["average_weights"][name])


def test_exported_folder_loads_safely_and_predicts_the_same(trained, tmp_path):
    folder = tmp_path / "model"
    checkpoint = export_model(trained / "checkpoint_final.pth", PLANS, DATASET, folder, (128, 64))
    stored = torch.load(checkpoint, weights_only=True)
    assert stored["trainer_name"] == "nnUNetTrainer"
    assert "optimizer_state" not in stored
    distinct = {t.data_ptr(): t.numel() for t in stored["network_weights"].values()}
    parameters = sum(p.numel() for p in load_network(folder).parameters())
    assert sum(distinct.values()) == parameters
    assert json.loads((folder / "dataset.json").read_text()) == DATASET
    plans = json.loads((folder / "plans.json").read_text())
    assert plans["configurations"]["2d"]["patch_size"] == [64, 128]
    average = torch.load(trained / "checkpoint_final.pth", weights_only=False)["average_weights"]
    trainer = new_trainer()
    trainer.network.load_state_dict(average)
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    image = torch.from_numpy(batch(3)[0])
    with torch.inference_mode():
        exported, original = load_network(folder)(image), trainer.network(image)
    assert exported.dtype == torch.float32
    torch.testing.assert_close(exported, original, rtol=0, atol=5e-2)
    assert (exported.argmax(1) == original.argmax(1)).float().mean() > 0.99


class Oracle(torch.nn.Module):
    """Returns the true classes of the samples it is shown, shifted by `offset` pixels."""

    def __init__(self, samples, offset=0):
        super().__init__()
        self.truth = {s.image.tobytes(): s.classes for s in samples}
        self.offset = offset

    def forward(self, images):
        image = np.ascontiguousarray(images[0].numpy().transpose(0, 2, 1))
        classes = np.roll(self.truth[image.tobytes()], self.offset, 0).T.astype(np.int64)
        return torch.nn.functional.one_hot(torch.from_numpy(classes), 15).permute(2, 0, 1)[None]


def samples_of(thigh, seed):
    drawer = Sampler([thigh], NoiseBank(1), seed)
    scene = drawer.draw_scene(thigh)
    return [drawer.draw_slice(scene, int(z)) for z in np.flatnonzero(thigh.native)]


def evaluate(thigh, offset):
    oracle = Oracle(samples_of(thigh, 4), offset)
    sampler = Sampler([thigh], NoiseBank(1), 4)
    return evaluate_on_synthetic_scans(slice_by_slice(oracle), [thigh], sampler, 1)


def test_a_perfect_network_has_dice_one(simple_thigh):
    scores = evaluate(simple_thigh, 0)
    assert (scores["dice"] == 1).all()
    np.testing.assert_allclose(scores["volume_ml"], scores["predicted_ml"])
    assert set(scores["side"]) <= {"first", "second"}


def test_a_displaced_prediction_scores_lower(simple_thigh):
    scores = evaluate(simple_thigh, 4)
    assert 0.4 < scores["dice"].mean() < 0.95


def test_summary_splits_by_severity_and_counts_absent_muscles(simple_thigh):
    scores = evaluate(simple_thigh, 0)
    scores["fat_percent"] = np.where(np.arange(len(scores)) % 2, 50.0, 5.0)
    scores.loc[0, ["dice", "predicted_ml"]] = 0.0
    table = summarize(scores).set_index(["severity", "muscle"])
    mild = (scores["fat_percent"] < 20).sum()
    assert table.loc[("mild", "all"), "n"] == mild
    assert table.loc[("mild", "all"), "absence_rate"] == pytest.approx(1 / mild)
    assert table.loc[("severe", "all"), "dice_mean"] == 1
    assert table.loc[("mild", "all"), "dice_mean"] == pytest.approx(1 - 1 / mild)


def test_predicted_classes_have_the_order_of_the_images():
    class Rows(torch.nn.Module):
        def forward(self, images):
            return torch.cat([images[:, :1], 1 - images[:, :1]], dim=1)

    images = np.zeros((2, 2, 6, 4), np.float32)
    images[1, 0, :3] = 1
    classes = predict_classes(Rows(), images)
    assert classes.shape == (6, 4, 2)
    np.testing.assert_array_equal(classes[:, 0, 1], [0, 0, 0, 1, 1, 1])


def test_batches_are_in_nnunet_order_and_repeat_with_their_seed(simple_thigh):
    ranges = SamplerRange(shape=(96, 64))
    images, classes = draw_batch(Sampler([simple_thigh], NoiseBank(1), 3, ranges), 2)
    assert images.shape == (2, 2, 64, 96)
    assert classes.shape == (2, 1, 64, 96)
    stream = SampleStream(SampleSources([simple_thigh], ranges=ranges), 2, 3, 1)
    try:
        streamed = next(stream)
    finally:
        stream.close()
    direct = draw_batch(Sampler([simple_thigh], NoiseBank(3), (3, 0), ranges), 2)
    np.testing.assert_array_equal(streamed[0], direct[0])
    np.testing.assert_array_equal(streamed[1], direct[1])


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_share_of_the_samples_is_real(simple_thigh, share):
    empty = np.zeros((2, *CANVAS_SHAPE), np.float32) + 0.5
    slice_of_vessels = RealSlice(empty, np.full(CANVAS_SHAPE, 7, np.uint8), 191.5)
    ranges = SamplerRange(shape=(96, 64), single_leg=0.0, cut_field=0.0)
    sources = SampleSources([simple_thigh], [[slice_of_vessels]], share, ranges)
    sampler = MixedSampler(sources, NoiseBank(1), (1, 0))
    real = [(sampler.draw().classes == 7).all() for _ in range(40)]
    assert np.mean(real) == pytest.approx(share, abs=0.15)
    assert np.mean(real) in (0, 1) or 0 < share < 1


def test_exported_weights_can_be_started_from(trained, tmp_path):
    exported = export_model(trained / "checkpoint_final.pth", PLANS, DATASET, tmp_path, SHAPE)
    trainer = new_trainer()
    trainer.start_from(exported, resume=False)
    average = torch.load(trained / "checkpoint_final.pth", weights_only=False)["average_weights"]
    name = next(iter(average))
    torch.testing.assert_close(
        trainer.network.state_dict()[name], average[name], rtol=2e-3, atol=1e-4
    )
    torch.testing.assert_close(
        trainer.average.module.state_dict()[name], trainer.network.state_dict()[name]
    )
