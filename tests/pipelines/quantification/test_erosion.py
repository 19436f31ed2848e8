import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from pipelines.quantification.erosion import erode, erosion_axes, select_voxels
from pipelines.quantification.options import QuantificationOptions

THICK = np.array([1.0, 1.0, 5.0])


@pytest.mark.parametrize(
    ("sizes", "kind", "axes"),
    [
        ([1.0, 1.0, 5.0], "in_plane", (0, 1)),
        ([1.0, 1.0, 3.0], "in_plane", (0, 1)),
        ([1.0, 1.0, 2.9], "3d", (0, 1, 2)),
        ([1.0, 1.0, 1.0], "3d", (0, 1, 2)),
        # 3 x the wider pixel edge counts, and float32 rounding of a ratio of exactly 3 is forgiven.
        ([0.5, 1.0, 2.0], "3d", (0, 1, 2)),
        (list(np.float64(np.float32([0.7, 0.7, 2.1]))), "in_plane", (0, 1)),
        # A coronal acquisition: the slices lie along the second array axis.
        ([1.0, 6.0, 1.0], "in_plane", (0, 2)),
    ],
)
def test_axes_follow_the_voxel_shape(sizes, kind, axes):
    assert erosion_axes(np.array(sizes), thick_slice_ratio=3.0) == (kind, axes)


def test_ratio_is_an_option():
    assert erosion_axes(THICK, thick_slice_ratio=6.0) == ("3d", (0, 1, 2))


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=7)), st.booleans())
@settings(max_examples=60, deadline=None)
def test_erosion_equals_the_library_one(mask, in_plane):
    cross = ndimage.generate_binary_structure(3, 1)
    if in_plane:
        cross[:, :, [0, 2]] = False
    expected = ndimage.binary_erosion(mask, cross, border_value=1)
    np.testing.assert_array_equal(erode(mask, (0, 1) if in_plane else (0, 1, 2)), expected)


def test_selection_leaves_out_the_rim_and_voxels_without_ff():
    mask = np.zeros((12, 12, 1), bool)
    mask[1:11, 1:11] = True
    has_ff = np.ones_like(mask)
    has_ff[5, 5] = False
    selected, kind, few = select_voxels(mask, has_ff, THICK, QuantificationOptions())
    assert (kind, few) == ("in_plane", False)
    assert selected.sum() == 8 * 8 - 1
    assert not selected[5, 5, 0]
    assert not selected[1, 5, 0]


@pytest.mark.parametrize(("edge", "kind", "few"), [(7, "in_plane", False), (6, "none", True)])
def test_erosion_is_skipped_if_it_leaves_too_few(edge, kind, few):
    mask = np.zeros((12, 12, 1), bool)
    mask[2 : 2 + edge, 2 : 2 + edge] = True  # 25 or 16 voxels after erosion; 20 are asked for
    selected, found_kind, found_few = select_voxels(
        mask, np.ones_like(mask), THICK, QuantificationOptions()
    )
    assert (found_kind, found_few) == (kind, few)
    assert selected.sum() == ((edge - 2) ** 2 if kind == "in_plane" else edge**2)


def test_voxels_without_ff_do_not_help_to_reach_the_minimum():
    mask = np.zeros((9, 9, 1), bool)
    mask[1:8, 1:8] = True
    has_ff = np.ones_like(mask)
    has_ff[3:5, 3:6] = False  # 25 - 6 = 19 inner voxels have a value
    selected, kind, few = select_voxels(mask, has_ff, THICK, QuantificationOptions())
    assert (kind, few, selected.sum()) == ("none", True, 49 - 6)


@pytest.mark.parametrize(("n_voxels", "few"), [(20, False), (19, True)])
def test_erosion_switched_off_still_flags_small_masks(n_voxels, few):
    mask = np.zeros((5, 5, 1), bool)
    mask.ravel()[:n_voxels] = True
    selected, kind, found = select_voxels(
        mask, np.ones_like(mask), THICK, QuantificationOptions(erode=False)
    )
    assert (selected.sum(), kind, found) == (n_voxels, "none", few)


def test_minimum_is_an_option():
    mask = np.zeros((5, 5, 1), bool)
    mask[1:4, 1:4] = True
    selected, kind, few = select_voxels(
        mask, np.ones_like(mask), THICK, QuantificationOptions(min_voxels=1)
    )
    assert (selected.sum(), kind, few) == (1, "in_plane", False)
