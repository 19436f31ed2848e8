"""nnU-Net's trainer, fed by the synthesizer, in bfloat16 where there is no GPU."""

import os
from collections.abc import Iterable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels

from pipelines.segmentation.training.export import read_weights
from pipelines.segmentation.training.plans import CONFIGURATION
from pipelines.segmentation.training.stream import Batch

# Share of the running average of the weights that each step keeps.
AVERAGE_DECAY = 0.998
# Decoupled weight decay of AdamW, ten times below its default for a short training.
WEIGHT_DECAY = 1e-3


class SyntheticTrainer(nnUNetTrainer):  # type: ignore[misc]
    """nnU-Net's network, loss with deep supervision, schedule and checkpoints on our samples.

    What differs from the base class: batches come ready from iterators, so there is no data set on
    disk and no further augmentation; on a CPU the network runs in bfloat16
    (twice as fast as float32 where the processor has AVX512-BF16 or AMX; channels last is slower
    because instance normalization copies); AdamW, which gets
    further than SGD in few steps; and a running average of the weights is kept, which is what is
    validated and exported.

    Use :func:`make_trainer` to build one.
    """

    average: torch.optim.swa_utils.AveragedModel
    training: Iterator[Batch]
    validation: list[Batch]

    def initialize(self) -> None:
        """Build network, optimizer and loss from the plans."""
        self._set_batch_size_and_oversample()
        self.num_input_channels = determine_num_input_channels(
            self.plans_manager, self.configuration_manager, self.dataset_json
        )
        network = self.build_network_architecture(
            self.plans_manager,
            self.configuration_manager,
            self.num_input_channels,
            self.label_manager.num_segmentation_heads,
            self.enable_deep_supervision,
        )
        self.network = network.to(self.device)
        decay = torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY)  # type: ignore[no-untyped-call]
        self.average = torch.optim.swa_utils.AveragedModel(self.network, multi_avg_fn=decay)
        self.optimizer, self.lr_scheduler = self.configure_optimizers()
        self.loss = self._build_loss()
        self.was_initialized = True

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """Return AdamW and nnU-Net's polynomial schedule."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), self.initial_lr, weight_decay=self.weight_decay
        )
        return optimizer, PolyLRScheduler(optimizer, self.initial_lr, self.num_epochs)

    def on_train_start(self) -> None:
        """Write plans and data set description beside the checkpoints."""
        if not self.was_initialized:
            self.initialize()
        self.dataloader_train = self._batches(self.training)
        self.dataloader_val = self._batches(cycle(self.validation))

    def _batches(self, source: Iterable[Batch]) -> Iterator[dict[str, Any]]:
        scales = self._get_deep_supervision_scales()
        for images, classes in source:
            target = torch.from_numpy(classes)
            yield {
                "data": torch.from_numpy(images),
                "target": [_shrink(target, scale) for scale in scales],
            }

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Take one step and update the running average of the weights."""
        with torch.autocast(self.device.type, torch.bfloat16):
            result: dict[str, Any] = super().train_step(batch)
        self.average.update_parameters(self.network)
        return result

    def validation_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Score the running average of the weights on one batch."""
        network, self.network = self.network, self.average
        try:
            with torch.autocast(self.device.type, torch.bfloat16):
                result: dict[str, Any] = super().validation_step(batch)
        finally:
            self.network = network
        return result

    def save_checkpoint(self, filename: str) -> None:
        """Write nnU-Net's checkpoint with the averaged weights added, atomically."""
        partial = f"{filename}.part"
        super().save_checkpoint(partial)
        checkpoint = torch.load(partial, map_location="cpu", weights_only=False)
        checkpoint["average_weights"] = self.average.module.state_dict()
        torch.save(checkpoint, partial)
        Path(partial).replace(filename)

    def start_from(self, checkpoint: Path, *, resume: bool) -> None:
        """Take over weights from a checkpoint, and with `resume` the state of the training too."""
        if not self.was_initialized:
            self.initialize()
        weights = read_weights(checkpoint)
        if resume:
            self.load_checkpoint(str(checkpoint))
        else:
            self.network.load_state_dict(weights)
        self.average.module.load_state_dict(weights)


def make_trainer(
    plans: dict[str, Any],
    dataset_json: dict[str, Any],
    training: Iterator[Batch],
    validation: list[Batch],
    *,
    epochs: int,
    steps: int,
    learning_rate: float,
    device: torch.device,
) -> SyntheticTrainer:
    """Build a trainer.

    nnU-Net requires its own constructor's arguments of every trainer, so the rest is set here.
    """
    trainer = SyntheticTrainer(
        {**plans, "continue_training": False}, CONFIGURATION, 0, dataset_json, device
    )
    trainer.initial_lr = learning_rate
    trainer.weight_decay = WEIGHT_DECAY
    trainer.num_epochs = epochs
    trainer.num_iterations_per_epoch = steps
    trainer.num_val_iterations_per_epoch = len(validation)
    trainer.save_every = 1
    trainer.training = training
    trainer.validation = validation
    trainer.initialize()
    return trainer


def _shrink(target: torch.Tensor, scale: list[float]) -> torch.Tensor:
    """Return every n-th pixel of a target, as nnU-Net's deep supervision wants it."""
    steps = [round(1 / s) for s in scale]
    return target[:, :, :: steps[0], :: steps[1]].to(torch.int64)


def set_nnunet_folders(folder: Path) -> None:
    """Point nnU-Net's environment variables into `folder` (it reads them when it is used)."""
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        os.environ[name] = str(folder / name)
