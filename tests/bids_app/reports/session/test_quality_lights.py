from dataclasses import replace

import pytest

from bids_app.reports.layout import layout
from bids_app.reports.session.quality_lights import lights
from pipelines.quality import Check
from tests.bids_app.reports import page_content


def one(**changes: object) -> dict[str, object]:
    return {**Check("noise_floor", "warn", "A sentence.").as_dict(), **changes}


def test_worst_comes_first_with_symbol_word_and_numbers() -> None:
    found = lights([("", [{"QualityChecks": page_content.CHECKS}, {}])], layout())
    assert [(light.level, light.word, light.title) for light in found] == [
        ("fail", "Fail", "Water/fat swap"),
        ("warn", "Caution", "Noise floor"),
        ("pass", "Pass", "Body outline"),
    ]
    assert [(light.value, light.threshold) for light in found] == [
        ("", ""),
        ("6.13 %", "5 %"),
        ("41.2 %", "5 %"),
    ]
    assert found[1].text == "Noise lifts low fat fractions."


def test_checks_of_several_stacks_keep_their_stack_and_order() -> None:
    sidecars = [
        ("acq-a", [{"QualityChecks": [one(name="x")]}]),
        ("acq-b", [{"QualityChecks": [one(name="y"), one(name="z", level="pass")]}]),
    ]
    found = lights(sidecars, layout())
    assert [(light.stack, light.title) for light in found] == [
        ("acq-a", "X"),
        ("acq-b", "Y"),
        ("acq-b", "Z"),
    ]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "%", "0 %"),
        (0.012345, "mm", "0.0123 mm"),
        (3.0, "1", "3"),
        (12345.6, "voxels", "12346 voxels"),
        (None, "%", ""),
    ],
)
def test_numbers_have_three_digits_and_their_unit(
    value: float | None, unit: str, text: str
) -> None:
    (light,) = lights([("", [{"QualityChecks": [one(value=value, unit=unit)]}])], layout())
    assert light.value == text


def test_titles_can_be_given() -> None:
    words = replace(layout(), checks={"noise_floor": "Noise in lean muscle"})
    (light,) = lights([("", [{"QualityChecks": [one()]}])], words)
    assert light.title == "Noise in lean muscle"
