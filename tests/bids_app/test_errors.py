"""Errors: their exit codes, and that they survive the way between processes."""

import pickle

import pytest

from bids_app.errors import AppError, ExitCode, from_pipeline
from pipelines.errors import DataError, DeviceError, ModelError, PipelineError


class _SpecialDataError(DataError):
    """A narrower kind of bad data."""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("m", "h"), ExitCode.BAD_DATA),
        (_SpecialDataError("m", "h"), ExitCode.BAD_DATA),
        (ModelError("m", "h"), ExitCode.UNAVAILABLE),
        (DeviceError("m", "h"), ExitCode.UNAVAILABLE),
        (PipelineError("m", "h"), ExitCode.FAILURE),
    ],
)
def test_errors_of_the_science_get_the_code_of_their_class(
    error: PipelineError, code: ExitCode
) -> None:
    converted = from_pipeline(error, "sub-01")
    assert (converted.message, converted.hint, converted.exit_code) == ("sub-01: m", "h", code)
    assert from_pipeline(error).message == "m"


def test_an_error_keeps_all_it_says_between_processes() -> None:
    error = pickle.loads(pickle.dumps(AppError("what", ExitCode.BAD_DATA, "remedy")))
    assert str(error) == "what"
    assert (error.message, error.exit_code, error.hint) == ("what", ExitCode.BAD_DATA, "remedy")


@pytest.mark.parametrize("kind", [PipelineError, DataError, ModelError, DeviceError])
def test_errors_of_the_science_keep_their_hint_between_processes(
    kind: type[PipelineError],
) -> None:
    error = pickle.loads(pickle.dumps(kind("what", "remedy")))
    assert type(error) is kind
    assert (str(error), error.message, error.hint) == ("what", "what", "remedy")


def test_the_exit_codes_are_the_documented_numbers() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "INVALID_DATASET": 16,
        "NOTHING_SELECTED": 18,
        "BAD_DATA": 65,
        "INPUT_MISSING": 66,
        "UNAVAILABLE": 69,
        "CANNOT_CREATE": 73,
        "IO_FAILURE": 74,
        "TRY_AGAIN": 75,
        "PARTIAL": 80,
    }
