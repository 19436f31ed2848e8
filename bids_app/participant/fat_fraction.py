"""What a stack's fat fraction comes with: checks, further maps, and how it was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.arrays import Array
from pipelines.water_fat.dixon import DixonResult


@dataclass(frozen=True)
class QuantitativeMap:
    """A further map on the grid of the fat fraction.

    Attributes
    ----------
    data : ndarray of shape (x, y, z)
        Canonical order.
    units : str
        Unit for the sidecar.
    description : str
        What it holds.
    """

    data: Array
    units: str
    description: str


@dataclass(frozen=True)
class FatFraction:
    """Fat fraction of a stack.

    Attributes
    ----------
    dixon : DixonResult
        Map, body, limbs and checks.
    details : Mapping
        Keys for the sidecar: how it was made.
    maps : Mapping of str to QuantitativeMap
        Further maps by the ending of their names (``WATER``, ``R2starmap``, ...).
    """

    dixon: DixonResult
    details: Mapping[str, Any]
    maps: Mapping[str, QuantitativeMap] = field(default_factory=dict)
