"""The answer of a model for one sample."""

import pandas as pd

from bids_app.reports.patient_view import patients_view

NAN = float("nan")


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
