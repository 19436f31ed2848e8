"""Participants tables: sex, age and the rest, and what cannot be."""

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.harmonization.scores.people import read_people


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


def described_people(described, **columns):
    n = len(next(iter(columns.values())))
    ids = [f"sub-{i}" for i in range(n)]
    table = pd.DataFrame({"participant_id": ids, **columns})
    return read_people(table, "participants.tsv", described)


@pytest.mark.parametrize(
    ("unit", "given", "years"),
    [
        ("months", ["18", "1440", "n/a", "1068+"], [1.5, 120, np.nan, 89]),
        ("weeks", ["522"], [522 * 7 / 365.25]),
        ("days", ["1461"], [4]),
        ("years", ["4"], [4]),
    ],
)
def test_ages_are_read_in_the_unit_that_is_declared(unit, given, years) -> None:
    ages = described_people({"age": {"Units": unit}}, age=given)["age"]
    np.testing.assert_allclose(ages, years, rtol=1e-12)


@pytest.mark.parametrize(
    ("described", "columns", "message"),
    [
        (
            {"age": {"Units": "months"}},
            {"age": ["30", "1441"]},
            "participants.tsv, row 3, column 'age': '1441' is no age in months (0 to 1440).",
        ),
        (
            {"age": {"Units": "moons"}},
            {"age": ["30"]},
            "participants.tsv, column 'age' in the JSON file beside it: unknown unit 'moons'.",
        ),
        (
            {"sex": {"Levels": {"1": "male", "2": "female"}}},
            {"sex": ["1", "2", "3"]},
            "participants.tsv, row 4, column 'sex': '3' is no sex.",
        ),
        (
            {"sex": {"Levels": {"1": "left-handed"}}},
            {"sex": ["1"]},
            "Levels say that '1' means 'left-handed', which is not one of male, female and other.",
        ),
        (
            {"sex": {"Levels": {"M": "female"}}},
            {"sex": ["M"]},
            "'M' means 'female', which is not one of male, female and other, or not what 'M' means",
        ),
    ],
)
def test_what_contradicts_the_json_file_is_named(described, columns, message) -> None:
    with pytest.raises(DataError) as error:
        described_people(described, **columns)
    assert message in error.value.message


def test_codes_mean_what_levels_say() -> None:
    levels = {
        "1": "Male participants",
        "2": {"Description": "female"},
        "9": "unknown",
        "F": "femme",
    }
    found = described_people(
        {"sex": {"Levels": levels}, "diagnosis": {"Levels": {"1": "SMA", "DMD": "Duchenne"}}},
        sex=["1", "2", "9", "F", "m"],
        diagnosis=["1", "2", "DMD", "n/a", "1"],
    )
    assert found["sex"].fillna("?").tolist() == ["M", "F", "?", "F", "M"]
    assert found["diagnosis"].fillna("?").tolist() == ["SMA", "2", "DMD", "?", "SMA"]
