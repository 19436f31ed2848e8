"""Remove stray islands: voxels of a muscle far from the muscle."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.geometry import Affine, voxel_volume_ml

# A connected piece with less than this share of the muscle's largest piece is a stray island.
# Tendon ends that thick slices tear off are larger.
STRAY_SHARE = 0.02


def remove_strays(
    labels: npt.NDArray[np.uint16], affine: Affine
) -> tuple[npt.NDArray[np.uint16], dict[int, float]]:
    """Set small disconnected pieces of each muscle to background.

    Parameters
    ----------
    labels : ndarray of uint16, shape (x, y, z)
        Labels with sides, so that the two limbs are different muscles.
    affine : ndarray of shape (4, 4)
        Their affine, mm.

    Returns
    -------
    labels : ndarray of uint16
        Copy without the pieces below :data:`STRAY_SHARE` of their muscle's largest one. Pieces
        are connected over faces, edges and corners.
    removed : dict of int to float
        Volume removed from each label value, ml; values that lost nothing are left out.
    """
    kept = labels.copy()
    removed: dict[int, float] = {}
    voxel = voxel_volume_ml(affine)
    boxes = {v: box for v, box in enumerate(ndimage.find_objects(labels), start=1) if box}
    for value, box in boxes.items():
        pieces, count = ndimage.label(labels[box] == value, np.ones((3, 3, 3), int))
        if count == 1:
            continue
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        stray = (sizes > 0) & (sizes < STRAY_SHARE * sizes.max())
        if stray.any():
            kept[box][stray[pieces]] = 0
            removed[value] = float(sizes[stray].sum() * voxel)
    return kept, removed
