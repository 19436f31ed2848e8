"""Tables of several sources come together, and what is known of the people is filled in."""

import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.harmonization.scores.score_table import LONG_COLUMNS, ScoreTable
from tests.pipelines.harmonization.score_data import table_of

ROW = ("st", "p", "", "0-4", "soleus", "left", 1.0, "f.tsv", 2, "SOL_L")


def long(*rows):
    return pd.DataFrame([{**dict(zip(LONG_COLUMNS, ROW, strict=True)), **row} for row in rows])


def test_tables_are_put_together() -> None:
    first, second = (
        table_of({"p": ("0-4", {"soleus": 1})}),
        table_of({"p": ("FF", {"gracilis": (1, 2)})}, study="other"),
    )
    both = ScoreTable.concat([first, second])
    assert both.samples.index.tolist() == ["st/sub-p", "other/sub-p"]
    assert both.samples["patient"].tolist() == ["st/p", "other/p"]
    assert both.scores["score"].tolist() == [1, 1, 2]
    assert both.scores["muscle"].astype(str).tolist() == ["soleus", "gracilis", "gracilis"]
    assert isinstance(both.scores["muscle"].dtype, pd.CategoricalDtype)


def test_a_sample_in_two_tables_is_refused() -> None:
    table = table_of({"p": ("0-4", {"soleus": 1})})
    with pytest.raises(DataError) as error:
        ScoreTable.concat([table, table])
    assert error.value.message == (
        "st/sub-p has scores in more than one table: f.tsv, row 2; f.tsv, row 2."
    )


def test_no_tables_are_refused() -> None:
    with pytest.raises(DataError, match="There are no score tables"):
        ScoreTable.concat([])


def test_a_sample_has_one_scale() -> None:
    rows = long({}, {"side": "right", "scale": "FF"})
    with pytest.raises(
        DataError, match=r"f\.tsv, row 2: st/sub-p has scores on several scales: 0-4, FF"
    ):
        ScoreTable.from_long(rows)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_whole_muscle_has_no_score_beside_that_of_a_side(side: str) -> None:
    whole = {"side": "mean", "column": "soleus", "row": 2}
    with pytest.raises(DataError) as error:
        ScoreTable.from_long(long(whole, {"side": side, "column": "soleus_x", "row": 2}))
    assert error.value.message == (
        "f.tsv, row 2, column 'soleus': soleus of st/sub-p has a score of the whole muscle beside "
        f"one of its {side} side (column 'soleus_x')."
    )
    # Another muscle, and another person, may be scored otherwise.
    ScoreTable.from_long(long(whole, {"side": side, "muscle": "gracilis"}))
    ScoreTable.from_long(long(whole, {"side": side, "participant": "q"}))


def test_a_muscle_and_side_has_one_score() -> None:
    with pytest.raises(DataError) as error:
        ScoreTable.from_long(long({}, {"row": 3, "column": "soleus_L"}))
    assert error.value.message == (
        "f.tsv, row 3, column 'soleus_L': soleus (left) of st/sub-p already has a score from "
        "row 2, column 'SOL_L'."
    )


def test_people_are_known_by_study_and_session_before_others() -> None:
    table = ScoreTable.from_long(long({"session": "1"}, {"session": "2"}, {"study": "x"}))
    people = pd.DataFrame(
        [
            ("st", "p", "2", "M", 41.0),
            ("st", "p", "", "F", 40.0),
            ("", "p", "", None, 10.0),
            ("", "q", "", "M", 90.0),
        ],
        columns=["study", "participant", "session", "sex", "age"],
    )
    found = table.with_people(people).samples
    assert found["age"].tolist() == [40, 41, 10]
    assert found["sex"].fillna("?").tolist() == ["F", "M", "?"]
    assert table.with_people(pd.DataFrame({"participant": ["p"], "age": [7.0]})).samples[
        "age"
    ].tolist() == [7, 7, 7]


def test_what_is_known_is_kept() -> None:
    table = table_of({"p": ("0-4", {"soleus": 1})})
    once = table.with_people(pd.DataFrame({"participant": ["p"], "diagnosis": ["FSHD"]}))
    twice = once.with_people(
        pd.DataFrame({"participant": ["p"], "diagnosis": ["other"], "age": [4.0]})
    )
    assert twice.samples.loc["st/sub-p", ["diagnosis", "age"]].tolist() == ["FSHD", 4.0]


def test_two_rows_for_one_person_are_refused() -> None:
    with pytest.raises(DataError, match="Two rows describe participant p"):
        table_of({"p": ("0-4", {"soleus": 1})}).with_people(
            pd.DataFrame({"participant": ["p", "p"], "age": [1.0, 2.0]})
        )


def test_a_person_of_several_studies_is_one_patient() -> None:
    both = ScoreTable.concat(
        [
            table_of({"p": ("0-4", {"soleus": 1}), "q": ("0-4", {"soleus": 2})}),
            table_of({"p": ("FF", {"gracilis": 3})}, study="other"),
        ]
    )
    people = pd.DataFrame(
        {
            "study": ["st", "other", ""],
            "participant": ["p", "p", "q"],
            "patient": ["hans", "hans", ""],
        }
    )
    assert both.with_people(people).samples["patient"].tolist() == ["hans", "st/q", "hans"]
    # What a nearer table says counts, as for everything else.
    again = both.with_people(people).with_people(people.assign(patient="greta"))
    assert again.samples["patient"].tolist() == ["hans", "greta", "hans"]
