"""The per-muscle table of a stack and its slice profile, from one walk through the muscles."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Affine, Floating, Integer
from pipelines.quantification.columns import MuscleTables, build_table
from pipelines.quantification.groups import group_rows
from pipelines.quantification.measures import muscle_row
from pipelines.quantification.options import QuantificationOptions
from pipelines.quantification.profile import region_profile
from pipelines.quantification.regions import iterate_regions

_KEYS = ["muscle", "side"]


@dataclass(frozen=True)
class MuscleMeasurements:
    """What was measured in the muscles of a stack; columns as in ``columns.json``.

    Attributes
    ----------
    muscles : DataFrame
        Table ``muscles``: one row per muscle and side found (vocabulary order, left before right),
        then one per group and side (order of ``groups.tsv``).
    profile : DataFrame
        Table ``profile``: one row per muscle, side and slice, in the order of the muscles, distal
        slices first.
    """

    muscles: pd.DataFrame
    profile: pd.DataFrame


def measure_muscles(
    labels: Integer,
    ff: Floating,
    affine: Affine,
    options: QuantificationOptions | None = None,
    noise_floor: float | None = None,
) -> MuscleMeasurements:
    """Measure every muscle, every slice of it, and every group of muscles.

    Parameters
    ----------
    labels : ndarray of int, shape (x, y, z)
        Label values of :func:`pipelines.anatomy.vocabulary.label_values`, canonical order
        (axis 2 from inferior to superior).
    ff : ndarray of float, shape (x, y, z)
        Fat fraction, percent; NaN where there is none. Such voxels count for volume and area and
        for nothing else.
    affine : ndarray of shape (4, 4)
        Affine of both, mm.
    options : QuantificationOptions, optional
        How voxels are selected for the fat fraction; the defaults if not given.
    noise_floor : float, optional
        Fat fraction below which the scan shows only noise, percent.

    Returns
    -------
    MuscleMeasurements
        Tables without rows if the label image is empty.

    Raises
    ------
    DataError
        If the two images do not fit together, are of the wrong type, or hold unknown values.
    """
    options = options or QuantificationOptions()
    rows, profiles = [], []
    for region in iterate_regions(labels, ff, affine, options):
        profile = region_profile(region, affine)
        rows.append(muscle_row(region, profile, affine, noise_floor))
        profiles.append(profile)
    if not rows:
        none = pd.DataFrame()
        return MuscleMeasurements(
            build_table(MuscleTables.MUSCLES, none), build_table(MuscleTables.PROFILE, none)
        )
    slices = pd.concat(profiles)
    muscles = build_table(MuscleTables.MUSCLES, pd.DataFrame(rows))
    groups = group_rows(muscles, slices, noise_floor)
    both = build_table(MuscleTables.MUSCLES, pd.DataFrame([*rows, *groups]))
    return MuscleMeasurements(_add_asymmetry(both), build_table(MuscleTables.PROFILE, slices))


def _add_asymmetry(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in ``asym_volume``, 200 (L - R) / (L + R) in percent, and ``asym_ff``, L - R in points.

    Missing where the other side was not found, or a group was measured on other members there.
    """
    # Groups compare only if made of the same members; muscles have none, on both sides.
    keys = ["level", "muscle", "members_present"]
    sides = {
        side: table.loc[table["side"] == side, [*keys, "volume_ml", "ff_mean"]]
        for side in ("left", "right")
    }
    both = sides["left"].merge(sides["right"], on=keys, suffixes=("_left", "_right"))
    left, right = both["volume_ml_left"], both["volume_ml_right"]
    both["asym_volume"] = 200.0 * (left - right) / (left + right)
    both["asym_ff"] = both["ff_mean_left"] - both["ff_mean_right"]
    columns = ["asym_volume", "asym_ff"]
    matched = table[keys].merge(both[[*keys, *columns]], on=keys, how="left")
    return table.assign(**{name: matched[name].to_numpy(np.float64) for name in columns})


def add_confidence(table: pd.DataFrame, confidence: pd.DataFrame) -> pd.DataFrame:
    """Fill the confidence columns of the per-muscle table.

    Parameters
    ----------
    table : DataFrame
        From the muscles of :func:`measure_muscles`.
    confidence : DataFrame
        ``muscle``, ``side`` and confidence columns, one row per muscle and side, e.g. from
        :func:`pipelines.segmentation.review.confidence.muscle_confidence`.

    Returns
    -------
    DataFrame
        A new table with the same rows in the same order; groups have no confidence.
    """
    columns = [name for name in confidence.columns if name not in _KEYS]
    joined = table.drop(columns=columns).merge(
        confidence, on=_KEYS, how="left", validate="many_to_one"
    )
    joined.loc[joined["level"] == "group", columns] = float("nan")
    return build_table(MuscleTables.MUSCLES, joined)
