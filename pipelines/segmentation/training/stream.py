"""Feed batches of synthesized samples to a trainer from background processes."""

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from pipelines.arrays import Float32, UInt8
from pipelines.segmentation.synthesis.anatomy import Thigh
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.real_sampler import RealSampler, RealSlice
from pipelines.segmentation.synthesis.sampler import Sample, Sampler, SamplerRange

# Batches waiting per process: enough to ride out a slow one.
QUEUE_LENGTH = 12

Batch = tuple[Float32, UInt8]


@dataclass(frozen=True)
class SampleSources:
    """What samples are drawn from.

    Attributes
    ----------
    thighs : sequence of Thigh
        Anatomies for synthesized slices.
    cases : sequence of sequence of RealSlice
        Labelled slices of each real scan.
    real_share : float
        Chance that a sample is a real slice, 0-1; without `cases` none is.
    ranges : SamplerRange
        What to draw.
    """

    thighs: Sequence[Thigh]
    cases: Sequence[Sequence[RealSlice]] = ()
    real_share: float = 0.0
    ranges: SamplerRange = field(default_factory=SamplerRange)


class Drawer(Protocol):
    """Draws one sample after the other."""

    def draw(self) -> Sample:
        """Draw a sample."""
        ...


class MixedSampler:
    """Draws synthesized and real slices at random; the same seed gives the same sequence."""

    def __init__(self, sources: SampleSources, bank: NoiseBank, seed: tuple[int, ...]) -> None:
        self._synthetic = Sampler(sources.thighs, bank, seed, sources.ranges)
        self._real = RealSampler(sources.cases, bank, (*seed, 1), sources.ranges)
        self._rng = np.random.default_rng((*seed, 2))
        self._share = sources.real_share if sources.cases else 0.0

    def draw(self) -> Sample:
        """Draw a sample of either kind."""
        real = self._rng.random() < self._share
        return self._real.draw() if real else self._synthetic.draw()


def draw_batch(sampler: Drawer, size: int) -> Batch:
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
    sources : SampleSources
        What to draw from; every process gets a copy.
    batch_size : int
        Samples per batch.
    seed : int
        Seed; process ``i`` uses ``(seed, i)``.
    processes : int
        Background processes.
    """

    def __init__(self, sources: SampleSources, batch_size: int, seed: int, processes: int) -> None:
        # Fresh processes: forked ones would inherit the threads of numerical libraries and hang.
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(QUEUE_LENGTH)
        self._workers = [
            context.Process(
                target=_produce,
                args=(self._queue, sources, batch_size, (seed, index)),
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


def _produce(queue: Any, sources: SampleSources, batch_size: int, seed: tuple[int, int]) -> None:
    sampler = MixedSampler(sources, NoiseBank(seed[0]), seed)
    while True:
        queue.put(draw_batch(sampler, batch_size))
