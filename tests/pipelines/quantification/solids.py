"""Label images of simple solids and an independent, slow measurement of one label."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from pipelines.anatomy.vocabulary import Side, muscles

Array = npt.NDArray[Any]

THICK = np.diag([1.5, 1.5, 20.0, 1.0])
ISOTROPIC = np.diag([2.0, 2.0, 2.0, 1.0])


def value(muscle: str, side: Side = "left") -> int:
    return muscles()[muscle].value(side)


def box_image(
    shape: tuple[int, int, int], boxes: dict[int, tuple[slice, slice, slice]]
) -> npt.NDArray[np.uint16]:
    """Label image with one box per value."""
    labels = np.zeros(shape, np.uint16)
    for label, box in boxes.items():
        labels[box] = label
    return labels


def ellipsoid(shape: tuple[int, int, int], spacing: float, radii: Array) -> npt.NDArray[np.bool_]:
    """Mask of an ellipsoid in the middle of the image; radii in mm."""
    axes = np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * spacing for n in shape], indexing="ij")
    return sum((x / r) ** 2 for x, r in zip(axes, radii, strict=True)) <= 1.0


def measured_independently(labels: Array, ff: Array, affine: Array, label: int) -> dict[str, float]:
    """Measure one label with the whole volume and library erosion, thick slices along axis 2."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    mask = labels == label
    cross = ndimage.generate_binary_structure(3, 1)
    if sizes[2] >= 3 * max(sizes[:2]):
        cross[:, :, [0, 2]] = False
    inner = ndimage.binary_erosion(mask, cross, border_value=1) & ~np.isnan(ff)
    if inner.sum() < 20:
        inner = mask & ~np.isnan(ff)
    voxel_ml = sizes.prod() / 1000
    values = ff[inner].astype(float)
    whole = ff[mask & ~np.isnan(ff)].astype(float)
    areas = mask.sum(axis=(0, 1)) * sizes[0] * sizes[1] / 100
    slices = np.flatnonzero(areas)
    top, bottom = slices[-1] + 0.5, slices[0] - 0.5
    from_top = 100 * (top - np.nonzero(inner)[2]) / (top - bottom)
    return {
        "n_voxels": mask.sum(),
        "volume_ml": mask.sum() * voxel_ml,
        "lean_volume_ml": ((100 - whole) / 100).sum() * voxel_ml,
        "fat_volume_ml": (whole / 100).sum() * voxel_ml,
        "csa_max_cm2": areas.max(),
        "csa_max_slice": areas.argmax(),
        "ccsa_max_cm2": max(
            areas[k] * (1 - np.nanmean(ff[..., k][mask[..., k]].astype(float)) / 100)
            for k in slices
        ),
        "n_voxels_ff": inner.sum(),
        "ff_mean": values.mean(),
        "ff_median": np.median(values),
        "ff_sd": np.sqrt(np.mean((values - values.mean()) ** 2)),
        "ff_p5": np.quantile(values, 0.05),
        "ff_p25": np.quantile(values, 0.25),
        "ff_p75": np.quantile(values, 0.75),
        "ff_p95": np.quantile(values, 0.95),
        "ff_frac_gt50": 100 * (values > 50).sum() / values.size,
        "ff_mean_uneroded": whole.mean(),
        "ff_mean_lt50": _mean(values[values < 50]),
        "ff_proximal": _mean(values[from_top < 100 / 3]),
        "ff_middle": _mean(values[(from_top >= 100 / 3) & (from_top < 200 / 3)]),
        "ff_distal": _mean(values[from_top >= 200 / 3]),
        "ff_slope": np.polyfit(from_top / 10, values, 1)[0] if np.ptp(from_top) else np.nan,
    }


def _mean(values: Array) -> float:
    return float(values.mean()) if values.size else np.nan
