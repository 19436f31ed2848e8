"""Dice and volume error from one pass over two label images."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.errors import DataError
from pipelines.segmentation.evaluation.overlap import Overlap, count_overlaps

LABELS = arrays(np.uint16, (3, 4, 2), elements=st.integers(0, 3))


def test_cube_shifted_by_a_quarter_of_its_length():
    reference, evaluated = np.zeros((2, 20, 20, 20), np.uint16)
    reference[4:12, 5:10, 5:10] = 7
    evaluated[6:14, 5:10, 5:10] = 7
    overlaps = count_overlaps(reference, evaluated)
    assert overlaps == {7: Overlap(200, 200, 150)}
    assert overlaps[7].dice == 0.75
    assert overlaps[7].size_error == 0


def test_evaluated_half_of_the_reference():
    reference, evaluated = np.zeros((2, 4, 4, 4), np.uint16)
    reference[:2] = 1
    evaluated[:1] = 1
    assert count_overlaps(reference, evaluated)[1].dice == pytest.approx(2 / 3)
    assert count_overlaps(reference, evaluated)[1].size_error == -16


def test_a_muscle_in_one_image_only_has_no_dice():
    reference, evaluated = np.zeros((2, 4, 4, 4), np.uint16)
    reference[0], evaluated[3] = 1, 2
    overlaps = count_overlaps(reference, evaluated)
    assert overlaps == {1: Overlap(16, 0, 0), 2: Overlap(0, 16, 0)}
    for overlap in overlaps.values():
        assert math.isnan(overlap.dice)
        assert math.isnan(overlap.size_error)


def test_apart_is_zero_and_not_missing():
    reference, evaluated = np.zeros((2, 4, 4, 4), np.uint16)
    reference[0], evaluated[3] = 1, 1
    assert count_overlaps(reference, evaluated)[1].dice == 0


def test_background_only_holds_nothing():
    empty = np.zeros((2, 2, 2), np.uint16)
    assert count_overlaps(empty, empty) == {}


@given(LABELS)
@settings(max_examples=30, deadline=None)
def test_identical_images_have_dice_one(labels):
    assert all(overlap.dice == 1 for overlap in count_overlaps(labels, labels).values())


@given(LABELS, LABELS)
@settings(max_examples=50, deadline=None)
def test_symmetric_and_equal_to_the_definition(a, b):
    forth, back = count_overlaps(a, b), count_overlaps(b, a)
    assert forth.keys() == back.keys() == (set(np.unique(a)) | set(np.unique(b))) - {0}
    for value, overlap in forth.items():
        in_a, in_b = set(np.flatnonzero(a == value)), set(np.flatnonzero(b == value))
        expected = 2 * len(in_a & in_b) / (len(in_a) + len(in_b)) if in_a and in_b else math.nan
        assert overlap.dice == pytest.approx(expected, nan_ok=True)
        assert back[value].dice == pytest.approx(expected, nan_ok=True)
        assert overlap.size_error == pytest.approx(-back[value].size_error, nan_ok=True)


@given(LABELS, LABELS, st.permutations([1, 2, 3]))
@settings(max_examples=50, deadline=None)
def test_does_not_depend_on_the_numbers_of_the_labels(a, b, numbers):
    renumber = np.array([0, *numbers], np.uint16) * np.uint16(1000)
    renumbered = count_overlaps(renumber[a], renumber[b])
    for value, overlap in count_overlaps(a, b).items():
        assert renumbered[int(renumber[value])] == overlap


def test_other_shapes_are_refused():
    with pytest.raises(DataError, match=r"shape \(2, 2, 2\) and the evaluated ones \(2, 2, 3\)"):
        count_overlaps(np.zeros((2, 2, 2), int), np.zeros((2, 2, 3), int))


def test_other_types_are_refused():
    with pytest.raises(DataError, match="The evaluated labels hold float64 values"):
        count_overlaps(np.zeros((2, 2, 2), int), np.zeros((2, 2, 2)))


def test_negative_values_are_refused():
    with pytest.raises(DataError, match="The reference labels hold negative values"):
        count_overlaps(np.full((2, 2, 2), -1), np.zeros((2, 2, 2), int))
