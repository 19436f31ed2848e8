"""The torch backend beyond its labels: order of tiles, and memory that does not suffice."""

import numpy as np
import pytest
import torch

from pipelines.errors import DeviceError
from pipelines.segmentation.inference.torch_backend import TorchNetwork


class Sum(torch.nn.Module):
    def forward(self, image):
        return image.sum(dim=1, keepdim=True)


class Hungry(torch.nn.Module):
    def forward(self, image):
        raise torch.OutOfMemoryError("tried to allocate 80 GiB")


def test_tiles_are_computed_one_by_one_in_order():
    tiles = np.random.default_rng(0).random((4, 2, 6, 8), np.float32)
    network = TorchNetwork(Sum(), "cpu")
    # A view that is not contiguous, as the sliding window cuts it.
    logits = list(network(tile[:, ::2, ::-1] for tile in tiles))
    assert [part.dtype for part in logits] == [np.float32] * 4
    np.testing.assert_allclose(np.concatenate(logits), tiles.sum(axis=1)[:, ::2, ::-1], rtol=1e-6)


def test_memory_that_does_not_suffice_is_told():
    network = TorchNetwork(Hungry(), "cpu")
    with pytest.raises(DeviceError, match="cpu does not suffice: tried to allocate 80 GiB") as told:
        next(network(np.zeros((1, 2, 6, 8), np.float32)))
    assert "--device cpu" in told.value.hint
