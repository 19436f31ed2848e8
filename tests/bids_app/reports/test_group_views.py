"""What the page of a cohort says, worked out from small tables by hand."""

import numpy as np
import pandas as pd
import pytest

from bids_app.reports.charts import HEIGHT, WIDTH, bars, density, heat_map, line_chart
from bids_app.reports.group.audit_view import audit_view
from bids_app.reports.group.cohort_view import cohort_view
from bids_app.reports.group.harmonization_view import harmonization_view
from bids_app.reports.group.importance_view import importance_view
from bids_app.reports.group.page import group_words
from bids_app.reports.group.performance_view import performance_view
from bids_app.reports.patient_view import patients_view
from pipelines.diagnosis.evaluation.evaluate import EvaluationOptions, evaluate

NAN = float("nan")


def test_a_line_runs_from_corner_to_corner() -> None:
    x = np.array([0.0, NAN, 1.0])
    chart = line_chart({"up": (x, x), "empty": (np.empty(0), np.empty(0))}, "x", "y")
    assert [series.name for series in chart.series] == ["up"]
    assert chart.series[0].points == [(0.0, HEIGHT), (WIDTH, 0.0)]
    assert chart.x_ticks == [(0.0, "0"), (WIDTH / 2, "0.5"), (WIDTH, "1")]
    assert chart.y_ticks[0] == (HEIGHT, "0")


def test_long_curves_are_thinned_but_keep_their_ends() -> None:
    x = np.linspace(0, 1, 5001)
    (series,) = line_chart({"a": (x, x**2)}, "x", "y").series
    assert len(series.points) < 130
    assert series.points[0] == (0.0, HEIGHT)
    assert series.points[-1] == (WIDTH, 0.0)


def test_bars_fill_the_width_with_the_longest() -> None:
    chart = bars({"a": 20.0, "b": 5.0})
    assert [(bar.label, bar.share, bar.text) for bar in chart] == [("a", 100, "20"), ("b", 25, "5")]
    assert bars({}) == []


def test_a_heat_map_shades_by_row() -> None:
    chart = heat_map(["a", "b"], ["a", "b"], np.array([[3.0, 1.0], [0.0, 0.0]]))
    assert [[cell.shade for cell in row] for row in chart.cells] == [[0.75, 0.25], [0.0, 0.0]]
    assert [[cell.text for cell in row] for row in chart.cells] == [["3", "1"], ["", ""]]


def test_a_density_peaks_where_the_values_are() -> None:
    x, y = density(np.array([25.0] * 10 + [75.0] * 5 + [NAN]), 0.0, 100.0)
    assert x[np.argmax(y)] == pytest.approx(25, abs=1.5)
    assert y.max() == 1.0
    assert y[np.argmin(np.abs(x - 75))] == pytest.approx(0.5)
    assert density(np.array([NAN]), 0, 1)[0].size == 0


