"""Voxel grids: the way to canonical order and back, grids that are the same, resampling."""

import itertools
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import aff2axcodes
from scipy.spatial.transform import Rotation

from pipelines.arrays import Affine
from pipelines.errors import DataError
from pipelines.geometry import (
    check_affine,
    from_canonical,
    resample,
    restore,
    same_grid,
    to_canonical,
    voxel_sizes,
    voxel_volume_ml,
)

Floats = npt.NDArray[np.float64]

# Every way to store a volume along the axes of the body: 6 orders times 8 directions.
ORIENTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def _affine(
    order: tuple[int, ...] = (0, 1, 2),
    signs: tuple[int, ...] = (1, 1, 1),
    spacing: tuple[float, ...] = (1.0, 1.0, 1.0),
    origin: tuple[float, ...] = (0.0, 0.0, 0.0),
    rotation: Rotation | None = None,
) -> Affine:
    """Make an affine; array axis ``i`` runs along world axis ``order[i]``."""
    axes = np.zeros((3, 3))
    for array_axis, (world_axis, sign) in enumerate(zip(order, signs, strict=True)):
        axes[world_axis, array_axis] = sign
    if rotation is not None:
        axes = rotation.as_matrix() @ axes
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = origin
    return affine


def _oblique(
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    rotation: Rotation,
) -> Affine:
    return _affine(*axes, spacing, origin, rotation)


def _world(shape: tuple[int, ...], affine: Affine) -> Floats:
    """Return the world coordinates of every voxel, shape (x, y, z, 3)."""
    indices = np.moveaxis(np.indices(shape[:3]), 0, -1)
    world: Floats = indices @ affine[:3, :3].T + affine[:3, 3]
    return world


def _field(points: Floats) -> Floats:
    """A linear field in space: known wherever it is sampled, and different along each axis."""
    field: Floats = points @ np.array([1.0, -0.7, 0.3]) + 5.0
    return field


shapes = st.tuples(*[st.integers(1, 5)] * 3)
spacings = st.tuples(*[st.floats(0.3, 8.0)] * 3)
origins = st.tuples(*[st.floats(-300, 300)] * 3)
# Up to 25 degrees about any axis: the nearest axes of the body stay the same.
rotations = st.tuples(st.floats(-25, 25), st.integers(0, 10**6)).map(
    lambda pair: Rotation.from_rotvec(
        np.deg2rad(pair[0]) * _unit_vector(np.random.default_rng(pair[1]))
    )
)


def _unit_vector(generator: np.random.Generator) -> Floats:
    vector: Floats = generator.normal(size=3)
    return vector / np.linalg.norm(vector)


# --------------------------------------------------------------------------------- orientation


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_all_48_orientations_are_canonical_afterwards_and_come_back_exactly(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    shape = (2, 3, 4)
    affine = _affine(order, signs, (1.0, 2.0, 3.0), (-10.0, 20.0, 5.0))
    stored = np.arange(24).reshape(shape)
    data, canonical, orientation = to_canonical(stored, affine)
    assert aff2axcodes(canonical) == ("R", "A", "S")
    assert data.shape == tuple(np.array(shape)[np.argsort(order)])
    reference = nib.as_closest_canonical(nib.Nifti1Image(stored.astype(np.int16), affine))
    np.testing.assert_array_equal(data, np.asanyarray(reference.dataobj))
    np.testing.assert_allclose(canonical, reference.affine)
    back = from_canonical(data, orientation)
    np.testing.assert_array_equal(back, stored)
    np.testing.assert_array_equal(orientation.affine, affine)
    assert orientation.shape == shape


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(ORIENTATIONS), shapes, spacings, origins, rotations)
def test_every_voxel_keeps_its_place_in_space(
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    rotation: Rotation,
) -> None:
    affine = _affine(*axes, spacing, origin, rotation)
    stored = _world(shape, affine)
    data, canonical, orientation = to_canonical(stored, affine)
    np.testing.assert_allclose(data, _world(data.shape, canonical), atol=1e-9)
    directions = canonical[:3, :3] / voxel_sizes(canonical)
    assert np.all(np.diag(directions) > np.cos(np.deg2rad(26)))
    np.testing.assert_array_equal(from_canonical(data, orientation), stored)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(ORIENTATIONS), shapes, origins, rotations)
