"""Our own per-muscle tables as scores: what the participant level left in an output folder."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.dataset.labels import enumerate_labels
from bids_app.dataset.tree import natural_key
from bids_app.errors import AppError, ExitCode
from bids_app.files.containment import require_result_inside
from bids_app.files.markers import (
    COMPLETE_SESSIONS,
    FAILED_SESSIONS,
    REFUSED_STACKS,
    read_marker,
)
from bids_app.files.provenance import bids_uri
from bids_app.files.reading import checksum
from bids_app.files.tables import read_tsv
from bids_app.options.settings import INPUT_NAME
from bids_app.session_id import SessionId

if TYPE_CHECKING:
    import pandas as pd

_SESSION_NAME = re.compile(r"sub-([A-Za-z0-9+]+)(?:_ses-([A-Za-z0-9+]+))?")
MUSCLE_TABLE_ENDING = "_desc-muscles_stats.tsv"
_VALUE = "ff_mean"
_PART_COLUMNS = (
    "participant",
    "session",
    "stack",
    "muscle",
    "side",
    _VALUE,
    "volume_ml",
    "source",
    "row",
)
_COLUMNS = ("level", "muscle", "side", _VALUE, "volume_ml")


@dataclass(frozen=True)
class OwnResult:
    """The complete results of one session.

    Attributes
    ----------
    study : str
        Name of the folder in BIDS URIs and of the study in our tables.
    root : Path
        Output folder of the participant level.
    session : SessionId
        The session.
    tables : tuple of Path
        Per-muscle tables, one per stack, relative to `root`.
    marker : Mapping
        What the session was made from.
    """

    study: str
    root: Path
    session: SessionId
    tables: tuple[Path, ...]
    marker: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The session in messages, with its study if that is a folder of ``--derivatives``."""
        return f"{'' if self.study == INPUT_NAME else self.study + '/'}{self.session.name}"

    @property
    def stacks(self) -> tuple[str, ...]:
        """Names of the stacks that have a per-muscle table, in the order of `tables`."""
        start = self.session.name
        return tuple(
            table.name.removeprefix(start).removesuffix(MUSCLE_TABLE_ENDING).removeprefix("_")
            for table in self.tables
        )

    @property
    def refused(self) -> dict[str, str]:
        """Why each stack was refused whose images could not be used, by its name."""
        listed = self.marker.get(REFUSED_STACKS, ())
        return {str(one["Stack"]): str(one["Message"]) for one in listed}


def find_results(
    study: str,
    root: Path,
    participants: Collection[str] = (),
    sessions: Collection[str] = (),
) -> list[OwnResult]:
    """Find the complete sessions of an output folder, in natural order; no label takes all."""
    found = []
    for session in _session_names(root / COMPLETE_SESSIONS):
        if participants and session.participant not in participants:
            continue
        if sessions and session.session not in sessions:
            continue
        found.append(result_of(study, root, session, read_marker(root, session) or {}))
    return found


def result_of(study: str, root: Path, session: SessionId, marker: Mapping[str, Any]) -> OwnResult:
    """Return the results of a session that its marker lists."""
    files = [Path(name) for name in marker.get("Files", ())]
    tables = tuple(name for name in files if name.name.endswith(MUSCLE_TABLE_ENDING))
    for table in tables:
        require_result_inside(root, root / table)
    return OwnResult(study, root, session, tables, marker)


def doubts(results: Sequence[OwnResult], root: Path) -> list[str]:
    """Say what to know before results are used: failures, no muscle, several versions, settings."""
    sentences = []
    failed = [session.name for session in _session_names(root / FAILED_SESSIONS)]
    if failed:
        sentences.append(
            f"{root}: {len(failed)} session(s) failed and are left out: {enumerate_labels(failed)}."
        )
    bare = [result.session.name for result in results if not result.tables]
    if bare:
        sentences.append(f"{root}: no per-muscle table of {enumerate_labels(bare)}.")
    refused = [f"{one.session.name} {name}".rstrip() for one in results for name in one.refused]
    if refused:
        sentences.append(
            f"{root}: {len(refused)} stack(s) were refused and give no value: "
            f"{enumerate_labels(refused)}."
        )
    for key, what in (("Version", "versions of MyoMIDS"), ("Settings", "settings")):
        kinds = {json.dumps(result.marker.get(key), sort_keys=True) for result in results}
        if len(kinds) > 1:
            sentences.append(f"{root}: sessions were made with {len(kinds)} different {what}.")
    return sentences


def check_unchanged(result: OwnResult) -> None:
    """Refuse results whose tables are no longer what they were.

    Raises
    ------
    AppError
        ``BAD_DATA`` naming the first such table.
    """
    for table in result.tables:
        if checksum(result.root / table) != result.marker["Files"][table.as_posix()]:
            raise damaged(result.root / table, "was changed since its session was complete")


def read_parts(result: OwnResult) -> "pd.DataFrame":
    """Read the measured muscles of every stack of a session, each a part of a muscle.

    Returns columns ``participant``, ``session``, ``stack``, ``muscle``, ``side``, ``ff_mean``
    (percent), ``volume_ml``, ``source`` (BIDS URI) and ``row``; maybe no row.

    Raises
    ------
    AppError
        ``BAD_DATA`` if a table is damaged.
    """
    import pandas as pd

    stacks = [
        _muscle_rows(result, table).assign(stack=stack)
        for table, stack in zip(result.tables, result.stacks, strict=True)
    ]
    if not stacks:
        return pd.DataFrame(columns=list(_PART_COLUMNS))
    session = result.session
    parts = pd.concat(stacks, ignore_index=True).assign(
        participant=session.participant, session=session.session or ""
    )
    return parts[list(_PART_COLUMNS)]


def _muscle_rows(result: OwnResult, table: Path) -> "pd.DataFrame":
    """Read the measured muscles of one stack."""
    import pandas as pd

    path = result.root / table
    content = read_tsv(path)
    lacking = [name for name in _COLUMNS if name not in content]
    if lacking:
        raise damaged(path, f"has no column {lacking[0]!r}")
    content["row"] = content.index
    measured = (content["level"] == "muscle") & (content[_VALUE] != "n/a")
    rows = content[measured].copy()
    for column in (_VALUE, "volume_ml"):
        numbers = pd.to_numeric(rows[column], errors="coerce")
        if numbers.isna().any():
            line = rows.loc[numbers.isna(), "row"].iloc[0]
            raise damaged(path, f"row {line}, column {column!r} holds no number")
        rows[column] = numbers
    rows["source"] = bids_uri(path, result.root, result.study)
    return rows[["muscle", "side", _VALUE, "volume_ml", "source", "row"]]


def known_sessions(root: Path) -> list[SessionId]:
    """Return all sessions of an output folder, complete or failed."""
    return [*_session_names(root / COMPLETE_SESSIONS), *_session_names(root / FAILED_SESSIONS)]


def _session_names(folder: Path) -> list[SessionId]:
    """Return the sessions that a log folder has a file of."""
    names = (_SESSION_NAME.fullmatch(path.stem) for path in folder.glob("sub-*.json"))
    sessions = [SessionId(name[1], name[2]) for name in names if name is not None]
    return sorted(sessions, key=lambda session: natural_key(session.name))


def damaged(path: Path, problem: str) -> AppError:
    """Return the error about a file of ours that cannot be what was written."""
    return AppError(
        f"{path} {problem}.",
        ExitCode.BAD_DATA,
        "Compute the session again with the participant level and --overwrite.",
    )
