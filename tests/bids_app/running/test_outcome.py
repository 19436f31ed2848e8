"""What the outcomes of sessions make of a run."""

import logging
import pickle
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.running.logs import LOGGER
from bids_app.running.outcome import Outcome, exit_code_of, log_summary
from bids_app.running.resources import Step
from bids_app.session_id import SessionId


def _outcome(
    status: Literal["complete", "skipped", "failed"],
    code: ExitCode = ExitCode.OK,
    participant: str = "01",
) -> Outcome:
    return Outcome(SessionId(participant), status, code)


COMPLETE = _outcome("complete")
SKIPPED = _outcome("skipped")
BAD_DATA = _outcome("failed", ExitCode.BAD_DATA)
MISSING = _outcome("failed", ExitCode.INPUT_MISSING)
BUSY = _outcome("failed", ExitCode.TRY_AGAIN)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([], 0),
        ([COMPLETE], 0),
        ([SKIPPED], 0),
        ([COMPLETE, SKIPPED], 0),
        ([BAD_DATA], 65),
        ([MISSING], 66),
        ([BUSY], 75),
        ([BAD_DATA, BAD_DATA], 65),
        ([BAD_DATA, MISSING], 1),
        ([BAD_DATA, MISSING, COMPLETE], 80),
        ([BAD_DATA, COMPLETE], 80),
        ([BAD_DATA, SKIPPED], 80),
        ([BUSY, COMPLETE], 80),
    ],
)
def test_exit_codes_of_mixed_outcomes(outcomes: list[Outcome], code: int) -> None:
    assert exit_code_of(outcomes) == code


@given(st.lists(st.sampled_from([COMPLETE, SKIPPED, BAD_DATA, MISSING]), max_size=6))
def test_the_order_of_sessions_does_not_matter(outcomes: list[Outcome]) -> None:
    assert exit_code_of(outcomes) == exit_code_of(outcomes[::-1])
    assert (exit_code_of(outcomes) == ExitCode.OK) == all(o.status != "failed" for o in outcomes)


def test_a_failure_keeps_what_the_error_says() -> None:
    error = AppError("sub-01: no water image", ExitCode.INPUT_MISSING, "Check the names.")
    steps = [Step("read", 0.5, 100.0)]
    outcome = Outcome.failure(SessionId("01", "pre"), error, steps)
    assert outcome.status == "failed"
    assert outcome.steps == (Step("read", 0.5, 100.0),)
    assert outcome.reason() == {
        "Session": "sub-01_ses-pre",
        "ExitCode": 66,
        "ExitCodeName": "INPUT_MISSING",
        "Message": "sub-01: no water image",
        "Hint": "Check the names.",
    }
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_the_summary_names_failures_counts_and_the_exit_code_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure = Outcome.failure(
        SessionId("02", "1"), AppError("water.nii.gz is cut off", ExitCode.BAD_DATA, "Copy again.")
    )
    with caplog.at_level(logging.INFO, LOGGER.name):
        code = log_summary([COMPLETE, failure, SKIPPED, COMPLETE])
    assert code is ExitCode.PARTIAL
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("ERROR", "sub-02_ses-1 failed: water.nii.gz is cut off"),
        ("ERROR", "sub-02_ses-1 hint: Copy again."),
        ("INFO", "2 session(s) complete, 1 skipped (complete before), 1 failed"),
        ("ERROR", "exit code 80 (PARTIAL)"),
    ]


def test_a_failure_without_hint_takes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    failure = Outcome.failure(SessionId("02"), AppError("broken", ExitCode.FAILURE))
    with caplog.at_level(logging.INFO, LOGGER.name):
        code = log_summary([failure])
    assert code is ExitCode.FAILURE
    assert caplog.messages == [
        "sub-02 failed: broken",
        "0 session(s) complete, 0 skipped (complete before), 1 failed",
        "exit code 1 (FAILURE)",
    ]
