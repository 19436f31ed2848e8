"""Which features a model looks at for each diagnosis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bids_app.reports.charts import Bar

if TYPE_CHECKING:
    import pandas as pd

_MOST_FEATURES = 6


@dataclass(frozen=True)
class Importance:
    """The most important features of a diagnosis; a bar's text says which values speak for it."""

    diagnosis: str
    bars: Sequence[Bar]


def importance_view(table: "pd.DataFrame") -> list[Importance]:
    """Prepare one bar chart per diagnosis, all on one scale.

    Parameters
    ----------
    table : DataFrame
        Of :func:`pipelines.diagnosis.explanation.importance.importance_table`.
    """
    longest = float(table["importance"].max()) or 1.0
    charts = []
    for diagnosis, rows in table.groupby("diagnosis", sort=False):
        top = rows.sort_values("rank").head(_MOST_FEATURES)
        bars = [
            Bar(
                str(row["feature"]).replace("_", " "),
                100 * row["importance"] / longest,
                _direction(float(row["direction"])),
            )
            for row in top.to_dict("records")
        ]
        charts.append(Importance(str(diagnosis), bars))
    return charts


def _direction(correlation: float) -> str:
    """Say which values of a feature speak for the diagnosis."""
    if math.isnan(correlation) or correlation == 0:
        return ""
    return "high" if correlation > 0 else "low"
