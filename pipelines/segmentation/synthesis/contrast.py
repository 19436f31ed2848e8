"""Which images of a water and fat pair a site has: both, one, or a mixture."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from pipelines.segmentation.normalization import normalize_dixon

Contrast = Literal["dixon", "water", "fat", "in_phase", "opposed_phase", "t1"]
SINGLE_CONTRASTS: tuple[Contrast, ...] = ("water", "fat", "in_phase", "opposed_phase", "t1")


def make_contrast(
    pair: npt.NDArray[np.float32], contrast: Contrast, fat_weight: float = 2.0
) -> npt.NDArray[np.float32]:
    """Return the normalized channels a site with this contrast would feed to the model.

    Parameters
    ----------
    pair : ndarray of shape (2, x, y)
        Water and fat images of one slice.
    contrast : str
        ``dixon`` for both; otherwise one image alone, for which the other channel is missing.
    fat_weight : float
        Brightness of fat relative to water in the T1-like image.

    Returns
    -------
    ndarray of float32, shape (2, x, y)
        As :func:`~pipelines.segmentation.normalization.normalize_dixon` gives.
    """
    water, fat = pair[..., None]
    if contrast == "dixon":
        return normalize_dixon(water, fat)[..., 0]
    if contrast == "fat":
        return normalize_dixon(None, fat)[..., 0]
    image = {
        "water": water,
        "in_phase": water + fat,
        "opposed_phase": np.abs(water - fat),
        "t1": water + fat_weight * fat,
    }[contrast]
    return normalize_dixon(image, None)[..., 0]
