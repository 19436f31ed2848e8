"""What JSON files say of columns: units, codes and their meaning."""

import pytest

from pipelines.errors import DataError
from pipelines.harmonization.scores.described import (
    levels_of,
    unit_from_text,
    unit_text,
    units_of,
    unused_units,
)


@pytest.mark.parametrize(
    ("text", "quantity", "name", "size"),
    [
        ("years", "age", "years", 1),
        ("Months", "age", "months", 1 / 12),
        ("mo", "age", "months", 1 / 12),
        ("wk", "age", "weeks", 7 / 365.25),
        ("d", "age", "days", 1 / 365.25),
        ("%", "fat fraction", "percent", 1),
        ("Fraction", "fat fraction", "fraction", 100),
        ("1", "fat fraction", "fraction", 100),
        ("per  mille", "fat fraction", "permille", 0.1),
    ],
)
def test_units_are_known_by_several_spellings(text, quantity, name, size) -> None:
    unit = unit_from_text(text, quantity, "t.tsv")
    assert unit.name == name
    assert unit.size == pytest.approx(size, rel=1e-15)


@pytest.mark.parametrize(
    ("quantity", "accepted"),
    [
        ("age", "Units of ages: years, months, weeks, days."),
        ("fat fraction", "Units of fat fractions: percent, fraction, permille."),
    ],
)
def test_an_unknown_unit_is_named_with_those_that_are_known(quantity, accepted) -> None:
    assert "fortnight" not in units_of(quantity)
    with pytest.raises(DataError) as error:
        unit_from_text("fortnight", quantity, "t.tsv, column 'x'")
    assert error.value.message == "t.tsv, column 'x': unknown unit 'fortnight'."
    assert error.value.hint == accepted


def test_units_are_found_whatever_the_case_of_the_name_and_must_be_text() -> None:
    assert unit_text({"Age": {"Units": "months"}}, "age", "t.tsv") == "months"
    assert unit_text({"age": {"Units": "n/a"}}, "age", "t.tsv") is None
    assert unit_text({"age": "in years"}, "age", "t.tsv") is None
    with pytest.raises(DataError, match=r"column 'age' in the JSON file beside it: Units '12' is"):
        unit_text({"age": {"Units": 12}}, "age", "t.tsv")


def test_levels_are_texts_or_objects_with_a_description() -> None:
    described = {"sex": {"Levels": {"1": "male", "2": {"Description": " female "}, "3": 4}}}
    assert levels_of(described, "sex") == {"1": "male", "2": "female"}
    assert levels_of({"sex": {"Levels": ["male"]}}, "sex") == {}


def test_units_of_a_column_that_is_not_there_are_named() -> None:
    described = {"Scale": "FF", "VL_L": {"Units": "fraction"}, "VLL": {"Units": "1"}, "x": {}}
    assert unused_units(described, ["participant_id", "vl_l"]) == ["VLL"]
