"""Differences between left and right."""

import numpy as np
import pandas as pd


def add_asymmetry(table: pd.DataFrame) -> pd.DataFrame:
    """Fill in the columns that compare the two sides.

    Parameters
    ----------
    table : DataFrame
        Table ``muscles`` of ``columns.json``.

    Returns
    -------
    DataFrame
        A copy with ``asym_volume`` = 200 (L - R) / (L + R) in percent and ``asym_ff`` = L - R in
        percentage points. Missing where the other side was not found, or where a group was
        measured on other members there.
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
