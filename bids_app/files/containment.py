"""Keep what is deleted, overwritten and read as a result inside the output folder.

An output folder may come from others, and its links and markers may name any place.
"""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from bids_app.errors import AppError, ExitCode

# Where git-annex keeps the content of the files that DataLad makes links of.
_ANNEX = ".git/annex/objects"

# Folders of the output folder that every level writes to.
_WRITTEN = (
    "logs",
    *(f"logs/{kind}" for kind in ("complete", "failed", "locks", "moving", "staging", "training")),
    "models",
)


def refuse_links_out(output_dir: Path) -> None:
    """Refuse an output folder whose own folders are links to elsewhere.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` naming the link.
    """
    for name in _WRITTEN:
        require_inside(output_dir, output_dir / name / "file")


def require_inside(output_dir: Path, path: Path) -> Path:
    """Return the path of a file that is deleted or overwritten, if no folder on the way leads out.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` if it does.
    """
    if not _is_in(path.parent, output_dir):
        raise _leads_out(path.parent, output_dir)
    return path


def require_result_inside(output_dir: Path, path: Path) -> Path:
    """Return the path of a file that is read as a result, if it is one of this dataset.

    It may be a link to a file of the output folder, or to content in the annex of its dataset.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` if it leads elsewhere.
    """
    if not (_is_in(path, output_dir) or _is_in(path, _annex_of(output_dir))):
        raise _leads_out(path, output_dir)
    return path


def require_own_names(names: Iterable[object], starts: tuple[str, ...], listing: Path) -> None:
    """Refuse a list that names anything but files of its own in the output folder.

    Parameters
    ----------
    names : iterable
        As they stand in the list: relative to the output folder, with '/'.
    starts : tuple of str
        What its own names begin with.
    listing : Path
        Where they stand.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` naming the first other one.
    """
    for name in names:
        own = isinstance(name, str) and name.isprintable() and name.startswith(starts)
        if not own or ".." in PurePosixPath(str(name)).parts:
            raise AppError(
                f"{listing} names {name!r}, which is none of its own files in the output folder.",
                ExitCode.CANNOT_CREATE,
                "The file is damaged, or was made to do harm. See where the folder came from, then "
                "delete the file, or choose another output folder.",
            )


def _is_in(path: Path, folder: Path | None) -> bool:
    # Not Path.resolve, which gives up on links that go round in circles.
    return folder is not None and Path(os.path.realpath(path)).is_relative_to(
        os.path.realpath(folder)
    )


def _annex_of(output_dir: Path) -> Path | None:
    """Return where the dataset that the output folder lies in has the content of its files."""
    for folder in (output_dir, *output_dir.parents):
        if (folder / ".git").exists():
            return folder / _ANNEX
    return None


def _leads_out(path: Path, output_dir: Path) -> AppError:
    return AppError(
        f"{path} leads out of the output folder {output_dir}, to {os.path.realpath(path)}.",
        ExitCode.CANNOT_CREATE,
        "See where the folder came from; remove the link, or choose another output folder.",
    )
