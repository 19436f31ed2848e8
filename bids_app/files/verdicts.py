"""What people decided about sessions (``quality_verdicts.tsv``): their word overrides the lights.

A row holds for a session, or for one stack of it if it names one. Nothing here writes that file; a
template with the lights filled in is written beside it under another name.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bids_app.errors import AppError, ExitCode
from bids_app.files.tables import read_tsv
from bids_app.options.settings import Settings
from bids_app.session_id import SessionId
from pipelines.text_table import MISSING

if TYPE_CHECKING:
    import pandas as pd

VERDICTS = "quality_verdicts.tsv"
TEMPLATE = "quality_verdicts_template.tsv"

KEEP, EXCLUDE = "keep", "exclude"

_NEEDED = ("participant_id", "verdict", "reason", "who", "when")
_COLUMNS = (*_NEEDED, "session_id", "stack")


@dataclass(frozen=True)
class Verdict:
    """A person's decision about a session, or about one stack of it."""

    session: SessionId
    stack: str  # empty for all stacks of the session
    keep: bool
    reason: str
    who: str
    when: str  # ISO 8601
    line: int

    @property
    def word(self) -> str:
        """The verdict as it is written."""
        return KEEP if self.keep else EXCLUDE

    @property
    def sentence(self) -> str:
        """The verdict in words, for pages."""
        what = f"stack {self.stack}" if self.stack else "this session"
        return f"{self.who} decided on {self.when} to {self.word} {what}: {self.reason}."


@dataclass(frozen=True)
class Verdicts:
    """All verdicts of a file."""

    path: Path | None = None  # None without a file
    rows: Mapping[tuple[SessionId, str], Verdict] = field(default_factory=dict)

    def of(self, session: SessionId, stack: str) -> Verdict | None:
        """Return the verdict about a stack, else that about its session."""
        return self.rows.get((session, stack)) or self.rows.get((session, ""))

    def about(self, session: SessionId) -> list[Verdict]:
        """Return every verdict about a session or a stack of it."""
        return [row for (own, _), row in self.rows.items() if own == session]


def verdicts_of_run(settings: Settings) -> Verdicts:
    """Return the verdicts about the sessions that a run of the participant level writes."""
    return read_verdicts(_verdicts_file(settings.quality_verdicts, settings.output_dir))


def _verdicts_file(given: Path | None, root: Path) -> Path | None:
    """Return the file of ``--quality-verdicts``, else that of a folder of results if it is there.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if a file was named that does not exist.
    """
    if given is None:
        own = root / VERDICTS
        return own if own.exists() else None
    if not given.is_file():
        raise AppError(
            f"The file of --quality-verdicts {given} does not exist.",
            ExitCode.INPUT_MISSING,
            f"Check the path; the group level writes {TEMPLATE} to begin with.",
        )
    return given


def read_verdicts(path: Path | None) -> Verdicts:
    """Read a file of verdicts; without one there are none.

    Raises
    ------
    AppError
        ``BAD_DATA`` naming line and remedy if a column or a value is missing, a verdict or a date
        is none, or two rows contradict each other.
    """
    if path is None:
        return Verdicts()
    table = read_tsv(path)
    lacking = [name for name in _NEEDED if name not in table]
    if lacking:
        raise AppError(
            f"{path} has no column {lacking[0]!r}.",
            ExitCode.BAD_DATA,
            "Its columns are participant_id, session_id, verdict, reason, who and when; "
            f"{TEMPLATE} has them.",
        )
    rows: dict[tuple[SessionId, str], Verdict] = {}
    for verdict in _verdicts_of(table, path):
        first = rows.setdefault((verdict.session, verdict.stack), verdict)
        if first.keep != verdict.keep:
            raise _wrong(
                path,
                verdict.line,
                f"says {verdict.word} of {verdict.session.name}, line {first.line} says "
                f"{first.word}",
                "Keep the row that holds, and delete the other.",
            )
    return Verdicts(path, rows)


