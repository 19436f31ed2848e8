"""Pieces change hands where the slices above and below say so, and nowhere else."""

import numpy as np
import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.segmentation.review.continuity import reassign_discontinuous, remove_strays

AFFINE = np.diag([1.0, 1.0, 20.0, 1.0])
SA, RF = (muscles()[name] for name in ("sartorius", "rectus_femoris"))
LEFT, RIGHT = SA.value("left"), SA.value("right")
OTHER = RF.value("left")
# Where the two muscles lie in every slice.
HOME, AWAY = (slice(5, 20), slice(5, 20)), (slice(30, 40), slice(5, 15))


@pytest.fixture
def truth():
    labels = np.zeros((60, 30, 5), np.uint16)
    labels[HOME] = LEFT
    labels[AWAY] = OTHER
    return labels


def test_consistent_labels_stay(truth):
    labels, changed = reassign_discontinuous(truth, AFFINE)
    np.testing.assert_array_equal(labels, truth)
    assert changed == 0


@pytest.mark.parametrize("z", [0, 2, 4])
def test_section_taken_for_a_muscle_elsewhere_is_given_back(truth, z):
    wrong = truth.copy()
    wrong[5:20, 5:20, z] = OTHER
    labels, changed = reassign_discontinuous(wrong, AFFINE)
    np.testing.assert_array_equal(labels, truth)
    assert changed == pytest.approx(15 * 15 * 20 / 1000)


def test_part_of_a_section_is_given_back(truth):
    wrong = truth.copy()
    wrong[10:20, 5:20, 2] = OTHER
    np.testing.assert_array_equal(reassign_discontinuous(wrong, AFFINE)[0], truth)


def test_input_is_left_as_it_is(truth):
    wrong = truth.copy()
    wrong[5:20, 5:20, 2] = OTHER
    kept = wrong.copy()
    reassign_discontinuous(wrong, AFFINE)
    np.testing.assert_array_equal(wrong, kept)


def test_muscle_that_moves_little_stays(truth):
    moved = truth.copy()
    moved[..., 2] = np.roll(truth[..., 2], 4, axis=0)
    np.testing.assert_array_equal(reassign_discontinuous(moved, AFFINE)[0], moved)


def test_muscle_that_begins_where_another_ends_stays(truth):
    # The other muscle needs no more area: the sections below say it is complete.
    labels = truth.copy()
    labels[30:40, 5:15, 4] = 0
    labels[20:27, 5:20, 4] = OTHER
    np.testing.assert_array_equal(reassign_discontinuous(labels, AFFINE)[0], labels)


def test_the_other_side_inherits_nothing(truth):
    labels = truth.copy()
    labels[labels == LEFT] = RIGHT
    labels[5:20, 5:20, 2] = OTHER
    np.testing.assert_array_equal(reassign_discontinuous(labels, AFFINE)[0], labels)


def test_tiny_pieces_are_left_to_the_outline(truth):
    labels = truth.copy()
    labels[10:14, 10:14, 2] = OTHER
    np.testing.assert_array_equal(reassign_discontinuous(labels, AFFINE)[0], labels)


def test_distance_is_in_millimetres(truth):
    # Four voxels of 2 mm are farther than 5 mm; the piece beyond them is the neighbour's.
    labels = truth.copy()
    labels[20:30, 5:20] = LEFT
    labels[18:30, 5:15, 2] = OTHER
    fine, _ = reassign_discontinuous(labels, np.diag([0.4, 0.4, 20.0, 1.0]))
    coarse, _ = reassign_discontinuous(labels, np.diag([2.0, 2.0, 20.0, 1.0]))
    np.testing.assert_array_equal(fine, labels)
    assert (coarse[18:27, 5:15, 2] == LEFT).all()


def test_muscles_may_move_farther_between_distant_slices(truth):
    moved = truth.copy()
    moved[..., 2] = 0
    moved[HOME[0], 13:28, 2] = LEFT
    moved[13:28, 5:13, 2] = OTHER
    moved[13:28, 5:13, [1, 3]] = LEFT
    near, _ = reassign_discontinuous(moved, AFFINE)
    distant, _ = reassign_discontinuous(moved, np.diag([1.0, 1.0, 100.0, 1.0]))
    assert (near[13:24, 5:13, 2] == LEFT).all()
    np.testing.assert_array_equal(distant, moved)


def test_empty_and_single_slices():
    empty = np.zeros((8, 8, 3), np.uint16)
    np.testing.assert_array_equal(reassign_discontinuous(empty, AFFINE)[0], empty)
    single = np.full((8, 8, 1), LEFT, np.uint16)
    np.testing.assert_array_equal(reassign_discontinuous(single, AFFINE)[0], single)


THINNER_SLICES = np.diag([1.0, 1.0, 10.0, 1.0])


def block():
    labels = np.zeros((60, 60, 4), np.uint16)
    labels[10:30, 10:30, :2] = 2021  # 800 voxels
    return labels


def test_small_piece_is_removed_and_measured():
    labels = block()
    labels[50:53, 50:55, 3] = 2021  # 15 voxels: 1.9 %
    kept, removed = remove_strays(labels, THINNER_SLICES)
    np.testing.assert_array_equal(kept, block())
    assert removed == {2021: pytest.approx(0.15)}
    assert labels[51, 51, 3] == 2021, "the input must not change"


def test_larger_piece_stays():
    labels = block()
    labels[50:54, 50:54, 3] = 2021  # 16 voxels: 2 %
    kept, removed = remove_strays(labels, THINNER_SLICES)
    np.testing.assert_array_equal(kept, labels)
    assert removed == {}


def test_other_muscles_and_sides_are_judged_by_themselves():
    labels = block()
    labels[50:52, 50:52, 0] = 2022
    labels[40, 40, 0] = 2031
    kept, removed = remove_strays(labels, THINNER_SLICES)
    np.testing.assert_array_equal(kept, labels)
    assert removed == {}


def test_pieces_that_touch_at_a_corner_are_one():
    labels = block()
    labels[30, 30, 2] = 2021
    assert remove_strays(labels, THINNER_SLICES)[1] == {}


def test_empty_image():
    labels = np.zeros((3, 3, 2), np.uint16)
    kept, removed = remove_strays(labels, THINNER_SLICES)
    assert not kept.any()
    assert removed == {}
