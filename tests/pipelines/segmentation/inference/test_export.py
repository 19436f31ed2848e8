"""Labels, probabilities and entropies against plain formulas on the interpolated volume."""

import numpy as np
import pytest
from scipy import ndimage, special

from pipelines.segmentation.inference.export import empty_volume, write_slices
from pipelines.segmentation.inference.preparation import AxisMap

SOURCES = (
    np.array([0.0, 0.4, 1.0, 2.75, 3.0]),  # between slices
    np.linspace(0.0, 10.0, 71),  # more rows than are worked on at a time
    np.array([0.0, 0.2, 1.5, 6.0, 6.9, 8.0]),
)
AXES = tuple(
    AxisMap(len(source) + 3, 2, len(source) + 2, source) for source in SOURCES
)  # two voxels before and one after are not predicted
INNER = tuple(slice(axis.start, axis.stop) for axis in AXES)


@pytest.fixture(scope="module")
def logits():
    generator = np.random.default_rng(0)
    values = generator.normal(0, 4, (5, 4, 11, 9)).astype(np.float32)
    values[:, 1] *= 40  # certain, and exponentials that vanish
    return values


@pytest.fixture(scope="module")
def expected(logits):
    grid = np.stack(np.meshgrid(*SOURCES, indexing="ij"))
    volume = np.stack([ndimage.map_coordinates(c.astype(float), grid, order=1) for c in logits])
    return special.softmax(volume, axis=0)


def test_whole_block(logits, expected):
    volume = empty_volume(AXES, 5)
    before = logits.copy()
    write_slices(volume, logits, AXES, 0)
    np.testing.assert_array_equal(logits, before)
    np.testing.assert_array_equal(volume.labels[INNER], expected.argmax(axis=0))
    np.testing.assert_allclose(volume.probability[INNER], 255 * expected.max(axis=0), atol=0.51)
    entropy = special.entr(expected).sum(axis=0) / np.log(5)
    np.testing.assert_allclose(volume.entropy[INNER], 255 * entropy, atol=0.51)
    soft = np.zeros_like(volume.soft_voxels)
    soft[:, INNER[0]] = expected.sum(axis=(2, 3))
    np.testing.assert_allclose(volume.soft_voxels, soft, rtol=1e-5)
    outside = np.ones(volume.labels.shape, bool)
    outside[INNER] = False
    assert not volume.labels[outside].any()
    assert (volume.probability[outside] == 255).all()
    assert not volume.entropy[outside].any()


def test_block_fills_only_its_slices(logits, expected):
    volume = empty_volume(AXES, 5)
    write_slices(volume, logits[:, 2:], AXES, 2)
    np.testing.assert_array_equal(volume.labels[INNER][3:], expected.argmax(axis=0)[3:])
    assert not volume.labels[INNER][:3].any()


@pytest.mark.parametrize(("classes", "dtype"), [(256, np.uint8), (257, np.uint16)])
def test_labels_take_the_smallest_type(classes, dtype):
    assert empty_volume(AXES, classes).labels.dtype == dtype
