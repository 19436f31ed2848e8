import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pipelines.errors import DataError
from pipelines.water_fat.fat_fraction import count_voxels, fat_fraction, saturated_voxels

signals = npst.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    elements=st.floats(0, 2.0**20, width=32),
)


def test_known_values() -> None:
    water = np.array([[[300.0, 100.0, 0.0]]])
    fat = np.array([[[100.0, 300.0, 50.0]]])
    ff = fat_fraction(water, fat)
    assert ff.dtype == np.float32
    np.testing.assert_allclose(ff, [[[25.0, 75.0, 100.0]]])


def test_no_signal_has_no_fat_fraction() -> None:
    ff = fat_fraction(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))
    assert np.isnan(ff).all()


def test_voxels_without_a_finite_value_have_no_fat_fraction() -> None:
    water = np.array([[[np.nan, np.inf, 1.0, 1.0]]])
    fat = np.array([[[1.0, 1.0, -np.inf, np.nan]]])
    assert np.isnan(fat_fraction(water, fat)).all()


def test_negative_signal_counts_as_none() -> None:
    water = np.array([[[100.0, -5.0, -5.0, -1.0]]])
    fat = np.array([[[-5.0, 100.0, -5.0, 0.0]]])
    np.testing.assert_array_equal(fat_fraction(water, fat), [[[0.0, 100.0, np.nan, np.nan]]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_no_integer_type_overflows(dtype: type) -> None:
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 65535
    image = np.full((3, 3, 3), top, dtype)
    np.testing.assert_array_equal(fat_fraction(image, image), 50.0)


def test_shapes_must_agree() -> None:
    with pytest.raises(DataError, match=r"Water has shape \(2, 2, 2\), fat has shape \(2, 2, 3\)"):
        fat_fraction(np.ones((2, 2, 2)), np.ones((2, 2, 3)))


@settings(max_examples=60, deadline=None)
@given(signals, st.data())
def test_exchanging_the_images_mirrors_the_result(water: np.ndarray, data: st.DataObject) -> None:
    fat = data.draw(npst.arrays(np.float32, water.shape, elements=st.floats(0, 2.0**20, width=32)))
    ff, mirrored = fat_fraction(water, fat), fat_fraction(fat, water)
    known = water + fat > 0
    np.testing.assert_array_equal(np.isfinite(ff), known)
    assert ((ff[known] >= 0) & (ff[known] <= 100)).all()
    np.testing.assert_allclose(ff[known] + mirrored[known], 100.0, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(signals, st.floats(0.01, 1000))
def test_the_scale_of_the_images_does_not_matter(water: np.ndarray, scale: float) -> None:
    fat = water[::-1].astype(np.float64)
    scaled = fat_fraction(water.astype(np.float64) * scale, fat * scale)
    np.testing.assert_allclose(scaled, fat_fraction(water, fat), rtol=1e-5, equal_nan=True)


def test_clipped_signal_is_found() -> None:
    rng = np.random.default_rng(0)
    clean = rng.normal(3000, 600, (40, 40, 4)).astype(np.int16)
    assert not saturated_voxels(clean).any()
    clipped = np.minimum(clean, 4095)
    found = saturated_voxels(clipped)
    np.testing.assert_array_equal(found, clean >= 4095)
    assert found.sum() > 100


def test_a_plateau_without_noise_is_not_clipped() -> None:
    image = np.zeros((20, 20, 4))
    image[5:15] = 1000.0
    assert not saturated_voxels(image).any()


def test_an_empty_image_is_not_clipped() -> None:
    assert not saturated_voxels(np.zeros((5, 5, 5), np.int16)).any()


def test_doubtful_voxels_are_counted_inside_the_body() -> None:
    water, fat = np.full((4, 4, 4), 10.0), np.full((4, 4, 4), 5.0)
    body = np.zeros((4, 4, 4), bool)
    body[:2] = True
    water[0, 0, 0], fat[0, 0, 1] = np.nan, np.inf
    water[0, 1, 0] = -3.0
    water[0, 2, 0] = fat[0, 2, 0] = 0.0
    water[3, 0, 0] = np.nan  # outside the body
    counts = count_voxels(water, fat, body)
    assert (counts.body, counts.non_finite, counts.negative, counts.empty, counts.saturated) == (
        32,
        2,
        1,
        1,
        0,
    )
