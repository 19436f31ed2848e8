"""The common grid of completed thighs: pixels of a canvas, sections along the leg."""

import numpy as np
from scipy import ndimage

from pipelines.arrays import UInt8

PIXEL_MM = 1.25
SECTION_MM = 4.0
# Two large thighs of 480 x 300 mm with their fat fit in.
CANVAS_SHAPE = (384, 240)


def to_canvas(labels: UInt8, spacing: tuple[float, float, float]) -> UInt8:
    """Resample the slices of a label map to the canvas, centred on the labelled voxels."""
    columns, rows = (np.flatnonzero(labels.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    center = np.array([columns[[0, -1]].mean(), rows[[0, -1]].mean()])
    scale = PIXEL_MM / np.array(spacing[:2])
    offset = center - scale * (np.array(CANVAS_SHAPE) - 1) / 2
    best = np.full((*CANVAS_SHAPE, labels.shape[2]), 0.5, np.float32)
    canvas = np.zeros(best.shape, np.uint8)
    for z in range(labels.shape[2]):
        for value in np.unique(labels[:, :, z]):
            if value == 0:
                continue
            share = ndimage.gaussian_filter(
                (labels[:, :, z] == value).astype(np.float32), scale / 2.5
            )
            share = ndimage.affine_transform(
                share, scale, offset, output_shape=CANVAS_SHAPE, order=1
            )
            wins = share > best[:, :, z]
            best[wins, z], canvas[wins, z] = share[wins], value
    # Ties between touching muscles leave a seam below one half; the nearest muscle takes it.
    return canvas
