"""What the features give away, in words and with remedies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_MISSING = "missing:"
# Muscles whose gaps can be read back best that are listed one by one.
_MOST_MUSCLES = 5

# Order in which findings are listed: what must be mended first.
_ORDER = {"warn": 0, "pass": 1, "info": 2, "skipped": 3}


@dataclass(frozen=True)
class FindingRow:
    """One measurement: its level (warn, pass, info or skipped), what was found and the remedy."""

    level: str
    text: str
    auc: str  # figures for a person; empty if not measured
    interval: str
    n: str


@dataclass(frozen=True)
class AuditView:
    """What the page says about leaks."""

    # about what the model sees, worst first; of muscles only the worst
    findings: Sequence[FindingRow]
    others: Sequence[FindingRow]  # about what it does not see, and what could not be measured
    warnings: int
    muscles: int  # measured beyond those listed


def audit_view(table: "pd.DataFrame") -> AuditView:
    """Sort the findings of ``group_audit``."""
    of_muscles = table["target"].astype(str).str.startswith(_MISSING)
    gaps = table[of_muscles].sort_values("auc", ascending=False)
    shown = [*table[~of_muscles].to_dict("records"), *gaps.head(_MOST_MUSCLES).to_dict("records")]
    judged = [row for row in shown if row["level"] in {"warn", "pass"}]
    judged.sort(key=lambda row: (_ORDER[row["level"]], -row["auc"]))
    others = [row for row in shown if row["level"] not in {"warn", "pass"}]
    return AuditView(
        [_finding(row) for row in judged],
        [_finding(row) for row in others],
        int((table["level"] == "warn").sum()),
        max(0, len(gaps) - _MOST_MUSCLES),
    )


def _finding(row: dict[Any, Any]) -> FindingRow:
    measured = row["auc"] == row["auc"]
    return FindingRow(
        str(row["level"]),
        str(row["text"]),
        f"{row['auc']:.2f}" if measured else "",
        f"{row['lower']:.2f}–{row['upper']:.2f}" if measured else "",
        f"{row['n']:g}" if measured else "",
    )
