from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_example.code.power_diagram import balanced_weights, cell_depths, nearest_on_curve

COORDINATES = st.complex_numbers(max_magnitude=50, allow_nan=False, allow_infinity=False)


@given(st.lists(COORDINATES, min_size=1, max_size=4, unique=True), COORDINATES)
@settings(max_examples=50, deadline=None)
def test_nearest_point_is_on_the_curve_and_none_is_nearer(corners, point):
    curve = np.array(corners)
    (nearest,) = nearest_on_curve(np.array([point]), curve)
    if len(curve) == 1:
        dense = curve
    else:
        share = np.linspace(0, 1, 400)
        dense = np.concatenate([a + share * (b - a) for a, b in pairwise(curve)])
    distance = np.abs(dense - point).min()
    assert abs(nearest - point) <= distance + 1e-9
    assert np.abs(dense - nearest).min() <= np.abs(np.diff(curve)).max(initial=0) / 399 + 1e-9


def test_cells_get_the_areas_they_should_have():
    axis = np.arange(-40, 40, 1.0)
    grid = (axis + 1j * axis[:, None]).ravel()
    sites = np.array([-20 - 20j, 20 - 15j, -18 + 22j, 15 + 18j, 0j])
    distances = np.stack([np.abs(grid - site) ** 2 for site in sites])
    wanted = np.array([10.0, 15.0, 20.0, 25.0, 30.0])
    weights = balanced_weights(distances, wanted, point_area=1.0)
    owner = np.argmin(distances - weights[:, None], axis=0)
    np.testing.assert_allclose(np.bincount(owner) / 64, wanted, atol=0.3)
    assert weights.mean() == pytest.approx(0.0)


def test_depth_is_the_distance_to_the_boundary_between_two_sites():
    # Sites 20 mm apart; a weight of 80 mm2 moves the boundary by 80 / (2 * 20) = 2 mm.
    points = np.array([-7.0, 0.0, 1.5, 3.0, 9.0]) + 4j
    nearest = np.stack([np.full(5, -10 + 0j), np.full(5, 10 + 0j)])
    owner, depths = cell_depths(points, nearest, np.array([80.0, 0.0]))
    assert owner.tolist() == [0, 0, 0, 1, 1]
    other = depths[1 - owner, np.arange(5)]
    np.testing.assert_allclose(other, [9.0, 2.0, 0.5, 1.0, 7.0])
    assert np.isinf(depths[owner, np.arange(5)]).all()
