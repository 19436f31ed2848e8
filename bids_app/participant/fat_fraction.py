"""What a stack's fat fraction comes with: checks, further maps, and how it was made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bids_app.participant.shared_sign import ShownSign
from pipelines.arrays import Array
from pipelines.quality import Check, merge_checks
from pipelines.water_fat.dixon import DixonResult


@dataclass(frozen=True)
class QuantitativeMap:
    """A further map on the grid of the fat fraction, with unit and description for its sidecar."""

    data: Array
    units: str
    description: str


@dataclass(frozen=True)
class FatFraction:
    """Fat fraction of a stack, keys for its sidecar, and further maps by their names' endings.

    Raw echoes also say what sign of the phase they show.
    """

    dixon: DixonResult
    details: Mapping[str, Any]
    maps: Mapping[str, QuantitativeMap] = field(default_factory=dict)
    shown_sign: ShownSign | None = None


def with_input_checks(dixon: DixonResult, checks: Sequence[Check]) -> DixonResult:
    """Put what headers and sidecars contradict before the checks of the fat fraction."""
    return replace(dixon, checks=[*merge_checks(checks), *dixon.checks])
