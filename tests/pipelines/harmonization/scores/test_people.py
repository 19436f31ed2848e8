"""Participants tables: sex, age and the rest, and what cannot be."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.harmonization.scores.people import column_role, read_people


def people(**columns):
    n = len(next(iter(columns.values())))
    ids = [f"sub-{i}" for i in range(n)]
    return read_people(pd.DataFrame({"participant_id": ids, **columns}), "participants.tsv")


def test_words_for_sex() -> None:
    found = people(sex=["M", "male", "F", "Female", "n/a", "O", "other"])
    assert found["sex"].fillna("?").tolist() == ["M", "M", "F", "F", "?", "?", "?"]


def test_ages_may_be_capped_or_missing() -> None:
    np.testing.assert_array_equal(
        people(age=["0", "36.5", "89+", "n/a"])["age"], [0, 36.5, 89, np.nan]
    )


def test_labels_lose_their_prefix_and_other_columns_do_not_matter() -> None:
    table = pd.DataFrame(
        {"participant_id": ["sub-01"], "session_id": ["ses-2"], "height": ["?"], "group": ["x"]}
    )
    row = read_people(table, "sessions.tsv").iloc[0]
    assert (row["participant"], row["session"], row["study"]) == ("01", "2", "")
    assert row["patient"] == ""
    assert read_people(table.assign(patient_id="p9"), "p.tsv")["patient"].tolist() == ["p9"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"age": ["3", "-1"]}, "participants.tsv, row 3, column 'age': '-1' is no age in years"),
        ({"age": ["121"]}, "row 2, column 'age': '121' is no age"),
        ({"age": ["34,5"]}, "row 2, column 'age': '34,5' is no age"),
        ({"age": [""]}, "row 2, column 'age': '' is no age"),
        ({"sex": ["M", "w"]}, "participants.tsv, row 3, column 'sex': 'w' is no sex."),
        ({"disease": ["DMD", "NaN"]}, "row 3, column 'disease': 'NaN' is no diagnosis."),
        ({"site": ["None"]}, "participants.tsv, row 2, column 'site': 'None' is no site."),
    ],
)
def test_impossible_people_are_named(columns, message) -> None:
    with pytest.raises(DataError) as error:
        people(**columns)
    assert message in error.value.message
    assert "n/a" in error.value.hint


@pytest.mark.parametrize("label", ["sub-0\n1", "sub-\t01", "0\u20281"])
def test_a_label_that_would_break_a_line_is_named(label) -> None:
    table = pd.DataFrame({"participant_id": ["sub-1", label]})
    with pytest.raises(DataError, match=r"row 3, column 'participant_id': .* cannot be a label"):
        read_people(table, "participants.tsv")


def test_roles_of_columns_do_not_depend_on_their_spelling() -> None:
    assert column_role(" Age at Scan ") == "age"
    assert column_role("Acq-Time") == "ignore"
    assert column_role("soleus") is None
