"""What checks and people say about our own results, as tables beside the scores."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bids_app.files.verdicts import EXCLUDE, KEEP
from bids_app.group.own_scores import JudgedStack, OwnScores
from bids_app.session_id import SessionId

if TYPE_CHECKING:
    import pandas as pd

MARKS = ("failed_lights", "left_out_stacks", "verdict")
"""Columns that stand beside every sample: doubts about the session that travel with its numbers."""

_VERDICT = ("verdict", "verdict_reason", "verdict_who", "verdict_when")
_QUALITY_COLUMNS = (
    "sample",
    "study",
    "participant",
    "session",
    "stack",
    "state",
    "why",
    "lights",
    "failed_lights",
    "warnings",
    "text",
    *_VERDICT,
    "version",
)
_TEMPLATE_COLUMNS = (
    "participant_id",
    "session_id",
    "stack",
    "verdict",
    "reason",
    "who",
    "when",
    "lights",
    "failed_lights",
    "text",
)
# Columns of the trace that come from the parts a score was joined from.
PART_COLUMNS = ("stack", "value", "weight", "choice", "failed_lights", *_VERDICT)


def sample_name(study: str, session: SessionId) -> str:
    """Return the name of a session in the tables of the cohort."""
    return f"{study}/{session.name}"


def quality_table(scores: OwnScores, studies: dict[str, str]) -> "pd.DataFrame":
    """Return one row per stack of our own results; `studies` has the study of each participant."""
    import pandas as pd

    counted = scores.parts[scores.parts["weight"] > 0]
    measured = set(zip(*(scores.parts[name] for name in _STACK), strict=True))
    used = set(zip(*(counted[name] for name in _STACK), strict=True))
    rows = []
    for stack in scores.stacks:
        session, quality = stack.result.session, stack.quality
        if stack.left_out:
            state = "left out"
        elif stack.key not in measured:
            state = "no value"
        else:
            state = "used" if stack.key in used else "not chosen"
        study = studies[session.participant]
        texts = [text for _, text in quality.failed]
        rows.append(
            (
                sample_name(study, session),
                study,
                session.participant,
                session.session or "",
                quality.stack or None,
                state,
                stack.left_out or None,
                _lights(stack),
                _listed(stack.failed),
                len(quality.warned) if quality.known else None,
                " ".join(texts) or None,
                *_verdict_cells(stack),
                stack.result.marker.get("Version"),
            )
        )
    table = pd.DataFrame(rows, columns=list(_QUALITY_COLUMNS), dtype=object)
    refused = pd.DataFrame(_refused_rows(scores, studies), dtype=object)
    whole = pd.concat([table, refused], ignore_index=True) if len(refused) else table
    return whole.reindex(columns=list(_QUALITY_COLUMNS)).astype({"warnings": "Int64"})


def _refused_rows(scores: OwnScores, studies: dict[str, str]) -> list[dict[str, str | None]]:
    """Return rows of the stacks whose images could not be used at all."""
    return [
        {
            "sample": sample_name(studies[result.session.participant], result.session),
            "study": studies[result.session.participant],
            "participant": result.session.participant,
            "session": result.session.session or "",
            "stack": stack or None,
            "state": "left out",
            "why": "refused",
            "text": message,
            "version": result.marker.get("Version"),
        }
        for result in scores.results
        for stack, message in result.refused.items()
    ]


def sample_marks(tables: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """Return ``MARKS`` of every sample (index) of tables of :func:`quality_table`, if any."""
    import pandas as pd

    rows = {}
    for sample, own in (pair for table in tables for pair in table.groupby("sample", sort=False)):
        out = own.loc[own["state"] == "left out", "stack"].fillna("all")
        failed = (name for text in own["failed_lights"].dropna() for name in text.split(", "))
        rows[sample] = (_listed(failed), _listed(out), _listed(own["verdict"].dropna()))
    marks = pd.DataFrame.from_dict(rows, orient="index", columns=list(MARKS), dtype=object)
    return marks.rename_axis("sample")


def with_marks(table: "pd.DataFrame", marks: "pd.DataFrame") -> "pd.DataFrame":
    """Add ``MARKS`` to a table with a column ``sample``; missing where nothing is known."""
    samples = table["sample"].astype(object)
    return table.assign(**{name: samples.map(marks[name]) for name in MARKS})


def part_table(scores: OwnScores, studies: dict[str, str]) -> "pd.DataFrame":
    """Return every measurement of our own results as it stands in the trace.

    Columns ``sample``, ``muscle``, ``side``, ``source``, ``row`` and ``PART_COLUMNS``.
    """
    import pandas as pd

    about = {}
    for stack in scores.stacks:
        session = stack.result.session
        sample = sample_name(studies[session.participant], session)
        about[stack.key] = (sample, _listed(stack.failed), *_verdict_cells(stack))
    parts = scores.parts
    keys = list(zip(*(parts[name] for name in _STACK), strict=True))
    told = pd.DataFrame(
        [about[key] for key in keys],
        columns=["sample", "failed_lights", *_VERDICT],
        index=parts.index,
        dtype=object,
    )
    kept = parts[["muscle", "side", "source", "row", "weight", "choice"]]
    stack_names = parts["stack"].astype(object).where(parts["stack"] != "", None)
    return pd.concat([kept, told], axis=1).assign(stack=stack_names, value=parts["ff_mean"])


def template(tables: Sequence["pd.DataFrame"]) -> "pd.DataFrame":
    """Return a table for the verdicts of people, with the lights filled in and no verdict yet."""
    import pandas as pd

    known = pd.concat(tables, ignore_index=True)
    # There is nothing to keep of a stack without results.
    quality = known[known["why"] != "refused"]
    several = quality.duplicated("sample", keep=False)
    session = quality["session"]
    filled = pd.DataFrame(
        {
            "participant_id": "sub-" + quality["participant"],
            "session_id": ("ses-" + session).where(session != "", None),
            "stack": quality["stack"].where(several, None),
            "verdict": quality["verdict"],
            "reason": quality["verdict_reason"],
            "who": quality["verdict_who"],
            "when": quality["verdict_when"],
            "lights": quality["lights"],
            "failed_lights": quality["failed_lights"],
            "text": quality["text"],
        }
    )
    return filled[list(_TEMPLATE_COLUMNS)]


_STACK = ("participant", "session", "stack")


def _lights(stack: JudgedStack) -> str | None:
    """Return the verdict of the checks alone; None where none is stored."""
    if not stack.quality.known:
        return None
    return EXCLUDE if stack.quality.spoilt else KEEP


def _verdict_cells(stack: JudgedStack) -> tuple[Any, ...]:
    verdict = stack.verdict
    if verdict is None:
        return (None,) * len(_VERDICT)
    return (verdict.word, verdict.reason, verdict.who, verdict.when)


def _listed(names: Any) -> str | None:
    """Return names in one cell, each once; None for none."""
    return ", ".join(dict.fromkeys(names)) or None
