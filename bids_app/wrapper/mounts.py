"""Which folders of this machine the container sees, under the same names."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bids_app.errors import AppError, ExitCode

# A folder mounted over one of these would hide what the image needs to work.
_OF_THE_IMAGE = tuple(
    Path(folder)
    for folder in (
        "/bin", "/dev", "/etc", "/home/myomids", "/lib", "/lib64", "/opt/myomids", "/opt/venv",
        "/proc", "/sbin", "/sys", "/tmp", "/usr",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Mount:
    """A file or folder that has the same name inside and outside."""

    path: Path
    writable: bool


def plan_mounts(
    read: Iterable[Path], written: Iterable[Path], *, make_folders: bool
) -> list[Mount]:
    """Decide which absolute paths are mounted, outer ones first, and make missing result folders.

    A path that is read and written is writable. Without `make_folders` missing ones are left out.
    """
    writable: dict[Path, bool] = {}
    for path in read:
        if not path.exists():
            raise AppError(
                f"{path} does not exist or cannot be read.",
                ExitCode.INPUT_MISSING,
                "Check the path and its permissions; for a DataLad dataset, run datalad get.",
            )
        writable[path] = False
    for path in written:
        if make_folders:
            _make(path)
        elif not path.exists():
            continue
        writable[path] = True
    for path in writable:
        _check_target(path)
    return [Mount(path, writable[path]) for path in sorted(writable)]


def _make(folder: Path) -> None:
    """Make a folder as the caller; the engine would make it as root."""
    problem = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = error.strerror or str(error)
    if not problem and not os.access(folder, os.W_OK | os.X_OK):
        problem = "Permission denied"
    if problem:
        raise AppError(
            f"The folder {folder} cannot be written to: {problem}.",
            ExitCode.CANNOT_CREATE,
            "Choose another folder, or change its permissions.",
        )


def _check_target(path: Path) -> None:
    hidden = [str(own) for own in _OF_THE_IMAGE if own.is_relative_to(path)]
    if hidden:
        raise AppError(
            f"{path} cannot be shown to the container: it would hide {hidden[0]} of the image.",
            ExitCode.USAGE,
            "Use a folder below it, or move the data.",
        )
