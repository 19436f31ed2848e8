"""Quality checks as lights: a symbol, a word, the value and what it was compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bids_app.reports.layout import Layout

# Worst first, so that nobody has to search for it.
_ORDER = ("fail", "warn", "pass")


@dataclass(frozen=True)
class Light:
    """One check as shown: what was found and what to do, beside a level pass, warn or fail."""

    level: str
    word: str  # what the light says besides its colour
    title: str
    stack: str  # empty if there is only one
    value: str  # numbers with unit; empty if there are none
    threshold: str
    text: str


def lights(
    sidecars_of_stacks: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], layout: Layout
) -> list[Light]:
    """Gather the quality checks (``QualityChecks``) of each stack's sidecars, the worst first."""
    found = [
        _light(check, stack, layout)
        for stack, sidecars in sidecars_of_stacks
        for sidecar in sidecars
        for check in sidecar.get("QualityChecks", [])
    ]
    return sorted(found, key=lambda light: _ORDER.index(light.level))


def _light(check: Mapping[str, Any], stack: str, layout: Layout) -> Light:
    name, level = str(check["name"]), str(check["level"])
    unit = str(check.get("unit") or "")
    return Light(
        level,
        layout.levels[level],
        layout.checks.get(name, name.replace("_", " ").capitalize()),
        stack,
        _number(check.get("value"), unit),
        _number(check.get("threshold"), unit),
        str(check.get("text", "")),
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text if unit in ("", "1") else f"{text} {unit}"
