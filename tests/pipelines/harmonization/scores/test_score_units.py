"""Units of score columns: read as declared, and refused where they cannot be."""

import io

import pytest

from pipelines.errors import DataError
from pipelines.harmonization.scores.reading import read_scores
from pipelines.harmonization.scores.score_units import outside_percent
from pipelines.text_table import read_text_table


def read(text: str, scale: str | None = "FF", **options):
    table = read_text_table(io.StringIO(text.replace(" ", "\t")), "s.tsv")
    return read_scores(table, study="st", source="s.tsv", scale=scale, **options)


def unit(text):
    return {"Units": text}


def test_every_column_has_its_own_unit() -> None:
    described = {"VL_L": unit("fraction"), "vl_r": unit("permille"), "SOL": unit("%"), "GRA": {}}
    table = read("participant_id VL_L VL_R SOL GRA\n1 0.756 240 6.05 50\n", described=described)
    assert table.scores["score"].tolist() == pytest.approx([75.6, 24, 6.05, 50])


def test_a_column_without_unit_has_that_of_the_table() -> None:
    described = {"SOL": unit("percent")}
    table = read("participant_id VL SOL\n1 0.5 0.5\n", described=described, units="fraction")
    assert table.scores["score"].tolist() == [50, 0.5]


def test_only_fat_fractions_have_a_unit_where_scales_are_mixed() -> None:
    table = read(
        "participant_id scale VL\n1 FF 0.5\n2 0-4 3\n", None, described={"VL": unit("fraction")}
    )
    assert table.scores["score"].tolist() == [50, 3]


@pytest.mark.parametrize("text", ["1", "grade", "grades (0-4)", "0-4", "arbitrary units", "n/a"])
def test_grades_may_say_that_they_have_no_unit(text) -> None:
    table = read("participant_id VL SOL\n1 3 0\n", "0-4", described={"VL": unit(text)})
    assert table.scores["score"].tolist() == [3, 0]


@pytest.mark.parametrize(
    ("text", "scale", "described", "message"),
    [
        (
            "VL SOL\n1 0.2 0.3\n2 0.5 1.2\n",
            "FF",
            {"VL": unit("fraction"), "SOL": unit("fraction")},
            "s.tsv, row 3, column 'SOL': 1.2 lies outside scale FF in fraction (0 to 1).",
        ),
        (
            "VL SOL\n1 0.2 45\n",
            "FF",
            {"VL": unit("fraction"), "SOL": unit("fraction")},
            "s.tsv, row 2, column 'SOL': 45 lies outside scale FF in fraction (0 to 1).",
        ),
        (
            "VL\n1 1200\n",
            "FF",
            {"VL": unit("permille")},
            "s.tsv, row 2, column 'VL': 1200 lies outside scale FF in permille (0 to 1000).",
        ),
        (
            "VL\n1 -0.06\n",
            "FF",
            {"VL": unit("fraction")},
            "s.tsv, row 2, column 'VL': -0.06 lies outside scale FF in fraction (0 to 1).",
        ),
        (
            "VL SOL\n1 0.2 4\n",
            "FF",
            {"SOL": unit("mL")},
            "s.tsv, column 'SOL' in the JSON file beside it: unknown unit 'mL'.",
        ),
        (
            "VL_L SOL\n1 0.2 4\n",
            "FF",
            {"VL": unit("fraction"), "height": unit("cm")},
            "s.tsv has no column 'VL', of which the JSON file beside it gives the unit.",
        ),
        (
            "VL SOL\n1 2 4\n",
            "0-4",
            {"SOL": unit("mL")},
            "s.tsv, column 'SOL' in the JSON file beside it: unknown unit 'mL'.",
        ),
        (
            "VL SOL\n1 2 4\n",
            "0-4",
            {"SOL": unit("percent")},
            "s.tsv, column 'SOL' in the JSON file beside it: the unit is 'percent', but the scale "
            "is 0-4, whose grades have no unit.",
        ),
        (
            "VL SOL\n1 0.2 0.4\n2 0.9 1.01\n",
            "FF",
            {},
            "s.tsv: all fat fractions are below 1.05, so they seem to be fractions",
        ),
        (
            "VL SOL\n1 0.2 40\n",
            "FF",
            {"SOL": unit("percent")},
            "s.tsv: all fat fractions are below 1, so they seem to be fractions",
        ),
    ],
)
def test_what_the_unit_does_not_allow_is_named(text, scale, described, message) -> None:
    with pytest.raises(DataError) as error:
        read(f"participant_id {text}", scale, described=described)
    assert message in error.value.message
    assert error.value.hint


def test_measured_values_may_lie_a_little_outside() -> None:
    table = read("participant_id VL SOL GRA\n1 -0.8 101 50\n")
    assert table.scores["score"].tolist() == [-0.8, 101, 50]
    assert outside_percent(table.scores).tolist() == [True, True, False]
    with pytest.raises(DataError, match=r"105\.5 lies outside scale FF"):
        read("participant_id VL\n1 105.5\n")
