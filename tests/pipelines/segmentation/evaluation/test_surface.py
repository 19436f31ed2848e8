"""Surface distances against analytic values and against the package surface-distance."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.segmentation.evaluation.surface import (
    SurfaceDistances,
    joint_box,
    surface_distances,
)

MASKS = arrays(np.bool_, (5, 4, 3))


def cube(shape, corner, size):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = True
    return mask


def ellipsoid(shape, centre, radii):
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True)) <= 1


def test_identical_masks_touch_everywhere():
    mask = cube((10, 10, 10), (2, 2, 2), (5, 5, 5))
    assert surface_distances(mask, mask, (1, 2, 3)) == SurfaceDistances(0, 0)


@pytest.mark.parametrize("mm", [0.5, 1.0, 7.0])
def test_two_parallel_sheets(mm):
    # Sheets one voxel thick are all surface: every distance is the gap, 4 voxels.
    first = cube((12, 6, 6), (2, 0, 0), (1, 6, 6))
    second = cube((12, 6, 6), (6, 0, 0), (1, 6, 6))
    found = surface_distances(first, second, (mm, 1.0, 1.0))
    assert found.hd95 == pytest.approx(4 * mm)
    assert found.assd == pytest.approx(4 * mm)


def test_shifted_cube():
    # An 8-cube shifted by 2 voxels of 1.5 mm along axis 0. Of the 296 surface voxels, the leading
    # and trailing faces differ; summed over one of the surfaces:
    #   side walls (4 walls, 28 voxels around) overlap in 6 layers at distance 0;
    #   two wall layers stick out, 1 and 2 voxels from the nearest face: the one further away is the
    #   whole 8 x 8 face.
    first = cube((16, 12, 12), (2, 2, 2), (8, 8, 8))
    second = cube((16, 12, 12), (4, 2, 2), (8, 8, 8))
    found = surface_distances(first, second, (1.5, 1.0, 1.0))
    # The face of one cube that lies 2 layers inside the other is 3 mm from that face, but its
    # voxels near the walls are closer to them: distance min(3, depth below the wall).
    outer = 64 * 3.0 + 28 * 1.5
    depth = np.minimum.outer(*[np.minimum(np.arange(8), np.arange(8)[::-1])] * 2)
    inner = np.minimum(depth, 3.0).sum()
    assert found.assd == pytest.approx((outer + inner) / 296)
    assert found.hd95 == pytest.approx(3.0)


def test_outlying_voxels_do_not_move_hd95():
    body = cube((30, 30, 30), (2, 2, 2), (20, 20, 20))
    stray = body.copy()
    stray[28, 28, 28] = True
    found = surface_distances(body, stray, (1, 1, 1))
    assert found.hd95 == 0
    assert found.assd == pytest.approx(math.sqrt(3 * 7**2) / (2 * (20**3 - 18**3) + 1))


def test_long_voxels_make_long_distances():
    first = cube((6, 6, 12), (2, 2, 2), (2, 2, 4))
    second = cube((6, 6, 12), (2, 2, 6), (2, 2, 4))
    assert surface_distances(first, second, (1, 1, 5)).assd == pytest.approx(10 / 4 * 5)


@pytest.mark.parametrize("which", ["reference", "evaluated", "both"])
def test_an_empty_mask_has_no_distance(which):
    mask, empty = cube((4, 4, 4), (1, 1, 1), (2, 2, 2)), np.zeros((4, 4, 4), bool)
    found = surface_distances(
        mask if which == "evaluated" else empty, mask if which == "reference" else empty, (1, 1, 1)
    )
    assert math.isnan(found.hd95)
    assert math.isnan(found.assd)


@given(MASKS, MASKS, st.tuples(*[st.floats(0.3, 9)] * 3))
@settings(max_examples=40, deadline=None)
def test_equals_the_definition_by_brute_force(a, b, spacing):
    found = surface_distances(a, b, spacing)
    swapped = surface_distances(b, a, spacing)
    assert vars(swapped) == pytest.approx(vars(found), nan_ok=True)
    if not (a.any() and b.any()):
        return
    points = [surface_points(mask) * spacing for mask in (a, b)]
    between = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    directed = [between.min(axis=1), between.min(axis=0)]
    assert found.hd95 == pytest.approx(max(np.percentile(d, 95) for d in directed))
    assert found.assd == pytest.approx(np.concatenate(directed).mean())


def surface_points(mask):
    """Voxels of a mask with a face neighbour outside, found one by one."""
    padded = np.pad(mask, 1)
    steps = [s * e for e in np.eye(3, dtype=int) for s in (-1, 1)]
    voxels = np.argwhere(padded)
    return np.array([v for v in voxels if not all(padded[tuple(v + s)] for s in steps)])


@pytest.mark.parametrize(
    ("spacing", "assd_within", "hd95_within"),
    [((1.0, 1.0, 1.0), 0.06, 0.0), ((0.8, 0.8, 3.0), 0.15, 0.2), ((1.0, 1.0, 5.0), 0.5, 1.0)],
)
def test_agrees_with_the_package_surface_distance(spacing, assd_within, hd95_within):
    """Its surface runs between voxels and is weighted by area, ours counts surface voxels.

    So both may differ: up to 0.5 mm in the mean distance and 1 mm in HD95 with voxels of 5 mm,
    less with shorter ones (0.05 mm and nothing at 1 mm).
    """
    other = pytest.importorskip("surface_distance")
    long = spacing[2]
    reference = ellipsoid((50, 50, 24), (24, 24, 12), (14, 10, 45 / long))
    evaluated = ellipsoid((50, 50, 24), (27, 25, 12), (13, 11, 40 / long))
    found = surface_distances(reference, evaluated, spacing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        distances = other.compute_surface_distances(reference, evaluated, spacing)
    areas = distances["surfel_areas_gt"].sum(), distances["surfel_areas_pred"].sum()
    means = other.compute_average_surface_distance(distances)
    assd = np.average(means, weights=areas)
    hd95 = other.compute_robust_hausdorff(distances, 95)
    assert abs(found.assd - assd) <= assd_within
    assert abs(found.hd95 - hd95) <= hd95_within
    assert assd > 0.7, "the masks differ too little to tell anything"


def test_joint_box():
    first, second = (slice(1, 4), slice(0, 2)), (slice(3, 9), slice(1, 2))
    assert joint_box(first, second) == (slice(1, 9), slice(0, 2))
    assert joint_box(None, second) == second
    assert joint_box(first, None) == first
