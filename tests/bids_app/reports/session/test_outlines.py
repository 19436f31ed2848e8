import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon
from scipy import ndimage
from skimage.draw import ellipse
from skimage.measure import approximate_polygon, find_contours

from bids_app.reports.session.outlines import outlines, simplify


def polygons(path: str) -> list[np.ndarray]:
    """Points (x, y) of every closed part of an SVG path."""
    parts = [part for part in path.split("Z") if part]
    assert all(re.fullmatch(r"M-?[\d.]+ -?[\d.]+(L-?[\d.]+ -?[\d.]+)*", part) for part in parts)
    return [np.array([p.split() for p in part[1:].split("L")], float) for part in parts]


def filled(path: str, shape: tuple[int, int], spacing: tuple[float, float]) -> np.ndarray:
    """Pixels whose centre is inside the path by the even-odd rule."""
    rows, columns = np.indices(shape)
    centers = np.stack([(columns + 0.5) * spacing[0], (rows + 0.5) * spacing[1]], -1).reshape(-1, 2)
    inside = sum(Polygon(part).contains_points(centers).astype(int) for part in polygons(path))
    return (inside % 2 == 1).reshape(shape)


def test_rectangle_is_outlined_along_its_pixel_edges() -> None:
    screen = np.zeros((20, 30), np.uint16)
    screen[3:9, 10:24] = 2021
    (outline,) = outlines(screen, (0.5, 2.0))
    (points,) = polygons(outline.path)
    assert outline.value == 2021
    # Width 0.5 mm: columns 10 to 24 are 5 to 12 mm; height 2 mm: rows 3 to 9 are 6 to 18 mm.
    assert points.min(axis=0) == pytest.approx([5.0, 6.0])
    assert points.max(axis=0) == pytest.approx([12.0, 18.0])


def test_outline_encloses_its_pixels_and_no_others() -> None:
    screen = np.zeros((60, 80), np.uint16)
    screen[ellipse(25, 30, 14, 20, screen.shape)] = 1
    screen[ellipse(45, 62, 9, 12, screen.shape)] = 7
    spacing = (0.8, 1.3)
    for outline in outlines(screen, spacing):
        mask = screen == outline.value
        inside = filled(outline.path, screen.shape, spacing)
        # Simplifying moves the outline by less than half a pixel: only border pixels can differ.
        border = ndimage.binary_dilation(mask) & ~ndimage.binary_erosion(mask)
        assert (inside == mask)[~border].all()
        assert np.count_nonzero(inside != mask) <= 0.02 * np.count_nonzero(mask)


def test_holes_stay_open_and_separate_parts_are_kept() -> None:
    screen = np.zeros((30, 40), np.uint16)
    screen[5:25, 5:25] = 3
    screen[10:20, 10:20] = 0
    screen[10:14, 30:36] = 3
    (outline,) = outlines(screen, (1.0, 1.0))
    assert len(polygons(outline.path)) == 3
    inside = filled(outline.path, screen.shape, (1.0, 1.0))
    assert inside[7, 7]
    assert inside[12, 32]
    assert not inside[15, 15]


def test_label_at_the_border_of_the_picture_is_closed() -> None:
    screen = np.ones((6, 4), np.uint16)
    (outline,) = outlines(screen, (1.0, 1.0))
    assert filled(outline.path, screen.shape, (1.0, 1.0)).all()


def test_center_is_deep_inside_the_label_and_not_in_its_hole() -> None:
    screen = np.zeros((40, 60), np.uint16)
    screen[2:38, 2:30] = 5
    screen[6:34, 6:26] = 0  # a frame, four pixels thick ...
    screen[10:26, 30:50] = 5  # ... with a thick part to the right
    (outline,) = outlines(screen, (1.0, 1.0))
    x, y = outline.center
    assert 30 < x < 50
    assert 10 < y < 26
    assert outline.radius == pytest.approx(8.0, abs=0.5)


def test_values_come_in_order_and_background_has_no_outline() -> None:
    screen = np.array([[0, 9, 9], [4, 0, 0], [4, 0, 2]], np.uint16)
    assert [outline.value for outline in outlines(screen, (1.0, 1.0))] == [2, 4, 9]
    assert outlines(np.zeros((3, 3), np.uint16), (1.0, 1.0)) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.4, 1.0, 2.5]))
def test_outlines_are_those_of_scikit_image(seed: int, tolerance: float) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(40, 30)), 3)
    for contour in find_contours(np.pad(noise > 0, 1).astype(np.uint8), 0.5):
        expected = approximate_polygon(contour, tolerance)
        np.testing.assert_array_equal(simplify(contour, tolerance), expected)


def test_points_on_a_line_and_small_bumps_are_left_out() -> None:
    line = np.array([[0, 0], [1, 0.3], [2, 0], [3, 0], [4, 0.9], [5, 0], [9, 0]], float)
    expected = [[0, 0], [3, 0], [4, 0.9], [5, 0], [9, 0]]
    assert simplify(line, 0.4).tolist() == expected
    assert simplify(line, 1.0).tolist() == [[0, 0], [9, 0]]


@pytest.mark.parametrize("count", [2, 3])
def test_shortest_lines(count: int) -> None:
    line = np.array([[0, 0], [4, 4], [8, 0]], float)[:count]
    assert simplify(line, 1.0).tolist() == line.tolist()
