"""Labels in air and in the fat under the skin are told from replaced muscle."""

import numpy as np
import pytest

from pipelines.segmentation.review.tissue import check_tissue, fat_under_skin
from tests.pipelines.segmentation.review.limb_phantom import FAT_FF, labelled_thighs, shifted


def test_labels_in_place():
    check = check_tissue(*labelled_thighs())
    assert (check.level, check.value) == ("pass", 0.0)


def test_fat_is_found_where_it_is():
    labels, ff, body, affine = labelled_thighs()
    found = fat_under_skin(ff, body, affine)
    assert not found[labels > 0].any()
    # the marrow is fat, but not under the skin
    fat = (ff == FAT_FF) & body
    assert 0.5 < found[fat].mean() < 0.95


@pytest.mark.parametrize("muscle_ff", [80.0, 88.0])
def test_replaced_muscle_is_no_fat_of_the_skin(muscle_ff):
    check = check_tissue(*labelled_thighs(muscle_ff))
    assert check.level == "pass"
    # smoothing blends the outermost voxels with the fat beside them
    assert check.value < 7.0


def test_a_ring_of_fat_that_is_called_muscle():
    labels, ff, body, affine = labelled_thighs()
    ring = body & (ff == FAT_FF)
    muscle = int((labels > 0).sum())
    value = labels[labels > 0][0]
    labels[ring] = value
    check = check_tissue(labels, ff, body, affine)
    in_ring = int(ring.sum())
    assert check.level in ("warn", "fail")
    assert 0.5 * in_ring < check.value / 100 * (muscle + in_ring) < in_ring
    assert "connected with that under the skin" in check.text


def test_labels_in_air():
    labels, ff, body, affine = labelled_thighs()
    moved = shifted(labels, 30)
    outside = 100.0 * (~body)[moved > 0].mean()
    check = check_tissue(moved, ff, body, affine)
    assert outside > 30
    assert check.level == "fail"
    assert f"{outside:.0f} % of the labelled volume lies outside the body" in check.text


def test_nothing_labelled():
    labels, ff, body, affine = labelled_thighs()
    assert check_tissue(np.zeros_like(labels), ff, body, affine).level == "pass"
