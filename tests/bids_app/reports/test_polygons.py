"""Simplified outlines, against scikit-image's and by their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

from bids_app.reports.polygons import simplify


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
