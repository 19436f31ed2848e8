"""Read a file of the input, or say why it cannot be read and what to do about it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from bids_app.errors import AppError, ExitCode
from pipelines.files import IrregularFileError, open_file, sha256

# Bytes that tell a placeholder.
_START = 100
# First bytes of the small text files that stand for content kept elsewhere, and what fetches it.
_PLACEHOLDERS = {
    b"/annex/objects/": "datalad get",
    b"version https://git-lfs.github.com": "git lfs pull --include",
}


def read_bytes(path: Path, most: int = -1) -> bytes:
    """Read a file, at most so many bytes of it (all if negative).

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if it is absent, may not be read, is no regular file, or only stands for
        content that has not been fetched (DataLad, git-annex, Git LFS); ``IO_FAILURE`` if
        reading fails.
    """
    with open_input(path) as stream:
        return stream.read(most)


@contextmanager
def open_input(path: Path) -> Iterator[BufferedReader]:
    """Open a file for reading; errors as :func:`read_bytes`, also of what is read."""
    try:
        with open_file(path) as stream:
            start = stream.peek(_START)
            for placeholder, command in _PLACEHOLDERS.items():
                if start.startswith(placeholder):
                    raise _not_fetched(path, f"{command} {path}")
            yield stream
    except FileNotFoundError as error:
        raise _absent(path) from error
    except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise AppError(
            f"{path} cannot be read: {error.strerror}.",
            ExitCode.INPUT_MISSING,
            "Check that it is a file and who may read it.",
        ) from error
    except IrregularFileError as error:
        raise AppError(
            f"{path} is no regular file but a pipe or a device.",
            ExitCode.INPUT_MISSING,
            "Write the content to a file and name that.",
        ) from error
    except OSError as error:
        raise AppError(
            f"Reading {path} failed: {error.strerror}.",
            ExitCode.IO_FAILURE,
            "Check the disk or network share, then run the same command again.",
        ) from error


def is_there(path: Path) -> bool:
    """Return whether a dataset has a file; a link whose content is not there is one."""
    return os.path.lexists(path)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits; errors as :func:`read_bytes`."""
    read_bytes(path, _START)  # says in our words why a file cannot be read
    return sha256(path)


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, with or without byte order mark.

    Raises
    ------
    AppError
        As :func:`read_bytes`; ``BAD_DATA`` if it is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AppError(
            f"{path} is not UTF-8 text (byte {error.start}).",
            ExitCode.BAD_DATA,
            "Save it as UTF-8 in a text editor.",
        ) from error


def _absent(path: Path) -> AppError:
    if not path.is_symlink():
        return AppError(f"{path} does not exist.", ExitCode.INPUT_MISSING, "Check the path.")
    target = path.readlink()
    if ".git/annex" in target.as_posix():
        return _not_fetched(path, f"datalad get {path}")
    return AppError(
        f"{path} is a link to {target}, which does not exist.",
        ExitCode.INPUT_MISSING,
        "Restore the linked file; in a container, mount the folder that the link points to.",
    )


def _not_fetched(path: Path, command: str) -> AppError:
    return AppError(
        f"The content of {path} is not here, only a reference to it.",
        ExitCode.INPUT_MISSING,
        f"Fetch it first: {command}",
    )
