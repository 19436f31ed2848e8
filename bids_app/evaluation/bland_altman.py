"""Bland-Altman plots of an evaluation, as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bids_app.reports.matplotlib_svg import svg_style, svg_text
from pipelines.segmentation.evaluation.agreement import agreement
from pipelines.segmentation.evaluation.biomarkers import BIOMARKERS
from pipelines.segmentation.evaluation.severity import SEVERE_FAT_PERCENT

_SIZE_INCHES = (6.4, 4.2)
_DOTS, _LINES, _GREY = "#2a6f97", "#b23a48", "#888888"


@dataclass(frozen=True)
class Quantity:
    """A measured quantity whose errors are plotted, and its columns in the table of muscles."""

    key: str
    title: str
    unit: str
    reference: str
    evaluated: str
    error: str


QUANTITIES: Sequence[Quantity] = (
    *(
        Quantity(
            b.key, b.title, b.unit, f"{b.key}_reference", f"{b.key}_evaluated", f"{b.key}_error"
        )
        for b in BIOMARKERS.values()
    ),
    Quantity(
        "volume", "volume", "ml", "volume_reference_ml", "volume_evaluated_ml", "volume_error_ml"
    ),
)


def bland_altman_svg(muscles: pd.DataFrame, quantity: Quantity) -> str | None:
    """Draw the errors of a quantity with bias and limits of agreement; None if there is none.

    They are drawn against the reference fat fraction with the limit between mild and severe
    infiltration (Figure 5 of Hostin et al. 2023), or, where it is not known, against the mean of
    reference and evaluation (Bland & Altman 1986).
    """
    known = muscles[muscles[quantity.error].notna()]
    if known.empty:
        return None
    errors = known[quantity.error].to_numpy(np.float64)
    with svg_style(9):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        _draw_limits(axes, errors)
        if known["ff_reference"].notna().any():
            at = known["ff_reference"].to_numpy(np.float64)
            axes.axvline(SEVERE_FAT_PERCENT, color=_GREY, linestyle=":", linewidth=1)
            axes.set_xlabel("reference fat fraction (%)")
        else:
            at = known[[quantity.reference, quantity.evaluated]].mean(axis=1).to_numpy(np.float64)
            axes.set_xlabel(f"mean {quantity.title} of reference and evaluated ({quantity.unit})")
        axes.plot(at, errors, "o", color=_DOTS, markersize=4, alpha=0.6, markeredgewidth=0)
        axes.set_ylabel(f"{quantity.title}: evaluated - reference ({quantity.unit})")
        axes.spines[["top", "right"]].set_visible(False)
        return svg_text(figure)


def _draw_limits(axes: Axes, errors: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
    """Draw bias and limits of agreement as labelled horizontal lines."""
    found = agreement(errors)
    axes.axhline(0, color=_GREY, linewidth=0.6)
    lines = (
        ("bias", found.bias, "-"),
        ("-1.96 SD", found.lower, "--"),
        ("+1.96 SD", found.upper, "--"),
    )
    for name, value, style in lines:
        if np.isfinite(value):
            axes.axhline(value, color=_LINES, linestyle=style, linewidth=1)
            axes.annotate(
                f"{name} {value:.2f}",
                (1, value),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                color=_LINES,
            )
