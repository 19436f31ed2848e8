"""Labels that were moved, turned or mirrored are told from those in place."""

import numpy as np
import pytest

from pipelines.segmentation.review.placement import check_placement, find_placement
from tests.pipelines.segmentation.review.limb_phantom import labelled_thighs, shifted


def test_labels_in_place():
    found = find_placement(*labelled_thighs())
    assert found.shift_mm == (0.0, 0.0, 0.0)
    assert not any(found.mirrored)
    assert found.lean_here == pytest.approx(0.85, abs=0.07)
    check = check_placement(found)
    assert (check.level, check.value) == ("pass", 0.0)


# voxels of 2 mm
@pytest.mark.parametrize("voxels", [(6, 0), (-6, 0), (0, 6), (0, -6), (4, 4)])
def test_shift_in_the_plane(voxels):
    labels, ff, body, affine = labelled_thighs()
    found = find_placement(shifted(labels, *voxels), ff, body, affine)
    assert found.shift_mm == (-2.0 * voxels[0], -2.0 * voxels[1], 0.0)
    check = check_placement(found)
    assert check.level == "fail"
    assert check.value == pytest.approx(2 * np.hypot(*voxels))
    assert f"{check.value:.0f} mm away" in check.text


def test_muscles_mostly_fat():
    labels, ff, body, affine = labelled_thighs(muscle_ff=70.0)
    assert check_placement(find_placement(labels, ff, body, affine)).level == "pass"
    found = find_placement(shifted(labels, 0, 6), ff, body, affine)
    assert found.shift_mm == (0.0, -12.0, 0.0)
    assert check_placement(found).level == "fail"


def test_shift_along_the_limb():
    labels, ff, body, affine = labelled_thighs()
    # limbs end in the image: nothing below the second slice and above the fourth
    for empty in (0, 1, 5):
        labels[:, :, empty], body[:, :, empty] = 0, False
    found = find_placement(shifted(labels, 0, 0, -1), ff, body, affine)
    assert found.shift_mm == (0.0, 0.0, 10.0)
    assert check_placement(found).level == "fail"


def test_lps_read_as_ras():
    labels, ff, body, affine = labelled_thighs()
    found = find_placement(labels[::-1, ::-1], ff, body, affine)
    assert found.mirrored == (True, True, False)
    check = check_placement(found)
    assert check.level == "fail"
    assert "turned by 180 degrees" in check.text


def test_one_muscle_of_many_says_nothing():
    labels, ff, body, affine = labelled_thighs()
    labels[labels != labels.max()] = 0
    found = find_placement(labels, ff, body, affine)
    assert found is None
    assert check_placement(found).level == "pass"


def test_few_slices_do_not_tell_a_shift_along_the_limb():
    labels, ff, body, affine = labelled_thighs()
    few = [volume[:, :, :3] for volume in (labels, ff, body)]
    few[0][:, :, 0] = 0
    found = find_placement(shifted(few[0], 0, 0, -1), few[1], few[2], affine)
    assert found is not None
    assert found.shift_mm[2] == 0.0
