"""What became of each session, and what that makes of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bids_app.errors import AppError, ExitCode, HeldElsewhereError
from bids_app.running.logs import LOGGER, log_exit_code
from bids_app.running.resources import Step
from bids_app.session_id import SessionId


@dataclass(frozen=True)
class Outcome:
    """What became of one session.

    Attributes
    ----------
    session : SessionId
        The session.
    status : {'complete', 'skipped', 'failed'}
        ``skipped`` sessions were complete already.
    exit_code : ExitCode
        ``OK`` unless the session failed.
    message, hint : str
        Why it failed and what to do about it.
    steps : tuple of Step
        Wall time and peak memory of each step.
    refused_stacks : int
        Stacks whose images were refused, while others of the session have results.
    signs : tuple of Mapping
        What raw echoes of the session show of the sign of the phase.
    held_elsewhere : bool
        Another run works on the session, and it is that run's to report.
    """

    session: SessionId
    status: Literal["complete", "skipped", "failed"]
    exit_code: ExitCode = ExitCode.OK
    message: str = ""
    hint: str = ""
    steps: tuple[Step, ...] = ()
    refused_stacks: int = 0
    signs: tuple[Mapping[str, Any], ...] = ()
    held_elsewhere: bool = False

    @classmethod
    def failure(cls, session: SessionId, error: AppError, steps: Sequence[Step] = ()) -> "Outcome":
        """Make the outcome of a session that ended with an error."""
        return cls(
            session,
            "failed",
            error.exit_code,
            error.message,
            error.hint,
            tuple(steps),
            held_elsewhere=isinstance(error, HeldElsewhereError),
        )

    def reason(self) -> dict[str, Any]:
        """Return why the session failed, for ``logs/failed``."""
        return {
            "Session": self.session.name,
            "ExitCode": int(self.exit_code),
            "ExitCodeName": self.exit_code.name,
            "Message": self.message,
            "Hint": self.hint,
        }


def exit_code_of(outcomes: Sequence[Outcome]) -> ExitCode:
    """Return the exit code of a run from those of its sessions.

    Some failed and others complete is ``PARTIAL``, and so is a session that lacks a stack; if all
    failed, the code they share, else ``FAILURE``.
    """
    failed = {outcome.exit_code for outcome in outcomes if outcome.status == "failed"}
    if not failed:
        incomplete = any(outcome.refused_stacks for outcome in outcomes)
        return ExitCode.PARTIAL if incomplete else ExitCode.OK
    if any(outcome.status != "failed" for outcome in outcomes):
        return ExitCode.PARTIAL
    return failed.pop() if len(failed) == 1 else ExitCode.FAILURE


def log_summary(outcomes: Sequence[Outcome]) -> ExitCode:
    """Write how the run went; the last line names the exit code.

    Returns
    -------
    ExitCode
        What the process shall return.
    """
    counts = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in ("complete", "skipped", "failed")
    }
    for outcome in outcomes:
        if outcome.status == "failed":
            LOGGER.error("%s failed: %s", outcome.session.name, outcome.message)
            if outcome.hint:
                LOGGER.error("%s hint: %s", outcome.session.name, outcome.hint)
        elif outcome.refused_stacks:
            LOGGER.error(
                "%s lacks %d refused stack(s); its page and the log say why.",
                outcome.session.name,
                outcome.refused_stacks,
            )
    LOGGER.info(
        "%d session(s) complete, %d skipped (complete before), %d failed",
        counts["complete"],
        counts["skipped"],
        counts["failed"],
    )
    return log_exit_code(exit_code_of(outcomes))
