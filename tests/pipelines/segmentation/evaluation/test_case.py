"""One scan: two muscles, of which one is missed, and what lies outside."""

import math

import numpy as np
import pytest

from pipelines.anatomy.vocabulary import muscles
from pipelines.errors import DataError
from pipelines.segmentation.evaluation.biomarkers import mean_inside
from pipelines.segmentation.evaluation.case import compare_labels

AFFINE = np.diag([2.0, 1.0, 5.0, 1.0])
SHAPE = (16, 12, 6)
SARTORIUS, GRACILIS = muscles()["sartorius"], muscles()["gracilis"]


@pytest.fixture
def images():
    """The left sartorius is found one voxel aside, the right one missed, a gracilis invented."""
    reference, evaluated = np.zeros((2, *SHAPE), np.uint16)
    reference[1:5, 2:6, 1:5] = SARTORIUS.value("left")
    evaluated[2:7, 2:6, 1:5] = SARTORIUS.value("left")
    reference[9:12, 2:6, 1:5] = SARTORIUS.value("right")
    evaluated[9:12, 8:10, 1:5] = GRACILIS.value("right")
    return reference, evaluated


def compare(images, **maps):
    rows = compare_labels(*images, AFFINE, maps)
    return {(row["muscle"], row["side"]): row for row in rows}


def test_a_shifted_and_longer_muscle(images):
    row = compare(images)["sartorius", "left"]
    assert row["status"] == "compared"
    assert (row["voxels_reference"], row["voxels_evaluated"]) == (64, 80)
    assert row["dice"] == pytest.approx(2 * 48 / 144)
    assert row["volume_reference_ml"] == pytest.approx(0.64)
    assert row["volume_error_ml"] == pytest.approx(0.16)
    assert row["volume_error_pct"] == pytest.approx(25)
    # The far end is two voxels of 2 mm away.
    assert row["hd95_mm"] == pytest.approx(4)
    assert "ff_error" not in row


def test_muscles_in_one_image_have_no_metrics(images):
    rows = compare(images, FF=np.full(SHAPE, 7.0))
    missed, invented = rows["sartorius", "right"], rows["gracilis", "right"]
    assert (missed["status"], invented["status"]) == ("absent", "extra")
    for row in (missed, invented):
        for name in ("dice", "hd95_mm", "assd_mm", "volume_error_ml", "volume_error_pct"):
            assert math.isnan(row[name]), name
        assert math.isnan(row["ff_error"])
    assert math.isnan(missed["volume_evaluated_ml"])
    assert math.isnan(missed["ff_evaluated"])
    assert missed["ff_reference"] == 7
    assert invented["volume_evaluated_ml"] == pytest.approx(0.24)
    assert math.isnan(invented["volume_reference_ml"])


def test_biomarkers_are_means_over_each_outline(images):
    ff = np.broadcast_to(np.arange(SHAPE[0], dtype=float)[:, None, None], SHAPE)
    row = compare(images, FF=ff, T2=2 * ff)["sartorius", "left"]
    assert (row["ff_reference"], row["ff_evaluated"]) == (2.5, 4.0)
    assert row["ff_error"] == 1.5
    assert row["t2_error"] == 3.0


def test_voxels_without_a_value_are_left_out():
    values = np.array([1.0, 3.0, np.nan, np.inf, 50.0])
    assert mean_inside(values, np.array([True, True, True, True, False])) == 2.0
    assert math.isnan(mean_inside(values, np.array([False, False, True, False, False])))


def test_order_of_axes_does_not_matter(images):
    turned = tuple(image.transpose(2, 0, 1)[::-1] for image in images)
    affine = np.array([[0, 2.0, 0, 0], [0, 0, 1.0, 0], [-5.0, 0, 0, 0], [0, 0, 0, 1]])
    for row, expected in zip(
        compare_labels(*turned, affine, {}), compare_labels(*images, AFFINE, {}), strict=True
    ):
        assert row == pytest.approx(expected, nan_ok=True)


def test_unknown_values_are_refused():
    odd = np.full((2, 2, 2), 5, np.uint16)
    with pytest.raises(DataError, match="mean no muscle and side: 5") as caught:
        compare_labels(odd, odd, AFFINE, {})
    assert "label map" in caught.value.hint


def test_maps_of_another_shape_are_refused(images):
    with pytest.raises(DataError, match=r"The FF map has shape \(2, 2, 2\) and the labels"):
        compare(images, FF=np.zeros((2, 2, 2)))


def test_a_flat_affine_is_refused(images):
    with pytest.raises(DataError, match="affine of the label images is singular"):
        compare_labels(*images, np.diag([1.0, 1.0, 0.0, 1.0]), {})
