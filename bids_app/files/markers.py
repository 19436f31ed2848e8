"""What ``logs`` says about a session, or another result, as a whole: complete, moving, failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bids_app.errors import AppError, ExitCode
from bids_app.files.containment import require_own_names, require_result_inside
from pipelines.files import read_json, write_json

COMPLETE_SESSIONS = "logs/complete"
FAILED_SESSIONS = "logs/failed"
MOVING = "logs/moving"
# Key of a marker: stacks whose images were refused while others of the session were processed.
REFUSED_STACKS = "RefusedStacks"

_GROUP_STARTS = ("group_", "group.", "quality_verdicts_template.")


class ResultId(Protocol):
    """Names files that appear and are replaced together: a session's, or the group level's."""

    @property
    def name(self) -> str:
        """Unique among the results of an output folder; part of file names."""


@dataclass(frozen=True)
class GroupId:
    """The result of the group level as a whole."""

    name: str = "group"


def read_marker(output_dir: Path, session: ResultId) -> dict[str, Any] | None:
    """Return what a complete result was made from, or None if it is not complete.

    Raises
    ------
    AppError
        ``IO_FAILURE`` if the marker is damaged; ``CANNOT_CREATE`` if it is a link that leads out
        of the dataset, or names other files than those of the result.
    """
    path = log_file(output_dir, COMPLETE_SESSIONS, session)
    try:
        marker = read_json(require_result_inside(output_dir, path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _damaged(path) from error
    if (
        not isinstance(marker, dict)
        or not _is_listing(marker.get("Files", {}))
        or not _are_refusals(marker.get(REFUSED_STACKS, []))
    ):
        raise _damaged(path)
    require_own_names(marker.get("Files", {}), _starts(session), path)
    return marker


def files_of(output_dir: Path, kind: str, session: ResultId) -> dict[str, str]:
    """Return the files that a marker lists, with checksums; none if it is missing or damaged.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` as :func:`read_marker`.
    """
    path = log_file(output_dir, kind, session)
    try:
        files = read_json(require_result_inside(output_dir, path))["Files"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not _is_listing(files):
        return {}
    require_own_names(files, _starts(session), path)
    return dict(files)


def write_failure(output_dir: Path, session: ResultId, reason: Mapping[str, Any]) -> None:
    """Leave the reason of a failed session in ``logs/failed``."""
    write_json(log_file(output_dir, FAILED_SESSIONS, session), reason)


def log_file(output_dir: Path, kind: str, session: ResultId) -> Path:
    """Return the file that says something about a result as a whole."""
    return output_dir / kind / f"{session.name}.json"


def _starts(result: ResultId) -> tuple[str, ...]:
    """Return what the names of the files of a result begin with."""
    if isinstance(result, GroupId):
        return _GROUP_STARTS
    participant = result.name.partition("_")[0]
    return (f"{participant}/", f"{participant}_", f"{participant}.")


def _is_listing(files: object) -> bool:
    return isinstance(files, dict) and all(isinstance(value, str) for value in files.values())


def _are_refusals(stacks: object) -> bool:
    return isinstance(stacks, list) and all(
        _is_listing(stack) and {"Stack", "Message", "Hint"} <= stack.keys() for stack in stacks
    )


def _damaged(path: Path) -> AppError:
    return AppError(
        f"The marker of a finished session is damaged: {path}.",
        ExitCode.IO_FAILURE,
        "Run again with --overwrite to recompute the session.",
    )
