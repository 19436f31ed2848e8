"""What a network is shown, against nnU-Net's own preprocessor."""

import numpy as np
import pytest
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from pipelines.segmentation.inference.preparation import prepare
from pipelines.segmentation.plans.network_plan import read_network_plan
from tests.pipelines.segmentation.tiny_models import dataset, plans


def phantom(shape, seed=0):
    """A bright body with a gap in it, a dark channel, and zeros around (x, y, z)."""
    generator = np.random.default_rng(seed)
    channels = np.zeros((2, *shape), np.float32)
    body = (slice(2, -1), slice(1, -3), slice(0, None))
    inner = channels[(slice(None), *body)]
    inner[:] = 100 + 40 * generator.random(inner.shape)
    inner[1] *= 0.3
    channels[:, 6:9, 6:10, 1:3] = 0.0
    channels[0, 12, 8, 1] = 900.0
    return channels


def nnunet_prepared(channels, spacing, content, name):
    """Output of nnU-Net's preprocessor, whole."""
    manager = PlansManager(content)
    data, _, _ = DefaultPreprocessor(verbose=False).run_case_npy(
        channels.transpose(0, 3, 2, 1),
        None,
        {"spacing": list(spacing[::-1])},
        manager,
        manager.get_configuration(name),
        dataset(),
    )
    return data


def both_prepared(channels, spacing, content, name):
    plan = read_network_plan(content, dataset(), name, "model")
    ours = prepare(channels, np.diag([*spacing, 1.0]), plan, "RAS")
    return ours, nnunet_prepared(channels, spacing, content, name)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("three_dimensional", [False, True])
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((30, 22, 5), (0.8, 0.8, 12.0)),  # thick slices
        ((18, 20, 8), (1.9, 1.9, 4.0)),  # not thick enough to be treated one by one
        ((24, 18, 16), (1.0, 1.0, 1.0)),
        ((16, 30, 9), (5.0, 0.9, 1.2)),  # sagittal
        ((20, 18, 6), (1.5, 1.5, 6.0)),  # the network's own voxels
    ],
)
def test_data_are_those_of_nnunet(shape, spacing, three_dimensional, order):
    content = plans(three_dimensional=three_dimensional, normalization="ZScoreNormalization")
    (name,) = content["configurations"]
    configuration = content["configurations"][name]
    configuration["use_mask_for_norm"] = [True, False]
    configuration["resampling_fn_data_kwargs"]["order"] = order
    # The images are so small that the margin of air takes in all that is not zero.
    ours, theirs = both_prepared(phantom(shape), spacing, content, name)
    assert ours.data.shape == theirs.shape
    assert ours.data.dtype == np.float32
    np.testing.assert_allclose(ours.data, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_axes_are_ordered_as_by_nnunet(transpose):
    content = plans()
    content["transpose_forward"] = list(transpose)
    ours, theirs = both_prepared(phantom((30, 22, 14)), (0.8, 1.0, 4.0), content, "2d")
    np.testing.assert_allclose(ours.data, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "scheme", ["NoNormalization", "RescaleTo01Normalization", "ZScoreNormalization"]
)
def test_only_the_body_is_prepared(scheme):
    channels = np.full((2, 120, 100, 4), 0.01, np.float32)
    channels[:, 50:80, 40:70] = phantom((30, 30, 4))
    content = plans(normalization=scheme)
    ours, theirs = both_prepared(channels, (1.0, 1.0, 8.0), content, "2d")
    z, y, x = ours.axes
    # 15 mm of air around what is smoothed over five voxels; the body begins at 52 and 41
    assert (x.start, x.stop) == (50 + 2 - 2 - 15, 80 - 1 + 2 + 15)
    assert (y.start, y.stop) == (40 + 1 - 2 - 15, 70 - 3 + 2 + 15)
    assert (z.start, z.stop) == (0, 4)
    first = [int(axis.start / 1.5) for axis in (y, x)]
    rows, columns = (
        slice(start, start + n) for start, n in zip(first, ours.data.shape[2:], strict=True)
    )
    expected = theirs[:, :, rows, columns]
    np.testing.assert_allclose(ours.data, expected, rtol=1e-4, atol=1e-4)
    # Voxel centres: (x + 0.5) mm of the scan is (source + first + 0.5) * 1.5 mm of the network.
    inner = slice(2, -2)
    centres = (x.source + first[1] + 0.5) * 1.5
    expected = np.arange(x.start, x.stop) + 0.5
    scale = 120 / (theirs.shape[3] * 1.5)  # the number of voxels is rounded
    np.testing.assert_allclose(centres[inner] * scale, expected[inner], atol=1e-9)
