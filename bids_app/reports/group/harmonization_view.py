"""What harmonization does to the scores: their distribution before and after, by scale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_app.reports.charts import LineChart, density, line_chart

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT_LABEL = "share of values (highest = 1)"


@dataclass(frozen=True)
class HarmonizationView:
    """Distribution of scores (brought to 0-100) and of features, by scale, and the choices."""

    before: LineChart
    after: LineChart
    counts: Sequence[tuple[str, int]]
    facts: Sequence[tuple[str, str]]


def harmonization_view(
    trace: "pd.DataFrame", options: Mapping[str, Any], words: Mapping[str, Mapping[str, str]]
) -> HarmonizationView | None:
    """Draw the distributions of ``group_trace``; None if no score serves a feature."""
    used = trace[trace["used"].astype(bool)].drop_duplicates(["sample", "muscle"])
    if used.empty:
        return None
    counts = used["scale"].value_counts()
    low, high = _ends(used["relative"].to_numpy(dtype=np.float64))
    before, after = {}, {}
    for scale in counts.index:
        rows = used[used["scale"] == scale]
        before[str(scale)] = density(rows["score_0_100"].to_numpy(dtype=np.float64), 0.0, 100.0)
        after[str(scale)] = density(rows["relative"].to_numpy(dtype=np.float64), low, high)
    facts = [
        ("Scores", words["methods"].get(str(options["method"]), str(options["method"]))),
        ("Asymmetry", words["orders"].get(str(options["order"]), str(options["order"]))),
    ]
    if options["method"] != "ranks":
        facts.append(("Relative to the patient's other muscles", _yes(options["relative"])))
    if options["method"] != "paper":
        facts.append(("Random draws averaged", str(options["draws"])))
    if options["coverage"]:
        # Less than a thousandth stands for a single sample.
        share = f"at least {options['coverage']:.0%}" if options["coverage"] >= 1e-3 else "any"
        facts.append(("Muscles kept", f"scored in {share} of samples"))
    return HarmonizationView(
        line_chart(before, "score, 0–100", _HEIGHT_LABEL, (0.0, 100.0)),
        line_chart(after, "feature", _HEIGHT_LABEL, (low, high)),
        [(str(scale), int(n)) for scale, n in counts.items()],
        facts,
    )


def _ends(values: Any) -> tuple[float, float]:
    """Return round ends of an axis that hold all values, the same distance from zero."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return -1.0, 1.0
    reach = float(np.abs(finite).max()) or 1.0
    step = 10 ** np.floor(np.log10(reach))
    end = float(np.ceil(reach / step) * step)
    return (-end, end) if (finite < 0).any() else (0.0, end)


def _yes(value: Any) -> str:
    return "yes" if value else "no"
