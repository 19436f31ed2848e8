import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.water_fat.grids import match_grids


def world(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """Return a linear function of the position in space, which linear interpolation keeps."""
    index = np.indices(shape).reshape(3, -1)
    x, y, z = (affine @ np.vstack([index, np.ones(index.shape[1])]))[:3]
    return (500 + 2 * x + 3 * y - z).reshape(shape).astype(np.float32)


def grid(spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> np.ndarray:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


def test_one_grid_is_left_alone() -> None:
    affine = grid((2, 2, 8), (-30, -20, 0))
    water, fat = world((30, 20, 4), affine), np.ones((30, 20, 4), np.float32)
    matched = match_grids(water, affine, fat, affine)
    assert matched.water is water
    assert matched.fat is fat
    assert (matched.resampled, matched.cropped) == (False, False)
    assert matched.text == "Water and fat have the same grid."


def test_a_coarser_fat_image_is_interpolated() -> None:
    water_affine, fat_affine = grid((2, 2, 8), (0, 0, 0)), grid((3, 3, 5), (-15, -15, -15))
    water = world((30, 20, 4), water_affine)
    fat = world((40, 40, 12), fat_affine)
    matched = match_grids(water, water_affine, fat, fat_affine)
    assert matched.resampled
    assert not matched.cropped
    np.testing.assert_allclose(matched.fat, matched.water, atol=0.01)
    assert matched.text == (
        "Fat lay on another grid (40 x 40 x 12) than water (30 x 20 x 4); it was interpolated onto "
        "that of water."
    )


def test_different_fields_of_view_are_cut_to_the_common_box() -> None:
    water_affine, fat_affine = grid((2, 2, 8), (0, 0, 0)), grid((2, 2, 8), (8, -10, 16))
    water = world((30, 24, 6), water_affine)
    fat = world((30, 24, 6), fat_affine)
    matched = match_grids(water, water_affine, fat, fat_affine)
    assert matched.water.shape == matched.fat.shape == (26, 19, 4)
    assert matched.origin == (4, 0, 2)
    np.testing.assert_allclose(matched.affine[:3, 3], [8, 0, 16])
    np.testing.assert_allclose(matched.fat, matched.water, atol=0.01)
    np.testing.assert_allclose(matched.water, world((26, 19, 4), matched.affine), atol=0.01)
    assert matched.cropped
    assert matched.text.endswith("both were cut to the common field of view (26 x 19 x 4).")


def test_missing_values_of_fat_do_not_shrink_the_common_box() -> None:
    water_affine, fat_affine = grid((2, 2, 8), (0, 0, 0)), grid((2, 2, 8), (1, 0, 0))
    fat = world((31, 24, 6), fat_affine)
    fat[:10] = np.nan
    matched = match_grids(world((30, 24, 6), water_affine), water_affine, fat, fat_affine)
    assert matched.water.shape[1:] == (24, 6)
    assert matched.water.shape[0] >= 29
    assert np.isnan(matched.fat[:8]).all()


def test_a_rotated_field_of_view_leaves_unknown_corners() -> None:
    angle = np.deg2rad(30)
    water_affine = grid((2, 2, 8), (-39, -39, 0))
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    fat_affine = rotation @ water_affine
    water, fat = (world((40, 40, 3), one) for one in (water_affine, fat_affine))
    matched = match_grids(water, water_affine, fat, fat_affine)
    known = np.isfinite(matched.fat)
    assert 0.6 < known.mean() < 0.9
    # Within half a voxel of its border an image is continued by its outermost value.
    inner = np.s_[12:28, 12:28]
    np.testing.assert_allclose(matched.fat[inner], matched.water[inner], atol=0.05)


@pytest.mark.parametrize(
    ("origin", "message"),
    [((500.0, 0.0, 0.0), "share no voxel"), ((50.0, 0.0, 0.0), "share only a thin margin")],
)
def test_scans_of_different_places_are_refused(
    origin: tuple[float, float, float], message: str
) -> None:
    water_affine, fat_affine = grid((2, 2, 8), (0, 0, 0)), grid((2, 2, 8), origin)
    image = np.ones((30, 24, 6), np.float32)
    with pytest.raises(DataError, match=message) as caught:
        match_grids(image, water_affine, image, fat_affine)
    assert "both files belong to one scan" in caught.value.hint
