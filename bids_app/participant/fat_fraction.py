"""What a stack's fat fraction comes with: checks, further maps, and how it was made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.arrays import Array
from pipelines.water_fat.dixon import DixonResult


@dataclass(frozen=True)
class QuantitativeMap:
    """A further map on the grid of the fat fraction, with unit and description for its sidecar."""

    data: Array
    units: str
    description: str


@dataclass(frozen=True)
class FatFraction:
    """Fat fraction of a stack, keys for its sidecar, and further maps by their names' endings."""

    dixon: DixonResult
    details: Mapping[str, Any]
    maps: Mapping[str, QuantitativeMap] = field(default_factory=dict)
