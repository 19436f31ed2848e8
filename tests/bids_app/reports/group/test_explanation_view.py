"""What the model looks at."""

import pandas as pd
import pytest

from bids_app.reports.group.explanation_view import (
    answer_figures,
    clusters,
    importance_view,
    waterfalls,
)

NAN = float("nan")


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


def explanation(answers: dict[str, list[str]]) -> pd.DataFrame:
    """An explanation table of these ranked answers by sample, with two features each."""
    return pd.DataFrame(
        [
            {
                "sample": sample,
                "rank": rank,
                "diagnosis": diagnosis,
                "feature": feature,
                "value": 1.0,
                "shap": shap / rank,
                "base": 0.5,
                "margin": 1.0,
            }
            for sample, ranked in answers.items()
            for rank, diagnosis in enumerate(ranked, start=1)
            for feature, shap in (("soleus", 0.75), ("age", -0.5))
        ]
    )


def test_a_waterfall_is_of_the_first_answer_of_a_sample_that_is_shown() -> None:
    table = explanation({"s/1": ["DMD", "GAA"], "s/2": ["GAA", "DMD"], "s/3": ["GAA", "DMD"]})
    figures = waterfalls(table, ["s/2", "s/1", "s/9"])
    assert list(figures) == ["s/1", "s/2"]
    words = ": base 0.50; soleus: 1 +0.75; age: 1 -0.50; all other features +0.25; margin 1.00"
    assert figures["s/1"].alt == "DMD" + words
    assert figures["s/2"].alt == "GAA" + words
    assert waterfalls(table, []) == {}


def test_the_most_frequent_answers_are_drawn_after_the_chosen_one() -> None:
    answers = {f"s/{i}": ["DMD", "GAA"] for i in range(3)}
    answers |= {f"t/{i}": ["GAA", "DYSF"] for i in range(5)}
    answers["u/1"] = ["VCP"]
    table = explanation(answers)
    drawn = answer_figures(table, None, most=2, least_samples=2)
    assert [(f.diagnosis, f.samples, f.first) for f in drawn] == [("GAA", 8, 5), ("DMD", 3, 3)]
    assert [f.diagnosis for f in answer_figures(table, "DYSF", 2, 2)] == ["DYSF", "GAA"]
    # Too few samples for a picture, also if chosen.
    assert [f.diagnosis for f in answer_figures(table, "VCP", 9, 4)] == ["GAA", "DYSF"]
    assert answer_figures(table, None, 9, 9) == []


def test_features_that_act_together_are_grouped() -> None:
    table = pd.DataFrame(
        {"diagnosis": "DMD", "feature": ["soleus", "age", "sex"], "cluster": [2, 1, 2]}
    )
    assert clusters(table) == ("DMD", [["age"], ["soleus", "sex"]])
