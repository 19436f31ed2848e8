"""Figures drawn with matplotlib, as SVG that is the same for the same data.

What is drawn with what: charts inside a page are made by templates from plain numbers
(:mod:`bids_app.reports.charts` and the modules of ``session``), so that they take colours and
widths of the page; figures stored as files of their own (Bland-Altman plots) and the plots of
``shap`` are drawn with matplotlib, here.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from matplotlib import rc_context
from matplotlib.figure import Figure


@contextmanager
def svg_style(font_size: float) -> Iterator[None]:
    """Draw with this size of text (points), with text that stays text and ids that do not vary."""
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "myomids", "font.size": font_size}):
        yield


def svg_text(figure: Figure, *, tight: bool = False) -> str:
    """Write a figure as SVG without a date; ``tight`` cuts it at what is drawn.

    Must be called inside :func:`svg_style`.
    """
    text = io.StringIO()
    box = "tight" if tight else None
    figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches=box)
    return text.getvalue()
