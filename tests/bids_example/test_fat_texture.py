import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_example.code.fat_texture import random_field, spread_fat


@given(st.floats(0.5, 99.5), st.sampled_from([0.0, 0.3, 1.5]), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_interior_has_exactly_the_mean(mean, spread, seed):
    rng = np.random.default_rng(seed)
    pattern = spread * rng.standard_normal(300)
    interior = rng.random(300) < 0.6
    ff = spread_fat(mean, pattern, interior)
    assert ff[interior].mean() == pytest.approx(mean, abs=1e-9)
    assert ff.min() > 0
    assert ff.max() < 100
    assert (np.argsort(ff) == np.argsort(pattern)).all() or spread == 0


def test_field_is_standardized_smooth_and_reproducible():
    shape, spacing = (60, 50, 8), (1.5, 1.5, 20.0)
    field = random_field(np.random.default_rng(1), shape, spacing)
    assert field.mean() == pytest.approx(0.0, abs=1e-12)
    assert field.std() == pytest.approx(1.0)
    neighbours = np.corrcoef(field[1:].ravel(), field[:-1].ravel())[0, 1]
    slices = np.corrcoef(field[..., 1:].ravel(), field[..., :-1].ravel())[0, 1]
    assert neighbours > 0.7
    assert slices < 0.3
    again = random_field(np.random.default_rng(1), shape, spacing)
    np.testing.assert_array_equal(field, again)
