"""Which of our own results count in the cohort, and the fat fractions they give.

A stack is left out where a failed check leaves wrong numbers behind, or where a person says so; of
several scans of one muscle one is chosen. The same holds for one session at the participant level.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from bids_app.files.verdicts import Verdict, Verdicts
from bids_app.group.own_results import OwnResult, check_unchanged, read_parts
from bids_app.group.stack_quality import StackQuality, read_quality
from bids_app.options.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.quantification.several_scans import Combine

Why = Literal["", "failed check", "verdict"]


@dataclass(frozen=True)
class StackRules:
    """What decides which stacks count and what becomes of several scans of one muscle."""

    verdicts: Verdicts = field(default_factory=Verdicts)
    include_failed: bool = False
    combine: "Combine" = "best"

    @classmethod
    def of(cls, settings: Settings, verdicts: Verdicts) -> "StackRules":
        """Take the choices of a run."""
        return cls(verdicts, settings.include_failed, settings.combine)


@dataclass(frozen=True)
class JudgedStack:
    """A stack of our own results: its checks, what a person says, and whether it is left out."""

    result: OwnResult
    quality: StackQuality
    verdict: Verdict | None
    left_out: Why  # empty if it counts

    @property
    def name(self) -> str:
        """Session and stack, for messages."""
        return f"{self.result.name} {self.quality.stack}".rstrip()

    @property
    def key(self) -> tuple[str, str, str]:
        """Participant, session and stack, as in the columns of measurements."""
        session = self.result.session
        return (session.participant, session.session or "", self.quality.stack)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the failed checks."""
        return self.quality.failed_names

    @property
    def trusted(self) -> bool:
        """Whether a person wants it kept, whatever its checks say."""
        return self.verdict is not None and self.verdict.keep


@dataclass(frozen=True)
class OwnScores:
    """Our own results of some sessions: every stack, and every measurement with its weight.

    `parts` has the columns of :func:`.own_results.read_parts` and of
    :func:`~pipelines.quantification.several_scans.choose_scans`; it may have no row.
    """

    results: tuple[OwnResult, ...]
    stacks: tuple[JudgedStack, ...]
    parts: "pd.DataFrame"

    def rows(self) -> "pd.DataFrame":
        """Return one fat fraction per muscle and side as rows of a per-muscle table; maybe none."""
        from pipelines.quantification.several_scans import join_scans

        return join_scans(self.parts).assign(level="muscle")


def judge_stacks(result: OwnResult, rules: StackRules) -> list[JudgedStack]:
    """Say of every stack of a session whether it counts."""
    judged = []
    for quality in read_quality(result):
        verdict = rules.verdicts.of(result.session, quality.stack)
        left_out: Why = ""
        if verdict is not None:
            left_out = "" if verdict.keep else "verdict"
        elif quality.spoilt and not rules.include_failed:
            left_out = "failed check"
        judged.append(JudgedStack(result, quality, verdict, left_out))
    return judged


def read_own_scores(
    results: Sequence[OwnResult], rules: StackRules, *, staged: bool = False
) -> OwnScores:
    """Read what counts of some sessions; `staged` results have no checksums to compare with."""
    import pandas as pd

    from pipelines.quantification.several_scans import choose_scans

    if not staged:
        for result in results:
            check_unchanged(result)
    stacks = [stack for result in results for stack in judge_stacks(result, rules)]
    read = [read_parts(result) for result in results]
    # Tables without a row would make columns of numbers those of objects.
    parts = pd.concat([part for part in read if len(part)] or read[:1], ignore_index=True)
    marked = parts.merge(_marks(stacks), on=["participant", "session", "stack"], how="left")
    return OwnScores(tuple(results), tuple(stacks), choose_scans(marked, rules.combine))


# Warnings of a stack of which no check is stored: it comes after any that was checked.
_UNKNOWN = 1000


def _marks(stacks: Sequence[JudgedStack]) -> "pd.DataFrame":
    """Return what every stack brings to its measurements."""
    import pandas as pd

    columns = ("participant", "session", "stack", "failed", "warned", "left_out")
    return pd.DataFrame(
        [
            (
                *stack.key,
                0 if stack.trusted else len(stack.failed),
                len(stack.quality.warned) if stack.quality.known else _UNKNOWN,
                bool(stack.left_out),
            )
            for stack in stacks
        ],
        columns=list(columns),
    )