def verdicts_of_folders(
    given: Path | None, folders: Mapping[Path, Mapping[SessionId, Collection[str]]]
) -> dict[Path, Verdicts]:
    """Return the verdicts about the sessions of each folder of results.

    Parameters
    ----------
    given : Path or None
        File of ``--quality-verdicts``, which holds for all folders; else each has its own.
    folders : Mapping of Path to Mapping
        Names of the stacks of every session; a session without results has none, and any may be
        named.

    Raises
    ------
    AppError
        ``BAD_DATA`` naming line and remedy, also for a session that there is not, or that is in
        several folders of one file.
    """
    if given is None:
        read = {root: read_verdicts(_verdicts_file(None, root)) for root in folders}
        for root, stacks in folders.items():
            _check_known(read[root], stacks)
        return read
    verdicts = read_verdicts(_verdicts_file(given, given))
    for row in verdicts.rows.values():
        places = [str(root) for root, stacks in folders.items() if row.session in stacks]
        if len(places) > 1:
            raise _wrong(
                given,
                row.line,
                f"names {row.session.name}, which is in {' and '.join(places)}",
                f"Put a {VERDICTS} into each of these folders instead.",
            )
    _check_known(verdicts, {k: v for stacks in folders.values() for k, v in stacks.items()})
    return dict.fromkeys(folders, verdicts)


def _check_known(verdicts: Verdicts, stacks: Mapping[SessionId, Collection[str]]) -> None:
    """Refuse a verdict about a session, or a stack of it, that there is not."""
    for row in verdicts.rows.values():
        assert verdicts.path is not None, "verdicts come from a file"
        if row.session not in stacks:
            raise _wrong(
                verdicts.path,
                row.line,
                f"names {row.session.name}, of which there is no result",
                f"Correct participant_id and session_id, or delete the row; {TEMPLATE} has the "
                "sessions there are.",
            )
        known = stacks[row.session]
        if row.stack and known and row.stack not in known:
            raise _wrong(
                verdicts.path,
                row.line,
                f"names stack {row.stack!r}, which {row.session.name} does not have",
                f"Its stacks: {', '.join(filter(None, known)) or 'one without a name'}.",
            )


def _verdicts_of(table: "pd.DataFrame", path: Path) -> Iterator[Verdict]:
    """Read every row that holds a verdict."""
    for line, cells in zip(table.index, table.to_dict("records"), strict=True):
        texts = {name: _text(cells.get(name)) for name in _COLUMNS}
        if not texts["verdict"]:
            continue
        for name in _NEEDED:
            if not texts[name]:
                raise _wrong(
                    path,
                    line,
                    f"has no {name}",
                    "Say who decided, when and why, or delete it.",
                )
        word = texts["verdict"].lower()
        if word not in (KEEP, EXCLUDE):
            raise _wrong(
                path,
                line,
                f"holds the unknown verdict {texts['verdict']!r}",
                f"Write {KEEP} or {EXCLUDE}, or n/a where the lights decide.",
            )
        session = SessionId(
            texts["participant_id"].removeprefix("sub-"),
            texts["session_id"].removeprefix("ses-") or None,
        )
        when = _date(texts["when"], path, line)
        reason = texts["reason"].rstrip(".")
        yield Verdict(session, texts["stack"], word == KEEP, reason, texts["who"], when, line)


def _text(cell: object) -> str:
    text = cell.strip() if isinstance(cell, str) else ""
    return "" if text.lower() == MISSING else text


def _date(text: str, path: Path, line: int) -> str:
    """Return a date, or date and time, that is no later than today."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(
            path, line, f"holds {text!r}, which is no date", "Write dates as 2026-11-30."
        ) from None
    # Somewhere it is tomorrow already.
    if moment.date() > (datetime.now(UTC) + timedelta(days=1)).date():
        raise _wrong(path, line, f"holds {text}, which is in the future", "Correct the date.")
    return text


def _wrong(path: Path, line: int, what: str, hint: str) -> AppError:
    return AppError(f"{path}, line {line}: {what}.", ExitCode.BAD_DATA, hint)
