"""How far apart the surfaces of two masks are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipelines.arrays import Bool

Box = tuple[slice, ...]

# Share of the surface that HD95 looks at, %: the rest may be single stray voxels.
ROBUST_PERCENTILE = 95.0


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances between two surfaces, mm; NaN if either mask is empty.

    Attributes
    ----------
    hd95 : float
        Robust Hausdorff distance: the larger of the two directed 95th percentiles of the distance
        from a surface voxel to the other surface.
    assd : float
        Average symmetric surface distance: mean over the surface voxels of both masks of the
        distance to the other surface (Heimann et al. 2009, 10.1109/TMI.2009.2013851).
    """

    hd95: float
    assd: float


def surface_distances(
    reference: Bool, evaluated: Bool, spacing: Sequence[float]
) -> SurfaceDistances:
    """Measure how far apart the surfaces of two masks are.

    The surface are the voxels of the mask with a face neighbour outside of it; beyond the image
    is outside. Distances are between voxel centres, and every surface voxel counts the same,
    whatever the area it stands for: where voxels are long, numbers differ from tools that weight
    by area.

    `reference` and `evaluated` are (x, y, z); `spacing` is in mm.
    """
    if not (reference.any() and evaluated.any()):
        return SurfaceDistances(math.nan, math.nan)
    surfaces = [_surface(mask) for mask in (reference, evaluated)]
    # The nearest surface voxel always lies in the box, so the distances are exact.
    distances = [
        ndimage.distance_transform_edt(~other, sampling=spacing)[own]
        for own, other in (surfaces, surfaces[::-1])
    ]
    return SurfaceDistances(
        hd95=max(float(np.percentile(d, ROBUST_PERCENTILE)) for d in distances),
        assd=float(np.concatenate(distances).mean()),
    )


def joint_box(first: Box | None, second: Box | None) -> Box:
    """Return the smallest box that holds two boxes, of which one may be missing."""
    boxes = [box for box in (first, second) if box is not None]
    return tuple(
        slice(min(edge.start for edge in edges), max(edge.stop for edge in edges))
        for edges in zip(*boxes, strict=True)
    )


def _surface(mask: Bool) -> Bool:
    inner: Bool = ndimage.binary_erosion(mask)
    return mask & ~inner
