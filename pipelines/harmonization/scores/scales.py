"""The scales on which muscles are scored, read from ``scales.tsv`` (standard library only)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pipelines.package_data import package_rows

MEASURED = "FF"
"""Scale of measured fat fractions, percent."""


@dataclass(frozen=True)
class Scale:
    """One row of ``scales.tsv``.

    Attributes
    ----------
    name : str
        How score tables name the scale.
    lowest, highest : float
        Scores of a normal and of a completely replaced muscle.
    grades : tuple of int
        The grades readers may give; empty for a measured quantity.
    noise : float
        How far outside measured values may lie: noise and T1 weighting put fat fractions below 0
        and above 100 %, and to clip them would bias means. 0 for grades.
    description : str
        What the grades mean.
    """

    name: str
    lowest: float
    highest: float
    grades: tuple[int, ...]
    noise: float
    description: str


@cache
def scales() -> Mapping[str, Scale]:
    """Return every known scale by name, in table order."""
    return {
        row["name"]: Scale(
            row["name"],
            float(row["lowest"]),
            float(row["highest"]),
            () if row["grades"] == "n/a" else tuple(int(g) for g in row["grades"].split()),
            float(row["noise"]),
            row["description"],
        )
        for row in package_rows(__package__, "scales.tsv")
    }
