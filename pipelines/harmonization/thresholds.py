"""Which fat fractions each grade of a scale stands for, read from a table.

Thresholds are edges: a scale with K grades has K + 1 of them, and grade number k stands for the fat
fractions between edges k and k + 1. Figure 1a of Verdu-Diaz et al. 2025 draws such bins but gives
no numbers, and bins guessed wrongly (equal widths) show the scale more clearly than the linear
scaling does; therefore none come with the package (:mod:`.threshold_estimation` makes them).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from pipelines.errors import DataError
from pipelines.harmonization.scaling import known_scale
from pipelines.harmonization.scores.scales import Scale

Thresholds = Mapping[str, tuple[float, ...]]

COLUMNS = ("scale", "grade", "lower", "upper")


def read_thresholds(table: pd.DataFrame, source: str) -> Thresholds:
    """Read thresholds from a table.

    Parameters
    ----------
    table : DataFrame of str
        Columns ``COLUMNS``: one row per scale and grade with the ends of its bin, percent fat.
    source : str
        Name of the file, for messages.

    Returns
    -------
    mapping of str to tuple of float
        Edges of each scale.

    Raises
    ------
    DataError
        If a column is missing, a value is no number, a scale is unknown or lacks a grade, or bins
        overlap, leave gaps or leave 0-100.
    """
    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise DataError(
            f"{source} lacks the column(s) {', '.join(lacking)}.",
            f"Columns are {', '.join(COLUMNS)}, separated by tabs.",
        )
    found: dict[str, tuple[float, ...]] = {}
    for name, rows in table.groupby("scale", sort=False):
        scale = _scale_of(str(name), source)
        numbers = rows[list(COLUMNS[1:])].apply(pd.to_numeric, errors="coerce")
        if numbers.isna().any(axis=None):
            line = int(np.flatnonzero(table.index == rows.index[numbers.isna().any(axis=1)][0])[0])
            raise DataError(
                f"{source}, row {line + 2}: grade, lower and upper must be numbers.",
                "Write a decimal point, and 2a2b coded 0 to 4.",
            )
        numbers = numbers.sort_values("grade")
        if numbers["grade"].tolist() != list(scale.grades):
            raise DataError(
                f"{source}: scale {name} has grades {_list(numbers['grade'])}, not "
                f"{_list(scale.grades)}.",
                "Give one row per grade.",
            )
        if numbers["lower"].iloc[1:].tolist() != numbers["upper"].iloc[:-1].tolist():
            raise DataError(
                f"{source}: the bins of scale {name} overlap or leave gaps.",
                "The upper end of a grade is the lower end of the next.",
            )
        found[str(name)] = (float(numbers["lower"].iloc[0]), *numbers["upper"].astype(float))
    try:
        return check_thresholds(found)
    except DataError as error:
        raise DataError(f"{source}: {error.message}", error.hint) from error


def _scale_of(name: str, source: str) -> Scale:
    """Return a scale that a file names."""
    try:
        return known_scale(name)
    except DataError as error:
        raise DataError(f"{source}: {error.message}", error.hint) from error


def check_thresholds(thresholds: Thresholds) -> Thresholds:
    """Check edges somebody gave and return them.

    Raises
    ------
    DataError
        If a scale is unknown or has no grades, or its edges are not one more than its grades,
        rising, and within 0-100.
    """
    for name, edges in thresholds.items():
        scale = known_scale(name)
        if not scale.grades:
            raise DataError(f"Scale {name} is measured and has no grades.", "Leave it out.")
        if len(edges) != len(scale.grades) + 1:
            raise DataError(
                f"Scale {name} needs {len(scale.grades) + 1} thresholds, not {len(edges)}.",
                "Give the lower end of every grade and the upper end of the last.",
            )
        if min(np.diff(edges)) <= 0 or edges[0] < 0 or edges[-1] > 100:
            raise DataError(
                f"Thresholds of scale {name} do not rise within 0-100: {_list(edges)}.",
                "They are fat fractions in percent.",
            )
    return thresholds


def _list(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
