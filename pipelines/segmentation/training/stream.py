"""Feed batches of synthesized samples to a trainer from background processes."""

import multiprocessing
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.arrays import Float32, UInt8
from pipelines.segmentation.synthesis.anatomy import Thigh
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.sampler import Sampler, SamplerRange

# Batches waiting per process: enough to ride out a slow one.
QUEUE_LENGTH = 12

Batch = tuple[Float32, UInt8]


def draw_batch(sampler: Sampler, size: int) -> Batch:
    """Draw a batch in nnU-Net's axis order.

    `images` is (batch, 2, y, x); `classes` is (batch, 1, y, x).
    """
    samples = [sampler.draw() for _ in range(size)]
    images = np.stack([sample.image.transpose(0, 2, 1) for sample in samples])
    classes = np.stack([sample.classes.T[None] for sample in samples])
    return images, classes


class SampleStream:
    """Endless iterator over batches drawn by background processes.

    Parameters
    ----------
    thighs : sequence of Thigh
        Anatomies; every process gets a copy.
    batch_size : int
        Samples per batch.
    seed : int
        Seed; process ``i`` uses ``(seed, i)``.
    processes : int
        Background processes.
    ranges : SamplerRange
        What to draw.
    """

    def __init__(
        self,
        thighs: Sequence[Thigh],
        batch_size: int,
        seed: int,
        processes: int,
        ranges: SamplerRange,
    ) -> None:
        # Fresh processes: forked ones would inherit the threads of numerical libraries and hang.
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(QUEUE_LENGTH)
        self._workers = [
            context.Process(
                target=_produce,
                args=(self._queue, thighs, batch_size, (seed, index), ranges),
                daemon=True,
            )
            for index in range(processes)
        ]
        for worker in self._workers:
            worker.start()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch: Batch = self._queue.get()
        return batch

    def close(self) -> None:
        """Stop the background processes."""
        for worker in self._workers:
            worker.terminate()
            worker.join()


def _produce(
    queue: Any,
    thighs: Sequence[Thigh],
    batch_size: int,
    seed: tuple[int, int],
    ranges: SamplerRange,
) -> None:
    sampler = Sampler(thighs, NoiseBank(seed[0]), seed, ranges)
    while True:
        queue.put(draw_batch(sampler, batch_size))
