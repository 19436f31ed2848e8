"""Which of our own results are left out or doubtful, and what people say about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Stacks listed one by one.
_MOST_STACKS = 50


@dataclass(frozen=True)
class QualityRow:
    """A stack in words; texts are empty where there is nothing to say."""

    sample: str
    stack: str
    state: str
    failed: str  # titles of the failed checks
    text: str
    verdict: str


@dataclass(frozen=True)
class QualityView:
    """Stacks that are left out, have a failed check or a verdict, those left out first."""

    rows: Sequence[QualityRow]
    more: int  # beyond those listed
    stacks: int  # of our own results
    left_out: int


def quality_view(table: "pd.DataFrame", titles: Mapping[str, str]) -> QualityView | None:
    """Choose the stacks of ``group_quality`` to look at; None if nothing is to be said of any.

    `titles` are those of checks.
    """
    left_out = table["state"] == "left out"
    told = table[left_out | table["failed_lights"].notna() | table["verdict"].notna()]
    if told.empty:
        return None
    first = told.assign(kept=told["state"] != "left out").sort_values("kept", kind="stable")
    rows = [_row(row, titles) for row in first.head(_MOST_STACKS).to_dict("records")]
    return QualityView(rows, len(told) - len(rows), len(table), int(left_out.sum()))


def _row(row: dict[Any, Any], titles: Mapping[str, str]) -> QualityRow:
    names = _text(row["failed_lights"]).split(", ") if _text(row["failed_lights"]) else []
    verdict = ""
    if _text(row["verdict"]):
        who, when, reason = (row[f"verdict_{name}"] for name in ("who", "when", "reason"))
        verdict = f"{row['verdict']}: {reason} ({who}, {when})"
    return QualityRow(
        str(row["sample"]),
        _text(row["stack"]),
        str(row["state"]),
        ", ".join(titles.get(name, name.replace("_", " ")) for name in names),
        _text(row["text"]),
        verdict,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
