"""Rows for groups of muscles, made from the rows and profiles of their members."""

import numpy as np
import pandas as pd

from pipelines.anatomy.vocabulary import SIDES, Side, groups, muscles
from pipelines.quantification.measures import Value, cross_sections, is_below, weighted_mean
from pipelines.quantification.profile import position_percent

# How a column of a group follows from its members. Columns in none of these (median, SD,
# percentiles) cannot be had from the members' values and stay missing.
SUMS = (
    "n_voxels",
    "n_voxels_no_ff",
    "volume_ml",
    "lean_volume_ml",
    "fat_volume_ml",
    "n_voxels_ff",
)
VOLUME_WEIGHTED_MEANS = (
    "ff_mean",
    "ff_frac_gt50",
    "ff_mean_uneroded",
    "ff_mean_lt50",
    "ff_proximal",
    "ff_middle",
    "ff_distal",
    "ff_slope",
)
TRUE_IF_ANY = ("truncated_proximal", "truncated_distal", "few_voxels")

# A single member is in the table already; calling it a group would say more than was measured.
MIN_MEMBERS = 2


def group_rows(
    rows: pd.DataFrame, profile: pd.DataFrame, noise_floor: float | None
) -> list[dict[str, Value]]:
    """Measure every group of which at least two members were found on a side.

    From muscle rows and profiles; in the order of ``groups.tsv``, left before right.
    """
    found: list[dict[str, Value]] = []
    for group, members in groups().items():
        for side in SIDES:
            part = rows[(rows["side"] == side) & rows["muscle"].isin(members)]
            if len(part) >= MIN_MEMBERS:
                slices = profile[(profile["side"] == side) & profile["muscle"].isin(members)]
                found.append(_group_row(group, side, part, slices, noise_floor))
    return found


def _group_row(
    group: str,
    side: Side,
    rows: pd.DataFrame,
    profile: pd.DataFrame,
    noise_floor: float | None,
) -> dict[str, Value]:
    members = groups()[group]
    volume = rows["volume_ml"].to_numpy(np.float64)
    means = {
        name: weighted_mean(rows[name].to_numpy(np.float64), volume)
        for name in VOLUME_WEIGHTED_MEANS
    }
    erosions = list(rows["erosion"].unique())
    joint = _joint_profile(profile)
    return {
        "level": "group",
        "side": side,
        "region": muscles()[members[0]].region,
        "muscle": group,
        "members": f"{len(rows)}/{len(members)}",
        "members_present": ",".join(rows["muscle"]),
        "n_slices": len(joint),
        **{name: rows[name].sum(skipna=False) for name in SUMS},
        **{name: bool(rows[name].any()) for name in TRUE_IF_ANY},
        **cross_sections(joint),
        **means,
        "erosion": erosions[0] if len(erosions) == 1 else "mixed",
        "below_noise_floor": is_below(means["ff_mean"], noise_floor),
    }


def _joint_profile(profile: pd.DataFrame) -> pd.DataFrame:
    """Add up the members' areas in each slice; positions are along the group."""
    by_slice = profile.groupby("slice")[["area_cm2", "ccsa_cm2"]]
    areas = by_slice.sum(skipna=False).reset_index()
    areas["position_pct"] = position_percent(areas["slice"].to_numpy(np.intp))
    return areas
