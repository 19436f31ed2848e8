"""The plots of shap show the numbers of the explanation table, the same each time."""

import base64
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from bids_app.reports.group import shap_figures
from bids_app.reports.group.shap_figures import ShapFigure, beeswarm, heatmap, waterfall
from bids_app.reports.matplotlib_svg import svg_text
from pipelines.diagnosis.explanation.shap_export import listed_explanation

SAMPLES, FEATURES, LISTED = 40, 14, 9


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Nine of 14 features listed for each sample; no value of feature_0 is known."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(SAMPLES):
        chosen = rng.permutation(FEATURES)[:LISTED]
        rows += [
            {
                "sample": f"s/{i}",
                "rank": 1,
                "diagnosis": "DYSF",
                "feature": f"feature_{j}",
                "value": np.nan if j == 0 or rng.random() < 0.2 else rng.normal(),
                "shap": rng.normal() * (FEATURES - j),
                "base": -0.25,
                "margin": 3.0,
            }
            for j in chosen
        ]
    return pd.DataFrame(rows)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list:
    """Figures of matplotlib as they were when they were written."""
    figures = []

    def keep(figure: object, **options: bool) -> str:
        figures.append(figure)
        return svg_text(figure, **options)

    monkeypatch.setattr(shap_figures, "svg_text", keep)
    return figures


def sums(table: pd.DataFrame, features: list[str]) -> np.ndarray:
    """What all other features than these add, by sample."""
    own = table[table["feature"].isin(features)].groupby("sample", sort=False)["shap"].sum()
    return 3.25 - own.reindex(table["sample"].unique(), fill_value=0.0).to_numpy()


def largest(table: pd.DataFrame, count: int) -> list[str]:
    sizes = table.groupby("feature")["shap"].agg(lambda part: part.abs().sum())
    return list(sizes.sort_values(ascending=False).index[:count])


def svg(figure: ShapFigure) -> str:
    start = "data:image/svg+xml;base64,"
    assert figure.picture.startswith(start)
    return base64.b64decode(figure.picture.removeprefix(start)).decode()


def test_a_waterfall_leads_from_base_to_margin(table: pd.DataFrame, drawn: list) -> None:
    one = table[table["sample"] == "s/3"]
    figure = waterfall(listed_explanation(one, "DYSF"), "DYSF")
    arrows = [p.get_xy()[:-1, 0] for p in drawn[0].axes[0].patches if len(p.get_xy()) > 5]
    lengths = sorted(np.ptp(x) for x in arrows)
    features = largest(one, 7)
    values = [*one.set_index("feature").loc[features, "shap"], sums(one, features)[0]]
    np.testing.assert_allclose(lengths, np.sort(np.abs(values)), rtol=1e-6)
    ends = np.concatenate(arrows)
    assert np.isclose(ends, -0.25).any()
    assert np.isclose(ends, 3.0).any()
    assert figure.alt.startswith("DYSF: base -0.25; ")
    assert f"all other features {values[-1]:+.2f}" in figure.alt
    assert figure.alt.endswith("; margin 3.00")
    for name, value in zip(features, values[:-1], strict=True):
        assert f"{name.replace('_', ' ')}: " in figure.alt
        assert f" {value:+.2f}" in figure.alt


def test_a_beeswarm_shows_what_is_listed(table: pd.DataFrame, drawn: list) -> None:
    beeswarm(listed_explanation(table, "DYSF"), "DYSF")
    axes = drawn[0].axes[0]
    features = largest(table, 9)
    for row, feature in enumerate(reversed(features), start=1):
        listed = table.loc[table["feature"] == feature, "shap"]
        np.testing.assert_allclose(points(axes, row), np.sort(listed))
    np.testing.assert_allclose(points(axes, 0), np.sort(sums(table, features)))


def points(axes, row: int) -> np.ndarray:
    dots = np.concatenate([collection.get_offsets() for collection in axes.collections])
    return np.sort(np.asarray(dots[np.abs(dots[:, 1] - row) < 0.5, 0]))


def test_a_heatmap_shows_every_sample(table: pd.DataFrame, drawn: list) -> None:
    figure = heatmap(listed_explanation(table, "DYSF"), "DYSF")
    (image,) = drawn[0].axes[0].images
    shown = np.asarray(image.get_array())
    features = largest(table, 9)
    assert shown.shape == (10, SAMPLES)
    for row, feature in zip(shown, features, strict=False):
        listed = table.loc[table["feature"] == feature, "shap"]
        np.testing.assert_allclose(np.sort(row[row != 0]), np.sort(listed))
    np.testing.assert_allclose(np.sort(shown[-1]), np.sort(sums(table, features)))
    np.testing.assert_allclose(shown.sum(axis=0), 3.25)
    assert figure.alt.startswith("DYSF, 40 samples, ")


@pytest.mark.parametrize("draw", [waterfall, beeswarm, heatmap])
def test_pictures_are_the_same_each_time_and_need_no_other_file(
    table: pd.DataFrame, draw: Callable[..., ShapFigure]
) -> None:
    rows = table[table["sample"] == "s/0"] if draw is waterfall else table
    explanation = listed_explanation(rows, "DYSF")
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = draw(explanation, "DYSF")
    # Nobody else's random numbers are touched.
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert draw(explanation, "DYSF") == first
    text = svg(first)
    root = ElementTree.fromstring(text)
    links = [value for e in root.iter() for name, value in e.items() if name.endswith("href")]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert "<dc:date>" not in text
    assert len(text) < 80_000


def test_a_feature_without_any_known_value_is_drawn(table: pd.DataFrame, drawn: list) -> None:
    """feature_0 has the largest values, so it is the first row."""
    beeswarm(listed_explanation(table, "DYSF"), "DYSF")
    assert largest(table, 1) == ["feature_0"]
    assert len(points(drawn[0].axes[0], 9)) == (table["feature"] == "feature_0").sum()
