import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bids_app.reports.session.axial import (
    Window,
    body_window,
    fullest_slice,
    shown_slices,
    to_screen,
)
from tests.bids_app.reports import page_content


def whole(shape: tuple[int, ...]) -> Window:
    return Window(slice(0, shape[0]), slice(0, shape[1]), (1.0, 1.0))


def test_right_is_on_the_left_and_anterior_on_top() -> None:
    volume = np.zeros((5, 4, 1))
    volume[4, 3, 0] = 1  # furthest to the patient's right and front
    volume[0, 0, 0] = 2  # furthest left and back
    screen = to_screen(volume, 0, whole(volume.shape))
    assert screen.shape == (4, 5)
    assert screen[0, 0] == 1
    assert screen[-1, -1] == 2


@settings(max_examples=20, deadline=None)
@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5)))
def test_agrees_with_nibabel(volume: np.ndarray) -> None:
    """Rows towards posterior and columns towards left, as nibabel turns a RAS array."""
    codes = [nib.orientations.axcodes2ornt(codes) for codes in ("RAS", "PLS")]
    turned = nib.orientations.apply_orientation(volume, nib.orientations.ornt_transform(*codes))
    for index in range(volume.shape[2]):
        assert (to_screen(volume, index, whole(volume.shape)) == turned[..., index]).all()


def test_window_is_cut_from_the_array_before_turning() -> None:
    volume = np.arange(60).reshape(5, 4, 3)
    window = Window(slice(3, 5), slice(0, 2), (2.0, 0.5))
    assert to_screen(volume, 1, window).tolist() == [
        [volume[4, 1, 1], volume[3, 1, 1]],
        [volume[4, 0, 1], volume[3, 0, 1]],
    ]
    assert (window.width_mm, window.height_mm) == (4.0, 1.0)


def test_body_window_leaves_a_margin_around_the_values() -> None:
    window = body_window(page_content.fat_fraction(), None, page_content.AFFINE)
    # Values fill 2:38 and 3:27; 4 mm are two voxels of 2 mm, and one of 3 mm.
    assert (window.x, window.y) == (slice(0, 40), slice(2, 28))
    assert window.spacing == (2.0, 3.0)


def test_body_window_keeps_to_the_muscles_where_the_background_has_values() -> None:
    noise = np.ones((200, 100, 2), np.float32)
    labels = np.zeros(noise.shape, np.uint16)
    labels[90:110, 40:60, 0] = 2021
    window = body_window(noise, labels, np.diag([1.0, 2.0, 5.0, 1.0]))
    # 60 mm beside the muscles: 60 voxels of 1 mm, 30 voxels of 2 mm.
    assert (window.x, window.y) == (slice(30, 170), slice(10, 90))


def test_body_window_of_nothing_is_the_whole_plane() -> None:
    window = body_window(np.full((7, 9, 2), np.nan), np.zeros((7, 9, 2), np.uint16), np.eye(4))
    assert (window.x, window.y) == (slice(0, 7), slice(0, 9))


def test_slices_are_spread_over_the_labels_head_end_first() -> None:
    fat_fraction = np.ones((2, 2, 50))
    labels = np.zeros((2, 2, 50), np.uint16)
    labels[0, 0, 10:31] = 1
    assert shown_slices(fat_fraction, labels, 5) == [30, 25, 20, 15, 10]
    assert shown_slices(fat_fraction, labels, 100) == list(range(30, 9, -1))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(1, 20))
def test_slices_are_distinct_and_reach_both_ends(depth: int, maximum: int) -> None:
    chosen = shown_slices(np.ones((1, 1, depth)), None, maximum)
    assert len(chosen) == len(set(chosen)) == min(depth, maximum)
    assert chosen == sorted(chosen, reverse=True)
    if maximum > 1:
        assert (chosen[0], chosen[-1]) == (depth - 1, 0)


def test_without_labels_slices_with_values_are_shown() -> None:
    fat_fraction = np.full((2, 2, 6), np.nan)
    fat_fraction[0, 0, 2:5] = 7
    blank = np.zeros(fat_fraction.shape, np.uint16)
    assert shown_slices(fat_fraction, None, 9) == [4, 3, 2]
    assert shown_slices(fat_fraction, blank, 9) == [4, 3, 2]
    assert shown_slices(np.full((2, 2, 6), np.nan), None, 9) == []


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ([[9, 0], [1, 1], [5, 0]], 1),  # most labels before largest area
        ([[1, 1], [2, 3], [4, 0]], 1),  # largest area among equals
    ],
)
def test_fullest_slice(areas: list[list[int]], expected: int) -> None:
    labels = np.zeros((2, 10, 3), np.uint16)
    for index, counts in enumerate(areas):
        for row, count in enumerate(counts):
            labels[row, :count, index] = row + 1
    assert fullest_slice(labels) == expected