def test_an_array_made_in_canonical_order_lands_on_the_stored_grid(
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    origin: tuple[float, ...],
    rotation: Rotation,
) -> None:
    """As a segmentation does: computed on the canonical grid, stored on that of the scan."""
    affine = _affine(*axes, (1.0, 2.0, 4.0), origin, rotation)
    data, canonical, orientation = to_canonical(np.zeros(shape), affine)
    labels = from_canonical(_world(data.shape, canonical), orientation)
    np.testing.assert_allclose(labels, _world(shape, affine), atol=1e-9)


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(ORIENTATIONS), shapes, origins, rotations, st.data())
def test_a_restored_box_keeps_every_voxel_in_its_place(
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    origin: tuple[float, ...],
    rotation: Rotation,
    draw: st.DataObject,
) -> None:
    affine = _affine(*axes, (1.0, 2.0, 4.0), origin, rotation)
    data, canonical, orientation = to_canonical(_world(shape, affine)[..., 0], affine)
    low = [draw.draw(st.integers(0, n - 1)) for n in data.shape]
    high = [draw.draw(st.integers(n + 1, m)) for n, m in zip(low, data.shape, strict=True)]
    box = data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    box_affine = canonical.copy()
    box_affine[:3, 3] = canonical[:3, :3] @ low + canonical[:3, 3]
    stored, stored_affine = restore(box, box_affine, orientation)
    np.testing.assert_allclose(stored, _world(stored.shape, stored_affine)[..., 0], atol=1e-9)
    np.testing.assert_allclose(stored_affine[:3, :3], affine[:3, :3], atol=1e-9)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_a_restored_whole_image_has_the_very_affine_of_its_source(
    order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    rotation = Rotation.from_rotvec([0.1, -0.05, 0.2])
    affine = _affine(order, signs, (0.9375, 0.9375, 6.0), (-123.4, 98.7, 0.1), rotation)
    source = np.arange(24).reshape(2, 3, 4)
    data, canonical, orientation = to_canonical(source, affine)
    stored, stored_affine = restore(data, canonical, orientation)
    np.testing.assert_array_equal(stored, source)
    np.testing.assert_array_equal(stored_affine, affine)


def test_low_indices_are_left_posterior_inferior() -> None:
    """LPI is what a reader of the tables relies on: index 0 is the patient's left."""
    affine = _affine(signs=(-1, -1, -1), origin=(10.0, 10.0, 10.0))
    stored = np.zeros((5, 5, 5))
    stored[4, 4, 4] = 1  # farthest along -x, -y, -z
    data, canonical, _ = to_canonical(stored, affine)
    assert data[0, 0, 0] == 1
    np.testing.assert_allclose(canonical[:3, 3], [6.0, 6.0, 6.0])


def test_canonical_data_is_returned_as_it_is_and_without_a_copy() -> None:
    stored = np.arange(8.0).reshape(2, 2, 2)
    data, canonical, _ = to_canonical(stored, np.eye(4))
    assert np.shares_memory(data, stored)
    np.testing.assert_array_equal(data, stored)
    np.testing.assert_array_equal(canonical, np.eye(4))


# -------------------------------------------------------------------------------------- affines


@pytest.mark.parametrize(
    "affine",
    [
        np.eye(4),
        np.diag([-1.0, -1.0, 5.0, 1.0]),
        _affine(
            (2, 0, 1), (1, -1, 1), (0.5, 0.5, 10.0), rotation=Rotation.from_rotvec([0, 0.3, 1])
        ),
        # Axes as a float32 header rounds them.
        _affine(rotation=Rotation.from_rotvec([0.1, 0.2, 0.3])).astype(np.float32).astype(float),
        np.array([[1, 9e-4, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
    ],
)
def test_affines_that_place_voxels_are_accepted(affine: Affine) -> None:
    check_affine(affine)


@pytest.mark.parametrize(
    ("affine", "problem"),
    [
        (np.eye(3), "The affine of water.nii.gz is not a finite 4x4 matrix."),
        (np.full((4, 4), np.nan), "The affine of water.nii.gz is not a finite 4x4 matrix."),
        (np.diag([1, np.inf, 1, 1]), "The affine of water.nii.gz is not a finite 4x4 matrix."),
        (
            np.zeros((4, 4)),
            "The affine of water.nii.gz is singular: its voxels have no volume.",
        ),
        (
            np.diag([1.0, 1.0, 0.0, 1.0]),
            "The affine of water.nii.gz is singular: its voxels have no volume.",
        ),
        (
            np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
            "The affine of water.nii.gz is singular: its voxels have no volume.",
        ),
        (
            np.array([[1, 2e-3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
            "The affine of water.nii.gz is sheared: its axes are not at right angles.",
        ),
        (
            np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0.3, 5, 0], [0, 0, 0, 1.0]]),
            "The affine of water.nii.gz is sheared: its axes are not at right angles.",
        ),
    ],
)
def test_affines_that_do_not_are_refused(affine: Affine, problem: str) -> None:
    with pytest.raises(DataError) as caught:
        check_affine(affine, "water.nii.gz")
    assert caught.value.message == problem
    assert caught.value.hint == (
        "Convert the scan again, or set sform/qform from the scanner's header."
    )


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(ORIENTATIONS), spacings, rotations)
def test_sizes_and_volume_of_a_voxel(
    axes: tuple[tuple[int, ...], tuple[int, ...]], spacing: tuple[float, ...], rotation: Rotation
) -> None:
    affine = _affine(*axes, spacing, (1.0, 2.0, 3.0), rotation)
    np.testing.assert_allclose(voxel_sizes(affine), spacing, rtol=1e-12)
    assert voxel_volume_ml(affine) == pytest.approx(np.prod(spacing) / 1000, rel=1e-9)


def test_a_voxel_of_one_by_one_by_five_mm_has_five_microlitres() -> None:
    assert voxel_volume_ml(np.diag([-1.0, 1.0, 5.0, 1.0])) == pytest.approx(0.005)


# ------------------------------------------------------------------------------------ same_grid


SHAPE = (64, 64, 16)


def test_a_grid_is_itself_also_after_rounding_to_float32() -> None:
    affine = _affine(
        spacing=(0.9375, 0.9375, 6.0),
        origin=(-123.456789, 98.7654321, -40.1),
        rotation=Rotation.from_rotvec([0.1, -0.2, 0.05]),
    )
    assert same_grid(SHAPE, affine, SHAPE, affine)
    assert same_grid(SHAPE, affine, SHAPE, affine.astype(np.float32).astype(np.float64))
    assert same_grid((*SHAPE, 6), affine, SHAPE, affine)


@pytest.mark.parametrize(("shift_mm", "same"), [(0.0049, True), (0.0051, False), (5.0, False)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_tolerance_is_a_hundredth_of_the_shortest_edge(
    shift_mm: float, same: bool, axis: int
) -> None:
    affine = np.diag([0.5, 1.0, 6.0, 1.0])
    shifted = affine.copy()
    shifted[axis, 3] += shift_mm
    assert same_grid(SHAPE, affine, SHAPE, shifted) is same
    assert same_grid(SHAPE, shifted, SHAPE, affine) is same


def test_a_small_difference_of_voxel_size_adds_up_to_the_far_corner() -> None:
    # 0.0002 mm too wide: 0.0002 * 63 = 0.0126 mm at the last voxel.
    wider = np.diag([1.0002, 1.0, 6.0, 1.0])
    affine = np.diag([1.0, 1.0, 6.0, 1.0])
    assert not same_grid(SHAPE, affine, SHAPE, wider)
    assert same_grid((32, 64, 16), affine, (32, 64, 16), wider)


def test_a_turned_or_flipped_or_cropped_grid_is_another() -> None:
    affine = np.eye(4)
    turned = _affine(rotation=Rotation.from_rotvec([0, 0, np.deg2rad(0.1)]))
    flipped = _affine(signs=(-1, 1, 1), origin=(63.0, 0.0, 0.0))
    assert not same_grid(SHAPE, affine, SHAPE, turned)
    assert not same_grid(SHAPE, affine, SHAPE, flipped)
    assert not same_grid(SHAPE, affine, (64, 64, 15), affine)


# ------------------------------------------------------------------------------------- resample


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(ORIENTATIONS), shapes, spacings, origins, rotations)
def test_resampling_to_the_same_grid_changes_nothing(
    axes: tuple[tuple[int, ...], tuple[int, ...]],
    shape: tuple[int, int, int],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    rotation: Rotation,
) -> None:
    affine = _affine(*axes, spacing, origin, rotation)
    data = np.random.default_rng(0).integers(0, 60000, shape).astype(np.uint16)
    nearest = resample(data, affine, shape, affine, interpolation="nearest")
    assert nearest.dtype == np.uint16
    np.testing.assert_array_equal(nearest, data)
    linear = resample(data, affine, shape, affine)
    assert linear.dtype == np.float32
    np.testing.assert_allclose(linear, data, rtol=1e-5, atol=0.05)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_resampling_agrees_with_reordering(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    affine = _affine(order, signs, (1.0, 2.0, 3.0), (-10.0, 20.0, 5.0))
    stored = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    data, canonical, _ = to_canonical(stored, affine)
    moved = resample(stored, affine, data.shape, canonical, interpolation="nearest")
    np.testing.assert_array_equal(moved, data)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(*[st.integers(2, 6)] * 3),
    st.builds(_oblique, st.sampled_from(ORIENTATIONS), spacings, st.just((0.0,) * 3), rotations),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.builds(
        _oblique,
        st.just(ORIENTATIONS[0]),
        spacings,
        st.tuples(*[st.floats(-5, 5)] * 3),
        rotations,
    ),
)
def test_a_linear_field_is_exact_inside_and_missing_outside(
    shape: tuple[int, int, int],
    affine: Affine,
    target_shape: tuple[int, int, int],
    target: Affine,
) -> None:
    result = resample(_field(_world(shape, affine)), affine, target_shape, target)
    assert result.shape == target_shape
    points = _world(target_shape, target)
    indices = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    last = np.array(shape) - 1
    inside = np.all((indices >= 0) & (indices <= last), axis=-1)
    # Half a voxel around the outer centres belongs to the image, too; 1e-6 spares rounding.
    beyond = np.any((indices < -0.5 - 1e-6) | (indices > last + 0.5 + 1e-6), axis=-1)
    edge = np.all((indices > -0.5 + 1e-6) & (indices < last + 0.5 - 1e-6), axis=-1)
    np.testing.assert_allclose(result[inside], _field(points)[inside], atol=2e-4)
    assert np.isnan(result[beyond]).all()
    clamped = np.clip(indices, 0, last) @ affine[:3, :3].T + affine[:3, 3]
    np.testing.assert_allclose(result[edge], _field(clamped)[edge], atol=2e-4)


@pytest.mark.parametrize("cosine", [1e-309, 1e-40, 1e-17, 1e-9])
def test_almost_zero_direction_cosines_do_no_harm(cosine: float) -> None:
    turned = np.array([[1, -cosine, -cosine], [cosine, 1, -cosine], [cosine, cosine, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turned * np.array([1.375, 1.0, 1.0])
    data = np.arange(8.0).reshape(2, 2, 2)
    np.testing.assert_allclose(resample(data, affine, (2, 2, 2), affine), data, atol=1e-5)


def test_a_coarse_image_on_a_fine_grid() -> None:
    data = np.array([0.0, 10.0, 20.0]).reshape(3, 1, 1)
    fine = np.diag([0.5, 1.0, 1.0, 1.0])
    result = resample(data, np.eye(4), (6, 1, 1), fine)[:, 0, 0]
    np.testing.assert_allclose(result, [0, 5, 10, 15, 20, np.nan], atol=1e-5)


def test_labels_take_the_nearest_value_and_invent_none() -> None:
    labels = np.array([11, 0, 292], dtype=np.uint16).reshape(3, 1, 1)
    target = np.diag([0.4, 1.0, 1.0, 1.0])
    result = resample(labels, np.eye(4), (6, 1, 1), target, interpolation="nearest")
    assert result.dtype == np.uint16
    assert result[:, 0, 0].tolist() == [11, 11, 0, 0, 292, 292]


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "i8", "f4", "f8", ">i2", ">u2", "?"])
def test_labels_of_every_stored_type_keep_it_and_are_zero_outside(kind: str) -> None:
    labels = np.ones((2, 2, 2), np.dtype(kind))
    result = resample(labels, np.eye(4), (3, 2, 2), np.eye(4), interpolation="nearest")
    assert result.dtype == labels.dtype
    np.testing.assert_array_equal(result[:2], labels)
    assert not result[2].any()


@pytest.mark.parametrize("kind", ["u1", ">i2", "f8", "?"])
def test_images_of_every_stored_type_become_float32(kind: str) -> None:
    image = np.ones((2, 2, 2), np.dtype(kind))
    result = resample(image, np.eye(4), (3, 2, 2), np.eye(4))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[:2], 1.0)
    assert np.isnan(result[2]).all()


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_the_value_outside_can_be_chosen(interpolation: Any) -> None:
    image = np.zeros((1, 1, 1), np.float32)
    result = resample(
        image, np.eye(4), (2, 1, 1), np.eye(4), interpolation=interpolation, outside=-7.0
    )
    assert result[:, 0, 0].tolist() == [0.0, -7.0]


def test_a_missing_value_spreads_only_to_its_neighbours() -> None:
    data = np.zeros((5, 1, 1))
    data[2] = np.nan
    half = _affine(origin=(0.5, 0.0, 0.0))
    result = resample(data, np.eye(4), (4, 1, 1), half)[:, 0, 0]
    np.testing.assert_array_equal(np.isnan(result), [False, True, True, False])


def test_resampling_leaves_its_input_alone() -> None:
    data = np.arange(8.0).reshape(2, 2, 2)
    affine = _affine((1, 0, 2), (1, -1, 1))
    before, affine_before = data.copy(), affine.copy()
    resample(data, affine, (3, 3, 3), np.eye(4))
    np.testing.assert_array_equal(data, before)
    np.testing.assert_array_equal(affine, affine_before)
