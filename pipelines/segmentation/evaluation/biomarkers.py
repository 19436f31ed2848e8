"""The quantities that are read from a map inside the outline of a muscle."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.arrays import Bool, Floating


@dataclass(frozen=True)
class Biomarker:
    """A quantity whose error is reported.

    Attributes
    ----------
    key : str
        Start of its column names (``ff_reference``, ``ff_evaluated``, ``ff_error``).
    title : str
        Name for figures.
    unit : str
        Unit of its map and columns.
    """

    key: str
    title: str
    unit: str


# By the name that people use for the map.
BIOMARKERS: Mapping[str, Biomarker] = {
    "FF": Biomarker("ff", "fat fraction", "%"),
    "T2": Biomarker("t2", "T2", "ms"),
    "MTR": Biomarker("mtr", "magnetization transfer ratio", "%"),
}


def mean_inside(values: Floating, mask: Bool) -> float:
    """Return the mean of a map over a mask, as Hostin et al. 2023 (section Evaluation) do.

    The mask is not eroded: its outline is what is being judged.
    """
    inside = values[mask]
    inside = inside[np.isfinite(inside)]
    return float(inside.mean(dtype=np.float64)) if inside.size else math.nan
