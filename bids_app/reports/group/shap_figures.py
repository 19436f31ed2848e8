"""What the answers of a model were made of, drawn with the plots of ``shap``.

Their text is large against the width of a figure, so that it can be read on a phone.
"""

import base64
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bids_app.reports.matplotlib_svg import svg_style, svg_text

if TYPE_CHECKING:
    import shap
    from matplotlib.figure import Figure

# Rows of the plots, with one for the sum of all other features.
_WATERFALL_ROWS, _COHORT_ROWS = 8, 10
# Characters of a line of a label; longer ones are broken, which leaves the width to the plot.
_LABEL_WIDTH = 20
# Height of a row and width of a plot of the cohort, inches.
_ROW, _WIDTH = 0.52, 5.0
# Area of a dot of a beeswarm, square points.
_DOT = 24
# Share of the width of a waterfall that is left free beside it.
_MARGIN = 0.12


@dataclass(frozen=True)
class ShapFigure:
    """A picture (SVG as a data URI) and what it shows in words."""

    picture: str
    alt: str


def waterfall(explanation: "shap.Explanation", diagnosis: str) -> ShapFigure:
    """Draw how the features of one sample (one row) lead from the base value to its margin."""
    import shap

    one = _largest(explanation, _WATERFALL_ROWS)[0]
    base, margin = float(one.base_values), float(one.base_values + one.values.sum())
    labels = [_with_value(*pair) for pair in zip(one.feature_names, one.data, strict=True)]
    order = np.argsort(-np.abs(one.values), kind="stable")
    parts = "; ".join(f"{labels[i]} {one.values[i]:+.2f}" for i in order)
    drawn = shap.Explanation(one.values, base, feature_names=[_label(words) for words in labels])
    with _canvas() as figure:
        figure.subplots_adjust(left=0.3, right=0.72)
        shap.plots.waterfall(drawn, max_display=len(labels), show=False)
        # Room for the number left of a bar that ends at the labels.
        low, high = figure.axes[0].get_xlim()
        for axes in figure.axes:
            axes.set_xlim(low - _MARGIN * (high - low), high)
        picture = _picture(figure)
    return ShapFigure(picture, f"{diagnosis}: base {base:.2f}; {parts}; margin {margin:.2f}")


def beeswarm(explanation: "shap.Explanation", diagnosis: str) -> ShapFigure:
    """Draw what each feature added in each sample that lists it, coloured by its value."""
    import shap

    drawn = _largest(explanation, _COHORT_ROWS)
    alt, rows = _in_words(drawn, diagnosis), len(drawn.feature_names)
    drawn.feature_names = [_label(name) for name in drawn.feature_names]
    with _canvas() as figure, _no_chance():
        axes = shap.plots.beeswarm(
            drawn,
            max_display=rows,
            order=np.arange(rows),
            show=False,
            s=_DOT,
            plot_size=(_WIDTH, _ROW * rows + 1),
        )
        for dots in axes.collections:
            dots.set_rasterized(True)
            places = dots.get_offsets()
            # Grey dots have no value of the feature; at zero are those that do not list it.
            if dots.get_array() is None:
                dots.set_offsets(places[places[:, 0] != 0])
        picture = _picture(figure)
    return ShapFigure(picture, alt)


def heatmap(explanation: "shap.Explanation", diagnosis: str) -> ShapFigure:
    """Draw what each feature added in each sample, samples that are explained alike together."""
    import shap

    drawn = _largest(explanation, _COHORT_ROWS)
    alt, rows = _in_words(drawn, diagnosis), len(drawn.feature_names)
    drawn.feature_names = [_label(name) for name in drawn.feature_names]
    with _canvas() as figure:
        axes = shap.plots.heatmap(
            drawn,
            max_display=rows,
            feature_order=np.arange(rows),
            show=False,
            plot_width=_WIDTH,
        )
        axes.set_aspect("auto")
        axes.set_xlabel("samples")
        figure.axes[-1].yaxis.labelpad = 3  # of the colours, which are close in a narrow figure
        picture = _picture(figure)
    return ShapFigure(picture, alt)


@contextmanager
def _canvas() -> "Iterator[Figure]":
    """Give shap a figure of its own to draw on, without a window."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    mpl.use("Agg")
    with svg_style(11), warnings.catch_warnings():
        # A feature of which no value is known has no percentiles.
        warnings.simplefilter("ignore", RuntimeWarning)
        figure = plt.figure()
        try:
            yield figure
        finally:
            plt.close(figure)


@contextmanager
def _no_chance() -> Iterator[None]:
    """Let shap, which draws from NumPy's global generator, draw the same every time."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _picture(figure: "Figure") -> str:
    text = svg_text(figure, tight=True)
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode("utf-8")).decode("ascii")


def _largest(explanation: "shap.Explanation", rows: int) -> "shap.Explanation":
    """Keep the first features and give them words; the last column, a sum, takes the others."""
    import shap

    kept = min(rows, explanation.shape[1]) - 1
    values, data, names = explanation.values, explanation.data, explanation.feature_names
    return shap.Explanation(
        values=np.column_stack([values[:, :kept], values[:, kept:].sum(axis=1)]),
        base_values=explanation.base_values,
        data=np.column_stack([data[:, :kept], data[:, -1]]),
        feature_names=[name.replace("_", " ") for name in (*names[:kept], names[-1])],
    )


def _with_value(name: str, value: float) -> str:
    """Name a feature with its value; the sum of others has none."""
    from pipelines.diagnosis.explanation.shap_export import OTHER_FEATURES

    if name == OTHER_FEATURES:
        return name
    return f"{name}: estimated" if np.isnan(value) else f"{name}: {value:.3g}"


def _label(words: str) -> str:
    """Break words for a label, with the minus sign that matplotlib writes."""
    return "\n".join(textwrap.wrap(words, _LABEL_WIDTH)).replace("-", "−")


def _in_words(explanation: "shap.Explanation", diagnosis: str) -> str:
    means = np.abs(explanation.values).mean(axis=0)
    parts = "; ".join(
        f"{name} {mean:.2f}" for name, mean in zip(explanation.feature_names, means, strict=True)
    )
    return f"{diagnosis}, {len(explanation.values)} samples, mean size of what is added: {parts}"
