import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from PIL import Image

from bids_app.reports.session.figures import (
    COLOR_STOPS,
    GREY_AT_HUNDRED,
    GREY_AT_ZERO,
    SlicePicture,
    fat_color,
    key_slice,
    mosaic,
)
from tests.bids_app.reports import page_content
from tests.bids_app.reports.session.test_outlines import polygons


def pixels(picture: SlicePicture) -> np.ndarray:
    prefix, _, encoded = picture.picture.partition(",")
    assert prefix == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def test_grey_levels_mean_fat_fraction_and_black_means_no_value() -> None:
    fat_fraction = np.full((4, 1, 1), np.nan, np.float32)
    fat_fraction[1:, 0, 0] = [0, 50, 100]
    figure = mosaic(fat_fraction, None, {}, np.eye(4), 16)
    assert figure is not None
    # Column 0 is the highest index: the patient's right.
    grey = pixels(figure.slices[0])[0]
    middle = (GREY_AT_ZERO + GREY_AT_HUNDRED) / 2
    assert grey.tolist() == [GREY_AT_HUNDRED, pytest.approx(middle, abs=2), GREY_AT_ZERO, 0]


def test_values_beyond_the_scale_are_drawn_as_its_ends() -> None:
    fat_fraction = np.array([[[-20.0]], [[140.0]]], np.float32)
    figure = mosaic(fat_fraction, None, {}, np.eye(4), 16)
    assert figure is not None
    assert pixels(figure.slices[0])[0].tolist() == [GREY_AT_HUNDRED, GREY_AT_ZERO]


def test_left_muscles_are_on_the_right_of_the_picture() -> None:
    figure = mosaic(
        page_content.fat_fraction(),
        page_content.labels(),
        page_content.lookup(),
        page_content.AFFINE,
        16,
    )
    assert figure is not None
    middle = figure.slice_width / 2
    for picture in figure.slices:
        assert len(picture.muscles) == 4
        for muscle in picture.muscles:
            x, y = muscle.outline.center
            assert (x > middle) == (muscle.entry.side == "left")
            # Sartorius lies in front of vastus lateralis, so above it.
            assert (y < figure.slice_height / 2) == (muscle.entry.muscle == "sartorius")


def test_outlines_lie_on_their_muscles_in_the_picture() -> None:
    """Where only muscle holds fat, the picture is white inside the outlines and dark outside."""
    labels = page_content.labels()
    fat_fraction = np.where(labels > 0, 100.0, 0.0).astype(np.float32)
    figure = mosaic(fat_fraction, labels, page_content.lookup(), page_content.AFFINE, 16)
    assert figure is not None
    for picture in figure.slices:
        grey = pixels(picture)
        rows, columns = np.indices(grey.shape)
        centers = np.stack(
            [
                (columns + 0.5) * figure.slice_width / grey.shape[1],
                (rows + 0.5) * figure.slice_height / grey.shape[0],
            ],
            axis=-1,
        ).reshape(-1, 2)
        inside = np.zeros(len(centers), bool)
        for muscle in picture.muscles:
            for part in polygons(muscle.outline.path):
                inside |= Polygon(part).contains_points(centers)
        assert ((grey == GREY_AT_HUNDRED) == inside.reshape(grey.shape)).all()


def test_large_pictures_are_shrunk_in_proportion() -> None:
    fat_fraction = np.full((1000, 500, 1), 50, np.float32)
    figure = mosaic(fat_fraction, None, {}, np.eye(4), 16)
    assert figure is not None
    assert pixels(figure.slices[0]).shape == (170, 340)
    assert (figure.slice_width, figure.slice_height) == (1000, 500)


def test_slices_do_not_overlap_and_fill_the_figure() -> None:
    fat_fraction = np.full((10, 10, 40), 50, np.float32)
    figure = mosaic(fat_fraction, None, {}, np.eye(4), 16)
    assert figure is not None
    assert [s.index for s in figure.slices][:2] == [39, 36]
    corners = [(s.x, s.y) for s in figure.slices]
    assert len({x for x, _ in corners}) == len({y for _, y in corners}) == 4
    steps = np.diff(sorted({x for x, _ in corners}))
    assert (steps > figure.slice_width).all()
    assert (np.diff(sorted({y for _, y in corners})) > figure.slice_height).all()
    assert max(x for x, _ in corners) + figure.slice_width == pytest.approx(figure.width)
    assert max(y for _, y in corners) + figure.slice_height < figure.height


def test_map_without_values_has_no_figure() -> None:
    empty = np.full((4, 4, 4), np.nan, np.float32)
    assert mosaic(empty, None, {}, np.eye(4), 16) is None


def test_labels_without_an_entry_are_not_drawn() -> None:
    labels = page_content.labels()
    lookup = {v: e for v, e in page_content.lookup().items() if e.muscle == "sartorius"}
    figure = mosaic(page_content.fat_fraction(), labels, lookup, page_content.AFFINE, 16)
    assert figure is not None
    assert {m.entry.muscle for s in figure.slices for m in s.muscles} == {"sartorius"}


def test_key_slice_colours_muscles_by_their_mean() -> None:
    labels = page_content.labels()
    vastus = [v for v, e in page_content.lookup().items() if e.muscle == "vastus_lateralis"]
    labels[..., 2][np.isin(labels[..., 2], vastus)] = 0
    means = {("sartorius", "left"): 12.25, ("sartorius", "right"): 100.0}
    figure = key_slice(
        page_content.fat_fraction(), labels, page_content.lookup(), page_content.AFFINE, means
    )
    assert figure is not None
    (picture,) = figure.slices
    assert picture.index != 2
    fills = {(m.entry.muscle, m.entry.side): (m.fat_fraction, m.fill) for m in picture.muscles}
    assert fills["sartorius", "left"] == (12.25, fat_color(12.25))
    assert fills["sartorius", "right"] == (100.0, fat_color(100.0))
    assert fills["vastus_lateralis", "left"] == (None, "none")


def test_key_slice_needs_labels() -> None:
    blank = np.zeros(page_content.SHAPE, np.uint16)
    assert key_slice(page_content.fat_fraction(), blank, {}, page_content.AFFINE, {}) is None


def test_colours_follow_the_colour_map_and_stop_at_its_ends() -> None:
    # The ends and the middle of viridis.
    assert [fat_color(p) for p in (0, 50, 100)] == ["#440154", "#21918c", "#fde725"]
    assert fat_color(-3) == fat_color(0) == COLOR_STOPS[0]
    assert fat_color(104) == fat_color(100) == COLOR_STOPS[100]


def test_picture_of_a_slice_is_the_same_wherever_it_stands() -> None:
    args = (page_content.labels(), page_content.lookup(), page_content.AFFINE)
    many = mosaic(page_content.fat_fraction(), *args, 16)
    few = mosaic(page_content.fat_fraction(), *args, 2)
    assert many is not None
    assert few is not None
    by_index = {s.index: replace(s, x=0, y=0) for s in many.slices}
    assert all(replace(s, x=0, y=0) == by_index[s.index] for s in few.slices)
