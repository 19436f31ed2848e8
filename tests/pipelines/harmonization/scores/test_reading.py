"""Score tables of other people: what is understood, and every way in which one can be wrong."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.harmonization.harmonize import fit_harmonization
from pipelines.harmonization.scores.names import default_names
from pipelines.harmonization.scores.native import to_native
from pipelines.harmonization.scores.reading import read_scores
from pipelines.harmonization.scores.score_table import scores_of_muscle_table
from pipelines.text_table import read_text_table


def frame(text: str) -> pd.DataFrame:
    return read_text_table(io.StringIO(text.replace(" ", "\t")), "s.tsv")


def read(text: str, **options):
    return read_scores(frame(text), **{"study": "st", "source": "s.tsv", "scale": "0-4", **options})


def test_scores_know_where_they_come_from() -> None:
    table = read("participant_id session_id VL_L VL_R SOL\nsub-01 ses-a 1 n/a 2.5\n")
    expected = [
        ["st/sub-01_ses-a", "01", "a", "0-4", "vastus_lateralis", "left", 1.0, "s.tsv", 2, "VL_L"],
        ["st/sub-01_ses-a", "01", "a", "0-4", "soleus", "mean", 2.5, "s.tsv", 2, "SOL"],
    ]
    columns = [
        "sample",
        "participant",
        "session",
        "scale",
        "muscle",
        "side",
        "score",
        "source",
        "row",
        "column",
    ]
    assert table.scores[columns].astype(object).to_numpy().tolist() == expected


@pytest.mark.parametrize(
    ("column", "meanings"),
    [
        ("GM", "gastrocnemius_medial_head, gluteus_maximus or gluteus_medius"),
        ("R_PL", "plantaris or fibularis_longus"),
    ],
)
def test_an_ambiguous_name_is_refused_with_its_meanings(column, meanings) -> None:
    text = f"participant_id VL {column}\n1 1 2\n"
    with pytest.raises(DataError) as error:
        read(text, names=default_names())
    assert error.value.message == f"s.tsv, row 1: '{column}' is ambiguous; it may mean {meanings}."
    assert "--muscle-map" in error.value.hint
    rows = [{"source_name": column, "muscle": "gracilis"}]
    mapped = read(text, names=default_names().with_map(rows, "map.tsv"))
    assert mapped.scores["muscle"].tolist() == ["vastus_lateralis", "gracilis"]


def test_people_may_stand_in_the_same_table() -> None:
    table = read(
        "participant_id sex age phenotype site VL\n1 f 30.5 FSHD Leiden 1\n2 n/a n/a n/a n/a 1\n"
    )
    known, unknown = table.samples.to_dict("records")
    assert (known["sex"], known["age"]) == ("F", 30.5)
    assert (known["diagnosis"], known["site"]) == ("FSHD", "Leiden")
    assert pd.isna([unknown[k] for k in ("sex", "age", "diagnosis", "site")]).all()


def test_how_sides_were_scored_is_told_apart() -> None:
    both = read("participant_id VL_L VL_R\n1 1 2\n2 1 n/a\n")
    assert both.samples["sides"].tolist() == ["bilateral", "unilateral"]
    assert read("participant_id VL SOL\n1 1 2\n").samples["sides"].tolist() == ["average"]


def test_a_table_may_hold_several_studies_and_scales() -> None:
    table = read("participant_id study scale VL\n1 a 0-4 4\n1 b FF 55\n", scale=None)
    assert table.samples.index.tolist() == ["a/sub-1", "b/sub-1"]
    assert table.samples["scale"].tolist() == ["0-4", "FF"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("participant_id VL SOL GRA\n1 2a 2B 3\n2 0 1 n/a\n", [2, 3, 4, 0, 1]),
        ("participant_id VL SOL GRA\n1 2 3 4\n2 0 1 n/a\n", [2, 3, 4, 0, 1]),
    ],
)
def test_letters_of_2a2b_and_their_codes_are_the_same_scores(text, expected) -> None:
    assert read(text, scale="2a2b").scores["score"].tolist() == expected


@pytest.mark.parametrize(("units", "score"), [("fraction", 25), ("1", 25), ("percent", 0.25)])
def test_declared_units_of_fat_fractions(units, score) -> None:
    table = read("participant_id VL SA\n1 0.25 n/a\n", scale="FF", units=units)
    assert table.scores["score"].tolist() == [score]


def test_the_table_of_ten_people(shared_data: Path) -> None:
    path = shared_data / "scores" / "thigh_ff_ten_people.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        text = read_text_table(stream, path.name, ",")
    table = read_scores(text, study="ten", source=path.name, scale="FF", units="fraction")
    assert len(table.samples) == 10
    assert len(table.scores) == 110
    by_column = table.scores.drop_duplicates("column").set_index("column")["muscle"]
    assert by_column["BL"] == "biceps_femoris_long_head"
    assert by_column["BB"] == "biceps_femoris_short_head"
    assert table.scores["score"].iloc[0] == pytest.approx(24.7692)
    native = to_native(table)
    mean = fit_harmonization(native).transform(native)[:, 33]
    assert mean[0] == pytest.approx(100 * text.iloc[0, 4:].astype(float).mean())
    with pytest.raises(DataError, match="all fat fractions are below 1"):
        read_scores(text, study="ten", source=path.name, scale="FF")


def test_a_muscle_map_makes_unknown_names_known() -> None:
    rows = [
        {"source_name": "Oberschenkel 7", "muscle": "gracilis"},
        {"source_name": "x", "muscle": "n/a"},
    ]
    names = default_names().with_map(rows, "map.tsv")
    text = "participant_id\tOberschenkel 7 L\tx\n1\t3\tfoo\n"
    table = read_scores(
        read_text_table(io.StringIO(text), "s.tsv"),
        study="st",
        source="s.tsv",
        scale="0-4",
        names=names,
    )
    assert table.scores[["muscle", "side", "score"]].astype(object).to_numpy().tolist() == [
        ["gracilis", "left", 3.0]
    ]


H = "participant_id VL SA\n"
BAD_TABLES = {
    "empty": (H, {}, "s.tsv has a header but no rows."),
    "no participants": ("VL SA\n1 2\n", {}, "s.tsv has no column participant_id."),
    "no participant": (
        H + "1 1 1\nn/a 1 1\n",
        {},
        "s.tsv, row 3, column 'participant_id': no part",
    ),
    "unknown muscle": (
        "participant_id VL vastus_laterali\n1 1 1\n",
        {},
        "s.tsv, row 1: no muscle is known by the name 'vastus_laterali' (did you mean ",
    ),
    "no muscle": ("participant_id age\n1 1\n", {}, "s.tsv has no column of a muscle."),
    "same muscle twice": (
        "participant_id VL vastus_lateralis\n1 1 1\n",
        {},
        "s.tsv: columns 'VL' and 'vastus_lateralis' both mean vastus_lateralis (mean).",
    ),
    "two diagnoses": (
        "participant_id diagnosis disease VL\n1 a b 1\n",
        {},
        "s.tsv: columns 'diagnosis' and 'disease' both give the diagnosis.",
    ),
    "no scale": (H + "1 1 1\n", {"scale": None}, "s.tsv does not say on which scale it is."),
    "unknown scale": (H + "1 1 1\n", {"scale": "0-9"}, "s.tsv: unknown scale '0-9'."),
    "unknown scale in a row": (
        "participant_id scale VL\n1 0-4 1\n2 Mercuri 1\n",
        {"scale": None},
        "s.tsv, row 3, column 'scale': unknown scale 'Mercuri'.",
    ),
    "contradicting scales": (
        "participant_id scale VL\n1 0-4 1\n2 FF 1\n",
        {},
        "s.tsv, row 3, column 'scale': scale 'FF', but the file is declared to be on '0-4'.",
    ),
    "unknown unit": (H + "1 1 1\n", {"units": "ppm"}, "s.tsv: unknown unit 'ppm'."),
    "out of range": (
        H + "1 1 5\n2 7 1\n",
        {},
        "s.tsv, row 2, column 'SA': 5 lies outside scale 0-4 (0 to 4); so do 1 more cells.",
    ),
    "below the scale": (
        H + "1 0 1\n",
        {"scale": "1-4"},
        "s.tsv, row 2, column 'VL': 0 lies outside scale 1-4 (1 to 4).",
    ),
    "mixed scales in a column": (
        H + "1 3 2\n2 34.5 2\n",
        {},
        "s.tsv, row 3, column 'VL': 34.5 lies outside scale 0-4 (0 to 4).",
    ),
    "mixed units": (
        H + "1 30 40\n2 0.3 0.4\n",
        {"scale": "FF"},
        "s.tsv, row 3: all fat fractions are below 1, so they seem to be fractions",
    ),
    "decimal comma": (H + "1 2,5 1\n", {}, "s.tsv, row 2, column 'VL': '2,5' has a decimal comma."),
    "date 2-Jan": (
        H + "1 1 2-Jan\n2 Feb-03 1\n",
        {},
        "s.tsv, row 2, column 'SA': '2-Jan' is a date, into which spreadsheet programs turn some "
        "scores (and 1 more such cells).",
    ),
    "ISO date": (H + "1 1 2024-01-02\n", {}, "s.tsv, row 2, column 'SA': '2024-01-02' is a date"),
    "dotted date": (H + "1 1 02.01.2024\n", {}, "'02.01.2024' is a date"),
    "NaN": (H + "1 NaN 1\n", {}, "s.tsv, row 2, column 'VL': 'NaN' is no score."),
    "NA": (H + "1 NA 1\n", {}, "s.tsv, row 2, column 'VL': 'NA' is no score."),
    "empty cell": (H + "1  1\n", {}, "s.tsv, row 2, column 'VL': '' is an empty cell."),
    "infinite": (H + "1 inf 1\n", {}, "s.tsv, row 2, column 'VL': 'inf' is no number."),
    "word": (H + "1 mild 1\n", {}, "s.tsv, row 2, column 'VL': 'mild' is no number."),
    "letters elsewhere": (H + "1 2a 1\n", {}, "s.tsv, row 2, column 'VL': '2a' is no number."),
    "letters and codes": (
        H + "1 2a 1\n2 2 1\n",
        {"scale": "2a2b"},
        "s.tsv, row 3, column 'VL': '2' is no grade of scale 2a2b in a table that writes 2a and ",
    ),
    "duplicate": (
        H + "1 1 1\nsub-1 1 1\n",
        {},
        "s.tsv, row 3: participant 1 already stands in row 2.",
    ),
    "duplicate in a study": (
        "participant_id study VL\n1 a 1\n1 b 1\n1 b 2\n",
        {},
        "s.tsv, row 4: participant 1 of study b already stands in row 3.",
    ),
    "duplicate session": (
        "participant_id session_id VL\n1 ses-1 1\n1 1 1\n",
        {},
        "s.tsv, row 3: participant 1, session 1 already stands in row 2.",
    ),
    "negative age": (
        "participant_id age VL\n1 -3 1\n",
        {},
        "s.tsv, row 2, column 'age': '-3' is no age in years (0 to 120).",
    ),
    "unknown sex": (
        "participant_id sex VL\n1 7 1\n",
        {},
        "s.tsv, row 2, column 'sex': '7' is no sex.",
    ),
    "only missing": (H + "1 n/a n/a\n", {}, "holds no score, only n/a."),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables_are_refused_and_the_place_is_named(name) -> None:
    text, options, message = BAD_TABLES[name]
    with pytest.raises(DataError) as error:
        read(text, **options)
    assert message in error.value.message
    assert error.value.hint


def test_duplicate_columns_and_a_wrong_separator_are_seen_without_the_file() -> None:
    twice = pd.DataFrame([["1", "2", "3"]], columns=["participant_id", "VL", "VL"])
    with pytest.raises(DataError, match=r"s\.tsv has more than one column 'VL'\."):
        read_scores(twice, study="st", source="s.tsv", scale="0-4")
    one = pd.DataFrame({"participant_id,VL": ["1,2"]})
    with pytest.raises(DataError, match=r"s\.tsv has only one column, 'participant_id,VL'\."):
        read_scores(one, study="st", source="s.tsv", scale="0-4")


def test_our_own_table_of_muscles() -> None:
    table = pd.DataFrame(
        {
            "participant": ["01", "01", "01", "02"],
            "session": ["a", "a", "a", None],
            "level": ["muscle", "muscle", "group", "muscle"],
            "side": ["left", "right", "left", "left"],
            "muscle": ["soleus", "soleus", "triceps_surae", "soleus"],
            "ff_mean": [10.0, np.nan, 12.0, 30.0],
        }
    )
    scores = scores_of_muscle_table(table, study="own", source="group_muscles.tsv")
    assert scores.samples.index.tolist() == ["own/sub-01_ses-a", "own/sub-02"]
    assert scores.scores[["side", "score", "row"]].astype(object).to_numpy().tolist() == [
        ["left", 10.0, 2],
        ["left", 30.0, 5],
    ]
    assert set(scores.samples["scale"]) == {"FF"}
    with pytest.raises(DataError, match=r"group_muscles\.tsv holds no fat fraction of any muscle"):
        scores_of_muscle_table(table[2:3], study="own", source="group_muscles.tsv")


def test_a_3_of_2a2b_that_may_be_written_or_coded_is_refused() -> None:
    """Grade 3 is complete replacement, code 3 is grade 2b."""
    with pytest.raises(DataError) as error:
        read("participant_id VL GR\na 0 1\nb 1 3\n", scale="2a2b")
    assert error.value.message == (
        "s.tsv, row 3, column 'GR': 3 may be grade 3 or the code of grade 2b; no cell of scale "
        "2a2b tells."
    )
    for text, expected in (("2b", 3), ("4", 4)):
        told = read(f"participant_id VL GR\na 0 1\nb 1 {text}\n", scale="2a2b")
        assert told.scores["score"].tolist() == [0, 1, 1, expected]
    assert len(read("participant_id VL GR\na 0 3\nb 2 3\n", scale="2a2b").scores) == 4
    assert len(read("participant_id VL GR\na 0 3\nb 1 3\n", scale="0-4").scores) == 4
