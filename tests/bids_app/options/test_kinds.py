"""Kinds of values: what text and YAML may say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.options.kinds import (
    BLOCK,
    DEVICE,
    MEMORY,
    NAMED_FOLDERS,
    PATH,
    SWITCH,
    TEXT,
    Kind,
    kind_of_type,
    whole_number,
)


@pytest.mark.parametrize(
    ("text", "gigabytes"),
    [
        ("16GB", 16.0),
        ("16 gb", 16.0),
        (" 1.5GB ", 1.5),
        ("800MB", 0.8),
        ("2TB", 2000.0),
        ("0.5Mb", 0.0005),
    ],
)
def test_memory_is_read_in_gigabytes(text: str, gigabytes: float) -> None:
    assert MEMORY.from_text(text) == pytest.approx(gigabytes, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["16", "", "GB", "-1GB", "0GB", "0.0MB", "1e3GB", "16 G", "16GiB", "1,5GB", "nanGB"]
)
def test_memory_without_a_clear_unit_or_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory with a unit") as caught:
        MEMORY.from_text(text)
    assert str(caught.value).startswith(repr(text))
    assert "such as 16GB or 800MB" in str(caught.value)


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["MB", "GB", "TB"]))
def test_memory_units_are_powers_of_a_thousand(amount: int, unit: str) -> None:
    power = {"MB": -1, "GB": 0, "TB": 1}[unit]
    assert MEMORY.from_text(f"{amount}{unit}") == pytest.approx(amount * 1000.0**power, rel=1e-12)


@given(st.text(alphabet="0159.eE+- GMTBgmtbi", max_size=8))
def test_memory_is_a_positive_amount_or_an_error_that_quotes_the_text(text: str) -> None:
    amount, message = 0.0, ""
    try:
        amount = MEMORY.from_text(text)
    except ValueError as error:
        message = str(error)
    assert (amount > 0) != message.startswith(repr(text))


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices_that_are_accepted(text: str) -> None:
    assert DEVICE.from_text(text) == text


@pytest.mark.parametrize("text", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:a", "cpu:0", "mps"])
def test_devices_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not auto, cpu, cuda or cuda:N") as caught:
        DEVICE.from_text(text)
    assert str(caught.value).startswith(repr(text))


@pytest.mark.parametrize("text", ["1", "-3", "2.0", "", "two", "1e3", "0x10"])
def test_whole_numbers_that_are_refused_by_flag_and_file(text: str) -> None:
    kind = whole_number(2)
    with pytest.raises(ValueError, match="is not a whole number of at least 2"):
        kind.from_text(text)
    with pytest.raises(ValueError, match="a whole number of at least 2, without quotes"):
        kind.from_file(text)


def test_whole_numbers_that_are_accepted() -> None:
    assert whole_number(2).from_text("12") == whole_number(2).from_file(12) == 12


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        (bool, SWITCH),
        (str | None, TEXT),
        (Path, PATH),
        (Path | None, PATH),
        (Mapping[str, Path], NAMED_FOLDERS),
        (Mapping[str, Any], BLOCK),
    ],
)
def test_the_type_of_a_field_tells_its_kind(declared: Any, kind: Kind) -> None:
    assert kind_of_type(declared) is kind


@pytest.mark.parametrize("declared", [Literal["a", "b"], Literal["a", "b"] | None])
def test_literal_types_are_choices(declared: Any) -> None:
    kind = kind_of_type(declared)
    assert kind.choices == ("a", "b")
    assert kind.from_file("b") == "b"
    with pytest.raises(ValueError, match=r"Choose one of: a, b\."):
        kind.from_file("c")


def test_a_type_that_says_too_little_is_refused() -> None:
    with pytest.raises(TypeError, match="An option of type <class 'int'> needs a kind"):
        kind_of_type(int | None)
