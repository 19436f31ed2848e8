"""What the features give away, in words and with remedies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Targets of which there are many, and how many of the worst are listed one by one.
_KINDS = ("missing:", "diagnosis:")
_MOST = 5

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

    # about what the model sees, worst first; of muscles and single diagnoses only the worst
    findings: Sequence[FindingRow]
    others: Sequence[FindingRow]  # about what it does not see, and what could not be measured
    warnings: int
    more: int  # muscles and diagnoses measured beyond those listed


def audit_view(table: "pd.DataFrame") -> AuditView:
    """Sort the findings of ``group_audit``."""
    target = table["target"].astype(str)
    ranked = table.sort_values("auc", ascending=False)
    many = [ranked[target[ranked.index].str.startswith(kind)] for kind in _KINDS]
    shown = table[~target.str.startswith(_KINDS)].to_dict("records")
    shown += [row for part in many for row in part.head(_MOST).to_dict("records")]
    judged = [row for row in shown if row["level"] in {"warn", "pass"}]
    judged.sort(key=lambda row: (_ORDER[row["level"]], -row["auc"]))
    others = [row for row in shown if row["level"] not in {"warn", "pass"}]
    return AuditView(
        [_finding(row) for row in judged],
        [_finding(row) for row in others],
        int((table["level"] == "warn").sum()),
        sum(max(0, len(part) - _MOST) for part in many),
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
