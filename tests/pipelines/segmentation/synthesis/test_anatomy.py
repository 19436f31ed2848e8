"""Completing a small label map to whole thighs."""

import numpy as np
import pytest

from pipelines.segmentation.synthesis.anatomy import EXTENSION_MM, complete_thigh
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE, PIXEL_MM, SECTION_MM, to_canvas
from pipelines.segmentation.synthesis.tissues import CORTEX, FAT, FIRST_CELL, MARROW

SPACING = (2.0, 2.0, 24.0)
SLICES = 4
LEG_CENTERS = (60, 140)


def ellipse(shape, center, radii):
    x, y = np.ogrid[: shape[0], : shape[1]]
    return ((x - center[0]) / radii[0]) ** 2 + ((y - center[1]) / radii[1]) ** 2 <= 1


@pytest.fixture(scope="module")
def labels():
    """Two thighs: vastus intermedius around a hole, vasti beside it, hamstrings behind.

    Arrays are canonical, so anterior is up the second axis. The femur's hole is 12 mm in radius.
    """
    volume = np.zeros((200, 110, SLICES), np.uint8)
    for center, lateral in zip(LEG_CENTERS, (-1, 1), strict=True):
        for z in range(SLICES):
            section = volume[..., z]
            section[ellipse(section.shape, (center, 62), (30, 22))] = 5
            section[
                ellipse(section.shape, (center, 62), (30, 22))
                & (lateral * (np.arange(200)[:, None] - center) > 8)
            ] = 3
            section[ellipse(section.shape, (center, 62), (14, 14))] = 4
            section[ellipse(section.shape, (center, 62), (6, 6))] = 0
            section[ellipse(section.shape, (center + lateral * 10, 26), (9, 9))] = 8
            section[ellipse(section.shape, (center - lateral * 12, 26), (10, 9))] = 10
    return volume


@pytest.fixture(scope="module")
def thigh(labels):
    return complete_thigh(labels, SPACING, np.random.default_rng(0))


def canvas_column(leg):
    """Canvas position of the femur: the canvas is centred on the labelled voxels."""
    return (CANVAS_SHAPE[0] - 1) / 2 + (LEG_CENTERS[leg] - 100) * SPACING[0] / PIXEL_MM


def first_section():
    return round(EXTENSION_MM / SECTION_MM)


def test_stack_covers_the_labels_and_an_extension_on_both_ends(thigh):
    length = (SLICES - 1) * SPACING[2]
    assert thigh.tissue.shape[:2] == CANVAS_SHAPE
    assert thigh.tissue.shape[2] == pytest.approx((length + 2 * EXTENSION_MM) / SECTION_MM, abs=2)
    assert thigh.native.sum() == SLICES
    assert thigh.level[first_section()] == pytest.approx(0, abs=0.06)


def test_labelled_muscles_are_kept_on_their_slices(thigh, labels):
    canvas = to_canvas(labels, SPACING)
    section = thigh.tissue[:, :, first_section()]
    labelled = canvas[:, :, 0] > 0
    assert (section[labelled] == canvas[:, :, 0][labelled]).mean() > 0.97


def test_area_is_kept_by_resampling(labels):
    canvas = to_canvas(labels, SPACING)
    for value in (3, 4, 8):
        source_mm2 = (labels[..., 1] == value).sum() * SPACING[0] * SPACING[1]
        assert (canvas[..., 1] == value).sum() * PIXEL_MM**2 == pytest.approx(source_mm2, rel=0.06)


@pytest.mark.parametrize("leg", [0, 1])
def test_femur_lies_in_the_hole_of_vastus_intermedius(thigh, leg):
    section = thigh.tissue[:, :, first_section() + 9]
    bone = np.argwhere(np.isin(section, (CORTEX, MARROW)))
    half = bone[(bone[:, 0] > CANVAS_SHAPE[0] / 2) == bool(leg)]
    assert half[:, 0].mean() == pytest.approx(canvas_column(leg), abs=3)
    assert np.sqrt(len(half) / np.pi) * PIXEL_MM == pytest.approx(12, abs=2.5)
    assert section[round(half[:, 0].mean()), round(half[:, 1].mean())] == MARROW


def test_femur_widens_towards_the_knee(thigh):
    bone = np.isin(thigh.tissue, (CORTEX, MARROW)).sum(axis=(0, 1))
    assert bone[2] > 1.5 * bone[first_section() + 9]


def test_muscles_are_inside_the_fascia(thigh):
    labelled = (thigh.tissue > 0) & (thigh.tissue < CORTEX)
    assert (thigh.depth[labelled] > -1).mean() > 0.99
    assert thigh.depth[0, 0].max() < -10


def test_free_space_inside_the_fascia_is_never_empty(thigh):
    inside = thigh.depth > 0.5
    assert (thigh.tissue[inside] > 0).all()


def test_images_beyond_the_labels_hold_unlabelled_muscle(thigh):
    top = thigh.tissue[:, :, -4]
    assert not ((top > 0) & (top < CORTEX)).any()
    assert (top >= FIRST_CELL).sum() > 0.3 * (thigh.depth[:, :, -4] > 0).sum()


def test_pelvis_holds_more_than_fat(thigh):
    assert set(np.unique(thigh.pelvis)) >= {FAT, MARROW}
    assert (thigh.pelvis >= FIRST_CELL).mean() > 0.25


def test_completion_repeats_with_its_seed(labels, thigh):
    again = complete_thigh(labels, SPACING, np.random.default_rng(0))
    np.testing.assert_array_equal(again.tissue, thigh.tissue)
    other = complete_thigh(labels, SPACING, np.random.default_rng(1))
    assert (other.tissue != thigh.tissue).any()


def test_one_leg_is_completed_too(labels):
    one = labels.copy()
    one[100:] = 0
    thigh = complete_thigh(one, SPACING, np.random.default_rng(0))
    assert (thigh.tissue == 4).any()
    assert np.isin(thigh.tissue, (CORTEX, MARROW)).any()
