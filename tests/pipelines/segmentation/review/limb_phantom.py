"""Two thighs with a skin, a layer of fat and marrow, labels and fat fractions known."""

import numpy as np
from scipy import ndimage

from tests.pipelines.segmentation.sides.test_splitting import AFFINE, thighs

MUSCLE_FF, FAT_FF = 8.0, 95.0


def labelled_thighs(muscle_ff: float = MUSCLE_FF):
    """Return labels in our values, fat fraction (percent), body mask and affine."""
    labels = thighs()[1]
    muscle = labels > 0
    body = np.zeros(labels.shape, bool)
    ff = np.full(labels.shape, np.nan, np.float32)
    for k in range(labels.shape[2]):
        body[:, :, k] = ndimage.distance_transform_edt(~muscle[:, :, k], sampling=(2, 2)) < 16
    ff[body] = FAT_FF
    ff[muscle] = muscle_ff
    # a thigh bone at the front of each limb's middle, so that front and back differ
    x, y = (AFFINE[i, 3] + 2.0 * np.arange(labels.shape[i]) for i in (0, 1))
    for centre in (-90, 90):
        bone = np.hypot(x[:, None] - centre, y[None, :] - 12) < 11
        ff[bone], labels[bone] = FAT_FF, 0
    return labels, ff, body, AFFINE


def shifted(labels, x=0, y=0, z=0):
    """Move labels by whole voxels; what leaves the image is lost."""
    moved = np.zeros_like(labels)
    onto = tuple(
        slice(max(0, k), n + min(0, k)) for n, k in zip(labels.shape, (x, y, z), strict=True)
    )
    source = tuple(
        slice(max(0, -k), n + min(0, -k)) for n, k in zip(labels.shape, (x, y, z), strict=True)
    )
    moved[onto] = labels[source]
    return moved
