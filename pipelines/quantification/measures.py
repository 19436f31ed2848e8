"""The numbers of one muscle: sizes, fat fraction statistics, change along the muscle."""

import numpy as np
import pandas as pd

from pipelines.arrays import Affine, Float64, Floating, Index
from pipelines.geometry import voxel_volume_ml
from pipelines.quantification.regions import Region

Value = float | int | bool | str | None

PERCENTILES = (5, 25, 75, 95)

# Fat fraction that separates "muscle" from "fat" voxels in ff_frac_gt50 and ff_mean_lt50, %.
FAT_VOXEL_THRESHOLD = 50.0

# Ends of the proximal and the middle third, % of the muscle's length.
THIRDS = (100.0 / 3.0, 200.0 / 3.0)


def muscle_row(
    region: Region, profile: pd.DataFrame, affine: Affine, noise_floor: float | None
) -> dict[str, Value]:
    """Measure one muscle: a row of the table ``muscles`` without the columns comparing sides."""
    proximal, distal = truncation(region.slices, region.stack_slices)
    statistics = fat_statistics(region.ff[region.selected])
    return {
        "level": "muscle",
        "side": region.side,
        "region": region.muscle.region,
        "muscle": region.muscle.name,
        "label": region.muscle.value(region.side),
        "n_slices": len(profile),
        "truncated_proximal": proximal,
        "truncated_distal": distal,
        **volumes(region.ff, voxel_volume_ml(affine)),
        **cross_sections(profile),
        **statistics,
        "erosion": region.erosion,
        "n_voxels_ff": int(np.count_nonzero(region.selected)),
        "few_voxels": region.few_voxels,
        **along_muscle(profile),
        "below_noise_floor": is_below(statistics["ff_mean"], noise_floor),
    }


def volumes(ff: Floating, voxel_ml: float) -> dict[str, float | int]:
    """Measure a muscle's volume (ml) and how it divides into lean tissue and fat.

    From the fat fraction (percent) of every voxel of the uneroded mask; those without one (NaN)
    count for the volume only.
    """
    values = ff[np.isfinite(ff)].astype(np.float64)
    mean = float(values.mean()) if values.size else np.nan
    with_ff_ml = values.size * voxel_ml
    return {
        "n_voxels": ff.size,
        "n_voxels_no_ff": ff.size - values.size,
        "volume_ml": ff.size * voxel_ml,
        "lean_volume_ml": with_ff_ml * (1.0 - mean / 100.0),
        "fat_volume_ml": with_ff_ml * mean / 100.0,
        "ff_mean_uneroded": mean,
    }


def cross_sections(profile: pd.DataFrame) -> dict[str, float | int | None]:
    """Find the largest and the mid-length cross-section, cm2; ``position_pct`` must fall."""
    area = profile["area_cm2"].to_numpy(np.float64)
    ccsa = profile["ccsa_cm2"].to_numpy(np.float64)
    percent = profile["position_pct"].to_numpy(np.float64)
    largest = int(np.argmax(area))
    return {
        "csa_max_cm2": float(area[largest]),
        "csa_max_slice": int(profile["slice"].iloc[largest]),
        "csa_mid_cm2": float(np.interp(50.0, percent[::-1], area[::-1])),
        "ccsa_max_cm2": float(np.fmax.reduce(ccsa)),
        "ccsa_mid_cm2": float(np.interp(50.0, percent[::-1], ccsa[::-1])),
    }


def fat_statistics(ff: Floating) -> dict[str, float]:
    """Describe the distribution of the selected voxels' fat fractions (percent, no NaN)."""
    values = ff.astype(np.float64)
    percentile_names = [f"ff_p{p}" for p in PERCENTILES]
    if not values.size:
        names = ["ff_mean", "ff_median", "ff_sd", *percentile_names, "ff_frac_gt50", "ff_mean_lt50"]
        return dict.fromkeys(names, np.nan)
    median, *percentiles = np.percentile(values, [50, *PERCENTILES])
    low = values[values < FAT_VOXEL_THRESHOLD]
    return {
        "ff_mean": float(values.mean()),
        "ff_median": float(median),
        "ff_sd": float(values.std()),
        **{name: float(p) for name, p in zip(percentile_names, percentiles, strict=True)},
        "ff_frac_gt50": 100.0 * float(np.mean(values > FAT_VOXEL_THRESHOLD)),
        "ff_mean_lt50": float(low.mean()) if low.size else np.nan,
    }


def along_muscle(profile: pd.DataFrame) -> dict[str, float]:
    """Describe how the fat fraction changes from the proximal to the distal end.

    Means of the thirds in percent, slope in percentage points per 10 % of the length; NaN for a
    third without voxels, and for the slope if fewer than two slices have voxels.
    """
    used = profile[profile["n_voxels_ff"] > 0]
    percent = used["position_pct"].to_numpy(np.float64)
    means = used["ff_mean"].to_numpy(np.float64)
    weights = used["n_voxels_ff"].to_numpy(np.float64)
    third = np.digitize(percent, THIRDS)
    return {
        "ff_proximal": weighted_mean(means[third == 0], weights[third == 0]),
        "ff_middle": weighted_mean(means[third == 1], weights[third == 1]),
        "ff_distal": weighted_mean(means[third == 2], weights[third == 2]),
        "ff_slope": 10.0 * _weighted_slope(percent, means, weights),
    }


def weighted_mean(values: Float64, weights: Float64) -> float:
    """Return the weighted mean of the values that are not NaN, NaN if there are none."""
    use = np.isfinite(values)
    if not weights[use].sum() > 0:
        return np.nan
    return float(np.average(values[use], weights=weights[use]))


def is_below(ff_mean: float, noise_floor: float | None) -> bool | None:
    """Tell whether a fat fraction lies below the noise floor; None if either is not known."""
    if noise_floor is None or not np.isfinite([ff_mean, noise_floor]).all():
        return None
    return bool(ff_mean < noise_floor)


def _weighted_slope(x: Float64, y: Float64, weights: Float64) -> float:
    if x.size < 2:
        return np.nan
    x_centred = x - np.average(x, weights=weights)
    return float(np.sum(weights * x_centred * y) / np.sum(weights * x_centred**2))


def truncation(slices: Index, stack_slices: int) -> tuple[bool, bool]:
    """Tell at which ends (proximal, distal) the stack cuts a muscle.

    A muscle that still has a cross-section in the last slice of the stack goes on beyond it, as far
    as anyone can know; its volume and length are those of the imaged part. Slices rise from distal
    to proximal.
    """
    return bool(slices[-1] == stack_slices - 1), bool(slices[0] == 0)
