"""Folders and files of a MIDS or BIDS tree, before any meaning is read into their names.

Only the folder of the session that is asked for is opened, and only as deep as scans lie in it:
neither other participants nor ``derivatives``, ``sourcedata`` or hidden folders are walked.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bids_app.errors import AppError, ExitCode

PARTICIPANT_PREFIX = "sub-"
SESSION_PREFIX = "ses-"

# Letters and digits, as BIDS says; '+' is allowed since BIDS 1.9.
LABEL = re.compile(r"[a-zA-Z0-9+]+")

# Folders below a participant that hold no scans of ours.
_NOT_WALKED = frozenset({"derivatives", "sourcedata", "code", "figures"})

# Folders between a session and its files: 'mr-anat' is one, BIMCV's 'mr/anat' two.
_DEPTH = 2

# How many folders of a wrongly given root are looked into for the tree that was meant.
_MOST_FOLDERS_SEARCHED = 50

MOUNT_HINT = (
    "In a container the folder has to be mounted, e.g. 'docker run -v /my/data:/data:ro ... /data' "
    "or 'apptainer run --bind /my/data:/data ... /data'."
)


@dataclass(frozen=True)
class Listing:
    """What lies in one folder, hidden entries left out, in natural order.

    Links to folders are folders, links without a target are files; but a participant, a session or
    a folder whose link leads nowhere is not taken for a file, which nobody would miss.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]


def natural_key(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a sort key that puts ``sub-2`` before ``sub-10``."""
    pieces = re.split(r"(\d+)", text)
    key = [(0, int(p), "") if p.isdecimal() else (1, 0, p.casefold()) for p in pieces if p]
    return key, text


def list_folder(path: Path) -> Listing:
    """List a folder.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if it is absent or may not be read, ``IO_FAILURE`` if reading fails.
    """
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if _is_folder(entry) else files).append(entry.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise AppError(
            f"The folder {path} cannot be read: {error.strerror}.",
            ExitCode.INPUT_MISSING,
            f"Check the path and who may read it. {MOUNT_HINT}",
        ) from error
    except OSError as error:
        raise AppError(
            f"Reading the folder {path} failed: {error.strerror}.",
            ExitCode.IO_FAILURE,
            "Check the disk or network share, then run the same command again.",
        ) from error
    return Listing(tuple(sorted(folders, key=natural_key)), tuple(sorted(files, key=natural_key)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder, or should have been one."""
    try:
        if entry.is_dir():
            return True
    except OSError:  # a link to itself, or into a folder that may not be read
        return "." not in entry.name
    label = entry.name.removeprefix(PARTICIPANT_PREFIX).removeprefix(SESSION_PREFIX)
    named = label != entry.name and LABEL.fullmatch(label) is not None
    return named and entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110


def labels_in(names: Iterable[str], prefix: str) -> tuple[list[str], list[str]]:
    """Return the labels of ``sub-*`` or ``ses-*`` folders, and the names that hold none."""
    labels: list[str] = []
    misnamed: list[str] = []
    for name in names:
        if name.startswith(prefix):
            label = name.removeprefix(prefix)
            (labels if LABEL.fullmatch(label) else misnamed).append(label)
    return labels, [prefix + label for label in misnamed]


def scan_folders(listing: Listing) -> list[str]:
    """Return the folders of a participant or session in which its scans can lie."""
    return [
        name
        for name in listing.folders
        if name not in _NOT_WALKED and not name.startswith(SESSION_PREFIX)
    ]


def session_files(root: Path, folder: PurePosixPath) -> dict[PurePosixPath, tuple[str, ...]]:
    """List the files of a session by folder, and of the folders above it without the root."""
    files: dict[PurePosixPath, tuple[str, ...]] = {}
    for above in folder.parents:
        if above != PurePosixPath("."):
            files[above] = list_folder(root / above).files
    pending = [(folder, 0)]
    while pending:
        current, depth = pending.pop()
        listing = list_folder(root / current)
        files[current] = listing.files
        if depth < _DEPTH:
            pending.extend((current / name, depth + 1) for name in scan_folders(listing))
    return files


def check_root(root: Path) -> Listing:
    """List the root of a dataset, or say what is wrong with it and where the right one may be."""
    if not root.is_dir():
        state = "is a file, not a folder" if root.exists() else "does not exist"
        raise AppError(
            f"The dataset {root} {state}.",
            ExitCode.INPUT_MISSING,
            f"Give the folder that holds the sub-* folders. {MOUNT_HINT}",
        )
    listing = list_folder(root)
    if any(name.startswith(PARTICIPANT_PREFIX) for name in listing.folders):
        return listing
    if not listing.folders and not listing.files:
        raise AppError(f"The dataset {root} is empty.", ExitCode.INPUT_MISSING, MOUNT_HINT)
    raise AppError(
        f"{root} holds no sub-* folders, so it is not a MIDS or BIDS dataset.",
        ExitCode.INVALID_DATASET,
        _better_root(root, listing),
    )


def _better_root(root: Path, listing: Listing) -> str:
    """Guess what a person meant who gave a folder without participants."""
    for parent in (root, *root.absolute().parents):
        if parent.name.startswith(PARTICIPANT_PREFIX):
            label = parent.name.removeprefix(PARTICIPANT_PREFIX)
            return (
                f"This is one participant of a dataset. Give the dataset, {parent.parent}, and "
                f"choose the participant with --participant-label {label}."
            )
    below = _tree_below(root, listing)
    if below is not None:
        return f"There is a dataset inside: give {below}."
    if {"mr-anat", "mr-quant", "anat"} & set(listing.folders):
        return (
            "The scans lie directly in the dataset, as in early muscle-BIDS tutorials. Make a "
            "folder for the participant, e.g. sub-01/mr-quant/sub-01_FF.nii.gz."
        )
    near = [name for name in listing.folders if name.casefold().startswith("sub")]
    if near:
        return f"Participant folders must be named sub-<label>; this one has {near[0]}."
    return (
        "Convert the scans to sub-<label>/mr-anat/ and sub-<label>/mr-quant/ (docs/input.md says "
        "which names are read)."
    )


def _tree_below(root: Path, listing: Listing) -> Path | None:
    """Find a dataset one or two levels down, such as ``data/mids`` of a project."""
    level: Mapping[Path, Listing] = {root: listing}
    for _ in range(2):
        children = [path / name for path, found in level.items() for name in found.folders]
        readable = [c for c in children[:_MOST_FOLDERS_SEARCHED] if os.access(c, os.R_OK | os.X_OK)]
        level = {child: list_folder(child) for child in readable}
        for child, found in level.items():
            if any(name.startswith(PARTICIPANT_PREFIX) for name in found.folders):
                return child
    return None
