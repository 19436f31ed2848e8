"""Names of limbs and slices in sentences for people."""

from collections.abc import Iterable
from itertools import groupby

import pandas as pd

COUNTING = "(counted from 0 at the feet)"


def limb_slices(rows: pd.DataFrame) -> str:
    """Name limbs and slices: 'left limb, slices 3-5, 9; right limb, slice 4 (counted ...)'.

    Parameters
    ----------
    rows : DataFrame
        Columns ``limb`` (name) and ``slice`` (index).
    """
    parts = []
    for limb, group in rows.groupby("limb", sort=False):
        slices = sorted(int(k) for k in group["slice"])
        noun = "slice" if len(slices) == 1 else "slices"
        parts.append(f"{limb} limb, {noun} {ranges(slices)}")
    return "; ".join(parts) + f" {COUNTING}"


def ranges(numbers: Iterable[int]) -> str:
    """Write sorted integers as ranges: 3-5, 9."""
    parts = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        parts.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else f"{members[0]}")
    return ", ".join(parts)
