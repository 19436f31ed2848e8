"""How good the model is."""

import numpy as np
import pandas as pd

from bids_app.reports.group.page import group_words
from bids_app.reports.group.performance_view import _readers, performance_view
from pipelines.diagnosis.evaluation.evaluate import EvaluationOptions, evaluate


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
    assert view is not None
    assert view.one_study == ""
    assert [row.name for row in view.classes.rows] == ["A", "B"]
    studies = pd.DataFrame(
        {"diagnosis": ["A", "B"], "studies": [1, 2], "only_study": ["north", None]}
    )
    without = evaluation.tables["classes"].assign(value=0.25)
    told = performance_view(
        {**plain, "diagnosis_studies": studies, "studies_classes": without}, group_words()
    )
    assert told is not None
    assert told.one_study.startswith("In one study only: A (north).")
    assert [row.name for row in told.classes.rows] == ["A †", "B"]
    assert told.classes.columns[-1] == "Sensitivity, study left out"
    assert [row.cells[-1] for row in told.classes.rows] == ["0.25", "0.25"]


def test_spread_between_readers_and_between_members_is_shown() -> None:
    rows = [("anna", "reader", 0.1), ("mean of readers", "readers", 0.05), ("model", "model", 0.2)]
    table = pd.DataFrame(rows, columns=["reader", "kind", "sd"]).assign(
        k=1, accuracy=0.5, model_accuracy=[0.75, 0.75, np.nan], n_cases=14, n_missing=0
    )
    shown = _readers(table)
    assert shown is not None
    assert [row.cells[0] for row in shown.rows] == ["50 %", "50 ± 5 %", "50 ± 20 %"]
    assert [row.cells[1] for row in shown.rows] == ["75 %", "75 %", "–"]


def test_the_random_classifier_has_no_model_to_compare_with() -> None:
    row = {"kind": "chance", "k": 1.0, "accuracy": 0.05, "sd": np.nan, "n_cases": 14.0}
    readers = pd.DataFrame(
        [
            {**row, "reader": "random classifier", "model_accuracy": np.nan, "n_missing": 0.0},
            {**row, "reader": "A", "kind": "reader", "model_accuracy": 0.5, "n_missing": 1.0},
        ]
    )
    table = _readers(readers)
    assert table is not None
    assert [row.cells[:2] for row in table.rows] == [["5 %", "–"], ["5 %", "50 %"]]
