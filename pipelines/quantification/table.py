"""The per-muscle table of a session."""

import pandas as pd

from pipelines.geometry import Affine
from pipelines.quantification.asymmetry import add_asymmetry
from pipelines.quantification.columns import Table, build_table
from pipelines.quantification.groups import group_rows
from pipelines.quantification.measures import muscle_row
from pipelines.quantification.options import QuantificationOptions
from pipelines.quantification.profile import region_profile
from pipelines.quantification.regions import FatFraction, Labels, iterate_regions


def muscle_table(
    labels: Labels,
    ff: FatFraction,
    affine: Affine,
    options: QuantificationOptions | None = None,
    noise_floor: float | None = None,
) -> pd.DataFrame:
    """Measure every muscle and every group of muscles.

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
    DataFrame
        One row per muscle and side found (vocabulary order, left before right), then one per
        group and side (order of ``groups.tsv``). No rows if the label image is empty. Columns:
        table ``muscles`` of ``columns.json``.

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
        return build_table(Table.MUSCLES, pd.DataFrame())
    muscles = build_table(Table.MUSCLES, pd.DataFrame(rows))
    groups = group_rows(muscles, pd.concat(profiles), noise_floor)
    return add_asymmetry(build_table(Table.MUSCLES, pd.DataFrame([*rows, *groups])))
