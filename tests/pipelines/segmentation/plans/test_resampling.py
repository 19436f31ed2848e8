"""Resampling against nnU-Net's own, whole and in part, and ways that are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nnunetv2.preprocessing.resampling import default_resampling as theirs

from pipelines.errors import ModelError
from pipelines.segmentation.plans.resampling import (
    Resampling,
    new_shape,
    read_resampling,
    resample_window,
)
from tests.pipelines.segmentation.tiny_models import plans

SPACINGS = st.tuples(*[st.sampled_from([0.8, 1.0, 1.3, 3.0, 5.0, 24.0])] * 3)


@settings(max_examples=150, deadline=None)
@given(old=SPACINGS, new=SPACINGS, separate=st.sampled_from([None, True, False]))
def test_slices_are_separate_where_nnunet_separates_them(old, new, separate):
    _, axis = theirs.determine_do_sep_z_and_axis(separate, old, new)
    assert Resampling(separate_slices=separate).slice_axis(old, new) == axis


@settings(max_examples=60, deadline=None)
@given(shape=st.tuples(*[st.integers(1, 300)] * 3), old=SPACINGS, new=SPACINGS)
def test_shape_is_that_of_nnunet(shape, old, new):
    assert new_shape(shape, old, new) == tuple(theirs.compute_new_shape(shape, old, new))


@pytest.mark.parametrize("orders", [(3, 0), (1, 0), (1, 1), (3, 3)])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((24.0, 0.8, 0.8), (24.0, 1.25, 1.25)),  # slices stay
        ((24.0, 0.8, 0.8), (6.0, 1.25, 1.25)),  # slices are added
        ((3.0, 0.5, 0.5), (6.0, 1.0, 0.7)),  # slices are left out
        ((1.0, 5.0, 1.0), (1.5, 2.0, 1.5)),  # another axis is the long one
        ((2.0, 1.0, 1.0), (2.0, 1.25, 1.25)),  # not separate, one axis stays
        ((1.5, 1.5, 1.5), (1.0, 1.2, 1.3)),  # not separate
        ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),  # nothing to do
    ],
)
def test_values_are_those_of_nnunet(old, new, orders):
    image = np.random.default_rng(0).random((9, 22, 27)).astype(np.float32)
    image[4, 10, 10] = 30.0  # splines swing beside it
    order, order_slices = orders
    shape = new_shape(image.shape, old, new)
    expected = theirs.resample_data_or_seg_to_shape(
        image[np.newaxis], shape, old, new, False, order, order_slices, None
    )[0]
    resampling = Resampling(order, order_slices, None)
    axis = resampling.slice_axis(old, new)
    whole = tuple(slice(0, n) for n in shape)
    ours = resample_window(image, shape, whole, resampling, axis)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
    part = tuple(slice(n // 3, n - n // 4) for n in shape)
    ours = resample_window(image, shape, part, resampling, axis)
    np.testing.assert_allclose(ours, expected[part], rtol=1e-5, atol=1e-5)


def test_options_are_read():
    configuration = plans()["configurations"]["2d"]
    assert read_resampling(configuration, "model") == Resampling(1, 0, None, 3.0)
    configuration["resampling_fn_data_kwargs"]["separate_z_anisotropy_threshold"] = 5
    assert read_resampling(configuration, "model").anisotropy == 5


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("resampling_fn_data", "resample_torch_fornnunet", "'resample_torch_fornnunet', "),
        ("resampling_fn_data_kwargs", {"order": 3, "memefficient": True}, "and 'memefficient', "),
        ("resampling_fn_data_kwargs", {"is_seg": True}, "and 'is_seg', "),
    ],
)
def test_unknown_ways_are_refused(key, value, said):
    configuration = plans()["configurations"]["2d"]
    configuration[key] = value
    with pytest.raises(ModelError, match=f"model resample images with .*{said}which is not"):
        read_resampling(configuration, "model")
