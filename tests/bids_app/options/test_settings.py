"""Settings: spellings, choices that exclude each other, what is stored with a run."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import Settings, parse_device, parse_memory


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
    assert parse_memory(text) == pytest.approx(gigabytes, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["16", "", "GB", "-1GB", "0GB", "0.0MB", "1e3GB", "16 G", "16GiB", "1,5GB", "nanGB"]
)
def test_memory_without_a_clear_unit_or_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of memory with a unit") as caught:
        parse_memory(text)
    assert str(caught.value).startswith(repr(text))
    assert "such as 16GB or 800MB" in str(caught.value)


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["MB", "GB", "TB"]))
def test_memory_units_are_powers_of_a_thousand(amount: int, unit: str) -> None:
    power = {"MB": -1, "GB": 0, "TB": 1}[unit]
    assert parse_memory(f"{amount}{unit}") == pytest.approx(amount * 1000.0**power, rel=1e-12)


@given(st.text(alphabet="0159.eE+- GMTBgmtbi", max_size=8))
def test_memory_is_a_positive_amount_or_an_error_that_quotes_the_text(text: str) -> None:
    amount, message = 0.0, ""
    try:
        amount = parse_memory(text)
    except ValueError as error:
        message = str(error)
    assert (amount > 0) != message.startswith(repr(text))


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices_that_are_accepted(text: str) -> None:
    assert parse_device(text) == text


@pytest.mark.parametrize("text", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:a", "cpu:0", "mps"])
def test_devices_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not auto, cpu, cuda or cuda:N") as caught:
        parse_device(text)
    assert str(caught.value).startswith(repr(text))


def test_settings_become_plain_json() -> None:
    settings = Settings(
        Path("/in"),
        Path("/out"),
        "participant",
        participant_label=("01", "02"),
        derivatives={"expert": Path("/masks")},
        mem=8.0,
    )
    stored = json.loads(json.dumps(settings.as_dict(), allow_nan=False))
    assert stored["bids_dir"] == "/in"
    assert stored["participant_label"] == ["01", "02"]
    assert stored["derivatives"] == {"expert": "/masks"}
    assert stored["work_dir"] is None
    assert stored["mem"] == 8.0
    assert list(stored) == [f.name for f in fields(Settings)]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"bids_dir": Path("/elsewhere")}, True),
        ({"nprocs": 4}, True),
        ({"verbosity": 2}, True),
        ({"participant_label": ("01",)}, True),
        ({"erode": False}, False),
        ({"model": "other"}, False),
        ({"fat_fraction_units": "percent"}, False),
        ({"derivatives": {"expert": Path("/masks")}}, False),
    ],
)
def test_only_choices_that_change_numbers_are_scientific(
    change: dict[str, Any], same: bool
) -> None:
    base: dict[str, Any] = {
        "bids_dir": Path("/in"),
        "output_dir": Path("/out"),
        "analysis_level": "participant",
    }
    changed = Settings(**(base | change)).scientific()
    assert (changed == Settings(**base).scientific()) is same
    json.dumps(changed)


@pytest.mark.parametrize("name", ["raw", "", "my masks", "a:b", "über"])
def test_names_of_derivatives_that_no_bids_uri_can_hold_are_refused(name: str) -> None:
    with pytest.raises(AppError) as caught:
        Settings(Path("/in"), Path("/out"), "participant", derivatives={name: Path("/masks")})
    assert caught.value.message == f"{name!r} cannot be the name of a folder in --derivatives."
    assert caught.value.hint == "Use letters, digits, '-' and '_'; 'raw' is the input dataset."
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"executor": "dask"}, "--executor dask needs one cluster."),
        (
            {"executor": "dask", "dask_scheduler": "tcp://h:1", "dask_cluster": {"jobs": 1}},
            "--executor dask needs one cluster.",
        ),
        ({"executor": "dask", "dask_scheduler": "tcp://h:1"}, "--executor dask needs --work-dir."),
        ({"dask_scheduler": "tcp://h:1"}, "A Dask cluster is used with --executor dask."),
        ({"dask_cluster": {"jobs": 1}}, "A Dask cluster is used with --executor dask."),
    ],
)
def test_a_cluster_is_described_once_and_only_for_dask(
    choices: dict[str, Any], message: str
) -> None:
    with pytest.raises(AppError) as caught:
        Settings(Path("in"), Path("out"), "participant", **choices)
    assert caught.value.message == message
    assert caught.value.exit_code is ExitCode.USAGE
