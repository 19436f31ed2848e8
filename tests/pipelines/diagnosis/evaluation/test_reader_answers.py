import pandas as pd
import pytest

from pipelines.diagnosis.evaluation.reader_answers import NO_ANSWER, OTHER, read_answers
from pipelines.errors import DataError

CLASSES = ("DMD", "GNE", "VCP")
WIDE = {
    "reader": ["C", "C", "G"],
    "participant": ["P1", "P2", "P1"],
    "rank1": ["DMD", "GNE", "VCP"],
    "rank2": ["GNE", None, "n/a"],
    "rank3": ["VCP", " DMD ", ""],
}


def test_wide_table():
    answers = read_answers(pd.DataFrame(WIDE), CLASSES)
    assert answers.answers.tolist() == [[0, 1, 2], [1, NO_ANSWER, 0], [2, NO_ANSWER, NO_ANSWER]]
    assert answers.case_columns == ["participant"]
    assert list(answers.cases["reader"]) == ["C", "C", "G"]


def test_long_table_says_the_same():
    wide = pd.DataFrame(WIDE)
    long = wide.melt(["reader", "participant"], var_name="rank", value_name="diagnosis")
    long["rank"] = long["rank"].str.removeprefix("rank")
    long = long[long["diagnosis"].notna()].sample(frac=1, random_state=0)
    expected = read_answers(wide, CLASSES)
    found = read_answers(long, CLASSES)
    pd.testing.assert_frame_equal(found.cases, expected.cases)
    assert found.answers.tolist() == expected.answers.tolist()


def test_sessions_and_studies_make_cases():
    table = pd.DataFrame(WIDE).assign(session=["1", "1", "2"], study="s")
    assert read_answers(table, CLASSES).case_columns == ["study", "participant", "session"]


def test_diagnoses_outside_the_model_are_allowed_by_name():
    table = pd.DataFrame(WIDE | {"rank1": ["DMD", "GNE", "IBM"]})
    assert read_answers(table, CLASSES, other_diagnoses=["IBM"]).answers[2, 0] == OTHER
    assert read_answers(table.replace("IBM", "other"), CLASSES).answers[2, 0] == OTHER
    with pytest.raises(DataError, match="reader G, participant P1: rank1 is 'IBM'") as error:
        read_answers(table, CLASSES)
    assert error.value.hint.startswith("Diagnoses of the model: DMD, GNE, VCP.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"rank2": ["DMD", None, None]},
            "reader C, participant P1 names DMD at more than one rank",
        ),
        ({"participant": ["P1", "P1", "P1"]}, "reader C, participant P1 is there more than once"),
    ],
)
def test_wrong_answers(change, message):
    with pytest.raises(DataError, match=message):
        read_answers(pd.DataFrame(WIDE | change), CLASSES)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"participant": ["P1"], "rank1": ["DMD"]}, "reader and participant are needed"),
        ({"reader": ["C"], "participant": ["P1"]}, "rank columns none"),
        ({"reader": [], "participant": [], "rank1": []}, "the table of readers holds no answer"),
        (
            {"reader": ["C"], "participant": ["P1"], "rank1": ["DMD"], "rank3": ["GNE"]},
            "rank columns rank1, rank3; rank1, rank2, ... without a gap",
        ),
        ({"reader": ["C"], "participant": ["P1"], "rank": [1]}, "rank but no column diagnosis"),
        (
            {"reader": ["C"], "participant": ["P1"], "rank": ["first"], "diagnosis": ["DMD"]},
            "rank is 'first' in row 2",
        ),
        (
            {
                "reader": ["C"] * 2,
                "participant": ["P1"] * 2,
                "rank": [1, 1],
                "diagnosis": ["DMD", "GNE"],
            },
            "reader C, participant P1 has rank 1 twice",
        ),
    ],
)
def test_wrong_columns(table, message):
    with pytest.raises(DataError, match=message):
        read_answers(pd.DataFrame(table), CLASSES)
