import numpy as np
import pandas as pd

from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.evaluation.studies import diagnosis_studies, one_study_text
from pipelines.harmonization.scores.native import NativeScores

NAMES = ("A", "B", "C")


def cohort(studies, y):
    samples = pd.DataFrame({"study": studies, "patient": [f"p{i // 2}" for i in range(len(y))]})
    native = NativeScores(samples, ("soleus",), np.zeros((len(y), 1, 3)))
    return Cohort(native, np.array(y), NAMES, {}, 0)


def test_studies_of_each_diagnosis_are_counted_and_the_only_one_named():
    made = cohort(["x", "x", "x", "y", "y", "y"], [0, 0, 1, 1, 2, 2])
    table = diagnosis_studies(made, made.subset(np.array([2, 3]))).set_index("diagnosis")
    assert table["studies"].tolist() == [1, 2, 1]
    assert table["only_study"].fillna("").tolist() == ["x", "", "y"]
    assert table["samples"].tolist() == [2, 2, 2]
    assert table["patients"].tolist() == [1, 1, 1]
    assert table["tested"].tolist() == [0, 2, 0]
    assert diagnosis_studies(made)["tested"].tolist() == [0, 0, 0]


def test_they_are_named_with_what_it_means():
    made = cohort(["x", "x", "x", "y", "y", "y"], [0, 0, 1, 1, 2, 2])
    text = one_study_text(diagnosis_studies(made))
    assert text.startswith("In one study only: A (x), C (y). Nothing tells whether")
    everywhere = cohort(["x", "y"] * 3, [0, 0, 1, 1, 2, 2])
    assert one_study_text(diagnosis_studies(everywhere)) == ""
    alone = cohort(["x"] * 6, [0, 0, 1, 1, 2, 2])
    assert one_study_text(diagnosis_studies(alone)).startswith(
        "In one study only: each diagnosis: A (x), B (x), C (x)."
    )