def samples(count: int, study: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "study": study,
            "participant": [str(i // 2) for i in range(count)],
            "scale": "0-4",
            "sides": "bilateral",
            "sex": ["F", None] * (count // 2),
            "age": [10.0, NAN] * (count // 2),
            "diagnosis": ["DYSF", None] * (count // 2),
        }
    )


def test_studies_are_counted_and_many_are_put_together() -> None:
    parts = [samples(2 + 2 * (i == 3), f"s{i:02d}") for i in range(14)]
    view = cohort_view(pd.concat(parts), {"s05": "invented"}, {"bilateral": "both sides"})
    assert (view.samples, view.patients, view.studies) == (30, 15, 14)
    first, *_, rest, every = view.rows
    assert (first.name, first.samples, first.patients) == ("s03", 4, 2)
    assert (first.sides, first.sexes) == ("both sides", "F 2, not known 2")
    assert first.ages == "10 (10–10), 2 not known"
    assert (rest.name, rest.samples) == ("3 more studies", 6)
    assert (every.name, every.samples) == ("All", 30)
    assert [(bar.label, bar.text) for bar in view.diagnoses] == [
        ("DYSF", "15"),
        ("not known", "15"),
    ]
    assert [row.origin for row in view.rows if row.name == "s05"] == ["invented"]


def test_leaks_come_first_and_muscles_are_summed_up() -> None:
    rows = [("scale", "warn", 0.9), ("study", "pass", 0.5), ("diagnosis", "skipped", NAN)]
    rows += [(f"missing:m{i}", "warn", 0.7 + i / 100) for i in range(8)]
    table = pd.DataFrame(
        {
            "target": [row[0] for row in rows],
            "level": [row[1] for row in rows],
            "auc": [row[2] for row in rows],
            "lower": 0.4,
            "upper": 0.95,
            "n": 100,
            "text": [f"about {row[0]}" for row in rows],
        }
    )
    view = audit_view(table)
    assert [finding.text for finding in view.findings][:2] == ["about scale", "about missing:m7"]
    assert view.findings[-1].text == "about study"
    assert (view.findings[0].auc, view.findings[0].interval) == ("0.90", "0.40–0.95")
    assert [finding.auc for finding in view.others] == [""]
    assert (view.warnings, view.muscles) == (9, 3)


def test_distributions_are_drawn_for_each_scale() -> None:
    trace = pd.DataFrame(
        {
            "sample": ["a", "a", "a", "b"],
            "muscle": ["soleus", "soleus", "gracilis", "soleus"],
            "scale": ["0-4", "0-4", "0-4", "FF"],
            "used": [True, True, True, False],
            "score_0_100": [50.0, 50.0, 75.0, 10.0],
            "relative": [-25.0, -25.0, 25.0, 0.0],
        }
    )
    options = {
        "method": "dither",
        "order": "scale_first",
        "relative": True,
        "draws": 8,
        "coverage": 0.5,
    }
    view = harmonization_view(trace, options, group_words())
    assert view is not None
    assert view.counts == [("0-4", 2)]
    assert [text for _, text in view.after.x_ticks] == ["-30", "0", "30"]
    facts = dict(view.facts)
    assert facts["Random draws averaged"] == "8"
    assert facts["Muscles kept"] == "scored in at least 50% of samples"
    assert harmonization_view(trace[~trace["used"]], options, group_words()) is None


def test_the_most_important_features_say_which_values_speak_for_a_diagnosis() -> None:
    table = pd.DataFrame(
        {
            "diagnosis": ["A"] * 2 + ["B"],
            "rank": [2, 1, 1],
            "feature": ["age", "soleus", "mean_involvement"],
            "importance": [0.1, 0.4, 0.2],
            "direction": [NAN, -0.5, 0.9],
        }
    )
    first, second = importance_view(table)
    assert [(b.label, b.share, b.text) for b in first.bars] == [
        ("soleus", 100, "low"),
        ("age", pytest.approx(25), ""),
    ]
    assert [(b.label, b.text) for b in second.bars] == [("mean involvement", "high")]


def test_an_answer_shows_ranks_flags_and_reasons() -> None:
    results = pd.DataFrame(
        {
            "sample": "s/sub-1",
            "rank": [1, 2],
            "diagnosis": ["DYSF", "DMD"],
            "long_name": ["Dysferlinopathy", "DMD"],
            "probability": [0.75, 0.25],
            "spread": [0.1, 0.02],
            "in_set": ["True", "False"],
        }
    )
    flags = pd.DataFrame(
        {
            "sample": ["s/sub-1", "s/sub-2"],
            "status": ["answered", "refused"],
            "reason": [None, "only 2 of 33 muscles"],
            "message": ["Partial scan.", "Not answered."],
            "near_normal": [False, None],
            "unlike_training": [True, None],
            "partial": [True, True],
            "muscles_scored": [11, 2],
            "coverage": [1 / 3, 2 / 33],
        }
    )
    explanation = pd.DataFrame(
        {
            "sample": "s/sub-1",
            "rank": [1, 1, 2],
            "diagnosis": ["DYSF", "DYSF", "DMD"],
            "feature": ["soleus", "age", "age"],
            "value": [NAN, 40.0, 40.0],
            "imputed": [True, False, False],
            "shap": [-0.5, 0.25, 0.1],
        }
    )
    view = patients_view(results, flags, explanation, {"s/sub-2": "DMD"}, 2)
    first, second = view.patients
    assert view.more == 0
    assert first.flags == ["unlike the training data", "partial scan"]
    assert [(d.name, d.long_name, d.probability, d.in_set) for d in first.diagnoses] == [
        ("DYSF", "Dysferlinopathy", 75.0, True),
        ("DMD", "", 25.0, False),
    ]
    assert first.set_size == 1
    assert [(c.feature, c.value, c.share) for c in first.contributions] == [
        ("soleus", "estimated", 100.0),
        ("age", "40", 50.0),
    ]
    assert (second.refused, second.known) == ("only 2 of 33 muscles", "DMD")
    assert second.diagnoses == []


def test_performance_is_that_of_the_evaluation() -> None:
    """Six of eight right: balanced accuracy 75 %."""
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    chance = np.array([0.9, 0.8, 0.7, 0.4, 0.1, 0.2, 0.3, 0.6])
    probabilities = np.column_stack([chance, 1 - chance])
    people = pd.DataFrame({"patient": [str(i) for i in range(8)], "sex": ["F", "M"] * 4})
    evaluation = evaluate(
        y,
        probabilities,
        ("A", "B"),
        [0, 1] * 4,
        people,
        margins=np.log(probabilities),
        comparators={"random_forest": probabilities[:, ::-1]},
        options=EvaluationOptions(replicates=20, area_replicates=20),
    )
    sets = pd.DataFrame(
        {
            "alpha": [0.1, 0.1, 0.05],
            "class": ["all", "A", "all"],
            "pooled": [False, True, False],
            "target": [0.9, 0.9, 0.95],
            "coverage": [0.875, 1.0, 1.0],
            "lower": [0.5, 0.6, 0.7],
            "upper": [0.99, 1.0, 1.0],
            "mean_size": [1.25, 1.5, 2.0],
            "n_patients": [8, 4, 8],
        }
    )
    view = performance_view({**evaluation.tables, "conformal": sets}, group_words())
    assert view is not None
    assert view.sentence == "8 samples of 8 patients with 2 diagnoses, 2 folds."
    assert view.figures.columns == ["Ensemble", "Random forest"]
    assert view.figures.rows[0].cells[0].startswith("75.0 ± ")
    assert view.figures.rows[0].cells[1].startswith("25.0 ± ")
    assert [row.name for row in view.classes.rows] == ["A", "B"]
    assert view.classes.rows[0].cells[:3] == ["4", "4", "0.75"]
    assert [[cell.text for cell in row] for row in view.confusion.cells] == [["3", "1"], ["1", "3"]]
    assert {title for title, _ in view.subgroups} == {"Sex"}
    assert view.conformal is not None
    assert [(row.name, row.cells) for row in view.conformal.rows] == [
        ("All diagnoses", ["90 %", "88 % (50–99)", "1.2", "8"]),
        ("A *", ["90 %", "100 % (60–100)", "1.5", "4"]),
    ]
    assert view.calibrated.startswith("Temperature scaling divides all margins")
    plain = {name: table for name, table in evaluation.tables.items() if name != "temperature"}
    uncalibrated = performance_view(plain, group_words())
    assert uncalibrated is not None
    assert uncalibrated.calibrated.endswith("averaged as they are: not calibrated.")
    assert performance_view({}, group_words()) is None
