"""Stray islands are removed, muscles torn by thick slices are not."""

import numpy as np
import pytest

from pipelines.segmentation.islands import remove_strays

AFFINE = np.diag([1.0, 1.0, 10.0, 1.0])


def block():
    labels = np.zeros((60, 60, 4), np.uint16)
    labels[10:30, 10:30, :2] = 2021  # 800 voxels
    return labels


def test_small_piece_is_removed_and_measured():
    labels = block()
    labels[50:53, 50:55, 3] = 2021  # 15 voxels: 1.9 %
    kept, removed = remove_strays(labels, AFFINE)
    np.testing.assert_array_equal(kept, block())
    assert removed == {2021: pytest.approx(0.15)}
    assert labels[51, 51, 3] == 2021, "the input must not change"


def test_larger_piece_stays():
    labels = block()
    labels[50:54, 50:54, 3] = 2021  # 16 voxels: 2 %
    kept, removed = remove_strays(labels, AFFINE)
    np.testing.assert_array_equal(kept, labels)
    assert removed == {}


def test_other_muscles_and_sides_are_judged_by_themselves():
    labels = block()
    labels[50:52, 50:52, 0] = 2022
    labels[40, 40, 0] = 2031
    kept, removed = remove_strays(labels, AFFINE)
    np.testing.assert_array_equal(kept, labels)
    assert removed == {}


def test_pieces_that_touch_at_a_corner_are_one():
    labels = block()
    labels[30, 30, 2] = 2021
    assert remove_strays(labels, AFFINE)[1] == {}


def test_empty_image():
    labels = np.zeros((3, 3, 2), np.uint16)
    kept, removed = remove_strays(labels, AFFINE)
    assert not kept.any()
    assert removed == {}
