"""What the model looks at: for each diagnosis, in each answer, and which features act together."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bids_app.reports.charts import Bar

if TYPE_CHECKING:
    import pandas as pd

    from bids_app.reports.group.shap_figures import ShapFigure

_MOST_FEATURES = 6


@dataclass(frozen=True)
class Importance:
    """The most important features of a diagnosis; a bar's text says which values speak for it."""

    diagnosis: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class AnswerFigures:
    """What the answers of the cohort were made of, where they name one diagnosis."""

    diagnosis: str
    samples: int  # whose explanation of it is drawn
    first: int  # that have it as first answer
    beeswarm: "ShapFigure"
    heatmap: "ShapFigure"


def importance_view(table: "pd.DataFrame") -> list[Importance]:
    """Prepare one bar chart per diagnosis, all on one scale; of the table of importance."""
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


def waterfalls(explanation: "pd.DataFrame", samples: Iterable[str]) -> "dict[str, ShapFigure]":
    """Draw what the first answer of each of these samples was made of, where it is explained."""
    first = explanation[explanation["rank"] == 1]
    chosen = first[first["sample"].isin(list(samples))]
    if chosen.empty:
        return {}
    from bids_app.reports.group.shap_figures import waterfall
    from pipelines.diagnosis.explanation.shap_export import listed_explanation

    figures = {}
    for sample, rows in chosen.groupby("sample", sort=False):
        diagnosis = str(rows["diagnosis"].iloc[0])
        figures[str(sample)] = waterfall(listed_explanation(rows, diagnosis), diagnosis)
    return figures


def answer_figures(
    explanation: "pd.DataFrame", chosen: str | None, most: int, least_samples: int
) -> list[AnswerFigures]:
    """Draw the diagnoses that are most often the first answer; a chosen one comes first.

    Those that are explained in fewer than `least_samples` samples are left out.
    """
    answers = explanation[["sample", "rank", "diagnosis"]].drop_duplicates()
    samples = answers["diagnosis"].value_counts()
    first = answers["diagnosis"][answers["rank"] == 1].value_counts()
    by_number = sorted(
        (str(name) for name, n in samples.items() if n >= least_samples),
        key=lambda name: (name != chosen, -first.get(name, 0), name),
    )
    if not by_number:
        return []
    from bids_app.reports.group.shap_figures import beeswarm, heatmap
    from pipelines.diagnosis.explanation.shap_export import listed_explanation

    found = []
    for name in by_number[:most]:
        listed = listed_explanation(explanation, name)
        pictures = beeswarm(listed, name), heatmap(listed, name)
        found.append(AnswerFigures(name, int(samples[name]), int(first.get(name, 0)), *pictures))
    return found


def clusters(table: "pd.DataFrame") -> tuple[str, list[list[str]]]:
    """Return the diagnosis whose interactions were measured, and its groups of features."""
    groups = [list(rows["feature"]) for _, rows in table.groupby("cluster", sort=True)]
    return str(table["diagnosis"].iloc[0]), groups


def _direction(correlation: float) -> str:
    """Say which values of a feature speak for the diagnosis."""
    if math.isnan(correlation) or correlation == 0:
        return ""
    return "high" if correlation > 0 else "low"
