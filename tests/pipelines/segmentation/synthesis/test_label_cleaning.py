"""Cleaning of label maps with planted faults."""

import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.segmentation.synthesis.label_cleaning import (
    clean_label_map,
    fill_missing_slices,
    leg_midline,
    remove_misplaced_sections,
    signed_distance,
)

SPACING = (1.0, 1.0, 20.0)


def disk(shape, center, radius):
    x, y = np.ogrid[: shape[0], : shape[1]]
    return (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2


@pytest.fixture
def labels():
    """Two legs with a muscle each of labels 1 and 3, six slices."""
    volume = np.zeros((160, 90, 6), np.uint8)
    for center in (40, 120):
        volume[disk(volume.shape, (center, 30), 12)] = 1
        volume[disk(volume.shape, (center, 60), 15)] = 3
    return volume


def test_clean_map_is_left_alone(labels):
    np.testing.assert_array_equal(clean_label_map(labels, SPACING), labels)


def test_planted_island_is_removed(labels):
    planted = labels.copy()
    planted[20:24, 75:79, 2] = 1
    np.testing.assert_array_equal(clean_label_map(planted, SPACING), labels)


def test_island_on_the_other_leg_is_removed_and_both_legs_stay(labels):
    planted = labels.copy()
    planted[disk(labels.shape, (120, 80), 3), 1] = 1
    np.testing.assert_array_equal(clean_label_map(planted, SPACING), labels)


def test_hole_is_filled(labels):
    planted = labels.copy()
    planted[38:42, 28:32, 3] = 0
    np.testing.assert_array_equal(clean_label_map(planted, SPACING), labels)


def test_missing_slice_is_interpolated():
    mask = np.zeros((60, 60, 3), bool)
    mask[..., 0] = disk(mask.shape, (30, 30), 10)
    mask[..., 2] = disk(mask.shape, (30, 30), 20)
    filled = fill_missing_slices(mask)
    radius = np.sqrt(filled[..., 1].sum() / np.pi)
    assert radius == pytest.approx(15, abs=0.5)
    np.testing.assert_array_equal(filled[..., [0, 2]], mask[..., [0, 2]])


def test_section_far_from_its_muscle_is_removed():
    mask = np.zeros((120, 60, 5), bool)
    for z in range(5):
        mask[disk(mask.shape, (30, 30), 10), z] = True
    mask[..., 4] = disk(mask.shape, (95, 30), 5)
    cleaned = remove_misplaced_sections(mask, SPACING)
    assert not cleaned[..., 4].any()
    assert cleaned[..., :4].sum() == mask[..., :4].sum()


def test_tiny_section_is_noise(labels):
    planted = labels.copy()
    planted[labels == 1] = 0
    planted[40:43, 30:33, 2] = 1
    assert not (clean_label_map(planted, SPACING) == 1).any()


def test_midline_lies_between_the_legs(labels):
    assert 56 < leg_midline(labels) < 104


@pytest.mark.parametrize(("center", "expected"), [(40, 160.0), (120, 0.0)])
def test_one_leg_has_its_midline_at_the_edge(center, expected):
    volume = np.zeros((160, 90, 2), np.uint8)
    volume[disk(volume.shape, (center, 45), 30)] = 1
    assert leg_midline(volume) == expected


def test_empty_map_is_an_error():
    with pytest.raises(DataError, match="label map is empty"):
        leg_midline(np.zeros((4, 4, 4), np.uint8))


def test_signed_distance_is_positive_inside():
    distance = signed_distance(disk((41, 41), (20, 20), 10))
    assert distance[20, 20] == pytest.approx(10, abs=1)
    assert distance[20, 0] == pytest.approx(-10, abs=1)
