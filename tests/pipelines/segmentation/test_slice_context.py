"""Slices have a say in their neighbours."""

import numpy as np
import pytest

from pipelines.segmentation.slice_context import mix_neighbours


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
