"""The sign of the phase, which all scans of one manufacturer and converter in a dataset share.

A scan that is certain of it (a thigh with its fat layer) settles those that are not (a hand):
after all sessions, the open ones are processed again with the sign that the others have shown.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from bids_app.running.logs import LOGGER

if TYPE_CHECKING:
    from pipelines.water_fat.separation.decision import PriorSign
    from pipelines.water_fat.separation.separate import SeparationResult

# What a scan shows of the sign, as it stands in markers and outcomes.
ShownSign = Mapping[str, Any]


def scan_origin(fields: Mapping[str, Any]) -> str:
    """Return manufacturer and converter by the sidecar; empty where one is not known."""
    names = [fields.get(key) for key in ("Manufacturer", "ConversionSoftware")]
    words = [name.strip().lower() for name in names if isinstance(name, str)]
    return ", ".join(words) if len(words) == 2 and all(words) else ""


def shown_sign(result: "SeparationResult", origin: str, scan: str) -> ShownSign | None:
    """Describe what a separation shows of the sign; None where there is nothing to share."""
    if not origin or result.phase_sign.sign == "not used":
        return None
    return {
        "Origin": origin,
        "Scan": scan,
        "Sign": result.phase_sign.sign,
        "LogOdds": round(float(result.phase_sign.log_odds), 2),
        "Decisive": bool(result.phase_sign.decisive),
        "Decided": bool(result.decided),
    }


def settled_signs(shown: Iterable[ShownSign]) -> dict[str, "PriorSign"]:
    """Return the sign of every origin whose decisive scans agree, as the surest shows it."""
    from pipelines.water_fat.separation.decision import PriorSign

    decisive: dict[str, list[ShownSign]] = {}
    for one in shown:
        if one["Decisive"]:
            decisive.setdefault(one["Origin"], []).append(one)
    settled = {}
    for origin, scans in decisive.items():
        if len({one["Sign"] for one in scans}) > 1:
            names = ", ".join(sorted(one["Scan"] for one in scans))
            LOGGER.warning("Scans of %s show both signs of the phase: %s.", origin, names)
            continue
        surest = max(scans, key=lambda one: (one["LogOdds"], one["Scan"]))
        settled[origin] = PriorSign(surest["Sign"], surest["LogOdds"], surest["Scan"])
    return settled


def is_open(shown: ShownSign, settled: Mapping[str, "PriorSign"]) -> bool:
    """Tell whether the sign that others have shown may change what a scan was read as."""
    return not shown["Decisive"] and "SettledBy" not in shown and shown["Origin"] in settled
