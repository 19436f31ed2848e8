import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.quantification.options import QuantificationOptions
from pipelines.quantification.regions import iterate_regions
from tests.pipelines.quantification.solids import ISOTROPIC, THICK, box_image, value

SHAPE = (16, 16, 6)


def regions(labels, ff=None, affine=THICK):
    if ff is None:
        ff = np.full(labels.shape, 10, np.float32)
    return list(iterate_regions(labels, ff, affine, QuantificationOptions()))


def test_vocabulary_order_left_before_right():
    labels = box_image(
        SHAPE,
        {
            value("gracilis", "left"): np.s_[0:3, 0:3, 0:2],
            value("sartorius", "right"): np.s_[4:7, 0:3, 0:2],
            value("sartorius", "left"): np.s_[8:11, 0:3, 0:2],
            value("soleus", "right"): np.s_[12:15, 0:3, 0:2],
        },
    )
    found = [(r.muscle.name, r.side) for r in regions(labels)]
    assert found == [
        ("sartorius", "left"),
        ("sartorius", "right"),
        ("gracilis", "left"),
        ("soleus", "right"),
    ]


def test_voxels_are_listed_slice_by_slice_with_their_ff():
    labels = box_image(SHAPE, {value("soleus"): np.s_[1:4, 2:5, 1:3]})
    labels[1:4, 2:5, 4] = value("soleus")  # a gap at slice 3
    ff = np.zeros(SHAPE, np.float32) + np.arange(6, dtype=np.float32)
    ff[2, 3, 2] = np.nan
    (region,) = regions(labels, ff)
    np.testing.assert_array_equal(region.slices, np.repeat([1, 2, 4], 9))
    kept = ~np.isnan(region.ff)
    assert kept.sum() == 26
    np.testing.assert_array_equal(region.ff[kept], region.slices[kept])
    assert region.stack_slices == 6


def test_another_muscle_next_door_does_not_protect_the_rim():
    labels = np.full((20, 20, 1), value("soleus"), np.uint16)
    labels[10:] = value("plantaris")
    soleus = next(r for r in regions(labels) if r.muscle.name == "soleus")
    # Only the row next to the other muscle goes; the border of the image is no edge.
    assert soleus.selected.sum() == 9 * 20


def test_in_3d_the_first_slice_of_the_stack_is_no_edge():
    labels = box_image((12, 12, 12), {value("soleus"): np.s_[2:10, 2:10, 0:8]})
    (region,) = regions(labels, affine=ISOTROPIC)
    assert region.erosion == "3d"
    assert sorted(set(region.slices[region.selected])) == list(range(7))


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_does_not_matter(order):
    rng = np.random.default_rng(0)
    labels = rng.choice([0, value("soleus")], SHAPE).astype(np.uint16)
    ff = rng.uniform(0, 100, SHAPE).astype(np.float32)
    (expected,) = regions(labels, ff)
    (found,) = regions(np.asarray(labels, order=order), np.asarray(ff, order=order))
    np.testing.assert_array_equal(found.ff, expected.ff)
    np.testing.assert_array_equal(found.selected, expected.selected)


@pytest.mark.parametrize("values", [[7], [2010], [2013, 5], [3000], [2150 + 9]])
def test_values_that_mean_no_muscle_are_refused(values):
    labels = np.zeros(SHAPE, np.int32)
    labels[0, : len(values), 0] = values
    with pytest.raises(DataError, match=r"hold.* values that mean no muscle and side") as caught:
        regions(labels)
    assert all(str(v) in caught.value.message for v in values)
    assert "label map" in caught.value.hint


def test_a_huge_value_is_refused_before_anything_of_its_size_is_made():
    labels = np.zeros(SHAPE, np.int64)
    labels[0, 0, 0] = 2**60
    with pytest.raises(DataError, match=str(2**60)):
        regions(labels)


def test_negative_values_are_refused():
    labels = np.zeros(SHAPE, np.int16)
    labels[0, 0, 0] = -2011
    with pytest.raises(DataError, match="no muscle and side: -2011"):
        regions(labels)


def test_many_unknown_values_are_counted_not_listed():
    labels = np.zeros(SHAPE, np.int32)
    labels[:15, 0, 0] = np.arange(1, 16)
    with pytest.raises(DataError, match="1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 5 more"):
        regions(labels)


@pytest.mark.parametrize(
    ("labels", "ff", "text"),
    [
        (np.zeros((4, 4, 4), int), np.zeros((4, 4, 5)), r"shape \(4, 4, 4\) and .* \(4, 4, 5\)"),
        (np.zeros((4, 4), int), np.zeros((4, 4)), "both must be 3D"),
        (np.zeros((4, 4, 4)), np.zeros((4, 4, 4)), "holds float64 values; labels must be int"),
        (np.zeros((4, 4, 4), int), np.zeros((4, 4, 4), int), "holds int64 values; it must be flo"),
        (np.zeros((4, 0, 4), int), np.zeros((4, 0, 4)), r"no voxels \(shape \(4, 0, 4\)\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(labels, ff, text):
    with pytest.raises(DataError, match=text) as caught:
        regions(labels, ff)
    assert caught.value.hint


def test_singular_affine_is_refused():
    labels = np.zeros(SHAPE, np.uint16)
    with pytest.raises(DataError, match="affine of the label image is singular"):
        regions(labels, affine=np.diag([1.5, 1.5, 0.0, 1.0]))
