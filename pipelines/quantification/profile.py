"""Area and fat fraction of every muscle, slice by slice."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pipelines.arrays import Affine, Bool, Float64, Floating, Index, Integer
from pipelines.geometry import voxel_sizes
from pipelines.quantification.regions import Region


def region_profile(region: Region, affine: Affine) -> pd.DataFrame:
    """Measure one muscle in every slice that holds it, distal first: rows of ``profile``.

    Areas come from the voxel's edges in the slice, so they are right for oblique slices too.
    """
    width, depth, thickness = voxel_sizes(affine)
    present, n_voxels = np.unique(region.slices, return_counts=True)
    area = n_voxels * (width * depth / 100.0)
    has_ff = np.isfinite(region.ff)
    whole = _by_slice(region.ff, region.slices, has_ff, present)
    selected = _by_slice(region.ff, region.slices, region.selected, present)
    return pd.DataFrame(
        {
            "muscle": region.muscle.name,
            "side": region.side,
            "slice": present,
            "position_mm": present * thickness,
            "position_pct": position_percent(present),
            "area_cm2": area,
            "ccsa_cm2": area * (1.0 - _apply(np.mean, whole) / 100.0),
            "ff_mean": _apply(np.mean, selected),
            "ff_median": _apply(np.median, selected),
            "n_voxels": n_voxels,
            "n_voxels_ff": [values.size for values in selected],
        }
    )


def position_percent(slices: Integer) -> Float64:
    """Place the centres of slices along the muscle that they hold, in percent of its length.

    From 0 at its proximal end (the upper face of its uppermost slice) to 100 at its distal end;
    slices rise from distal to proximal.
    """
    length = slices[-1] - slices[0] + 1
    percent: Float64 = 100.0 * (slices[-1] - slices + 0.5) / length
    return percent


def _by_slice(
    ff: Floating,
    slices: Index,
    voxels: Bool,
    present: Index,
) -> list[Float64]:
    """Split the fat fractions of some voxels into one array per slice."""
    starts = np.searchsorted(slices[voxels], present[1:])
    return np.split(ff[voxels].astype(np.float64), starts)


def _apply(
    statistic: Callable[[Float64], np.float64],
    values_by_slice: list[Float64],
) -> Float64:
    """Compute a statistic in each slice, NaN where it has no voxel."""
    return np.array([statistic(v) if v.size else np.nan for v in values_by_slice])
