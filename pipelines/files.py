"""Single files: written whole or not at all, their SHA-256, and JSON as others wrote it."""

import errno
import hashlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO


class IrregularFileError(OSError):
    """A pipe or a device stands where a file should be."""


def open_file(path: Path, *, follow_links: bool = True) -> BufferedReader:
    """Open a regular file; a pipe or device, which may never come to an end, is none.

    Parameters
    ----------
    path : Path
        The file.
    follow_links : bool
        Whether its last part may be a symbolic link.

    Raises
    ------
    IrregularFileError
        If it is a pipe or a device.
    OSError
        If it cannot be opened.
    """
    # Without waiting for somebody to write into a pipe.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags if follow_links else flags | os.O_NOFOLLOW)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise IrregularFileError(errno.EINVAL, "no regular file but a pipe or a device", str(path))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits; errors as :func:`open_file`."""
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file so that readers see the old or the new content, never a part.

    Its folder is made if it is not there. A killed process leaves at most a hidden ``*.tmp``
    beside it.

    Yields
    ------
    binary file
        To write to; it takes the place of `path` when the block ends without an error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        # Opened as any new file, and not with tempfile, so that its permissions follow the umask.
        with temporary.open("xb") as stream:
            yield stream
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 as :func:`atomic_file` does."""
    with atomic_file(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file as :func:`atomic_file` does; NaN and infinity raise ValueError."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Make a hidden folder on the disk of a path, for what is moved there once it is complete.

    Yields
    ------
    Path
        Beside `path`, whose own folder is made if it is not there; removed at the end. Only its
        owner may read it, so what is moved out of it must have been made inside.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".", suffix=".tmp", dir=path.parent, ignore_cleanup_errors=True
    ) as temporary:
        yield Path(temporary)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Make a folder that appears with everything in it, or not at all.

    Yields
    ------
    Path
        An empty folder to fill; it becomes `folder` when the block ends without an error.

    Raises
    ------
    OSError
        If there is a file, or a folder that is not empty, at the end.
    """
    with folder_beside(folder) as temporary:
        new = temporary / folder.name
        new.mkdir()
        yield new
        new.rename(folder)


def replace_folder(new: Path, folder: Path) -> None:
    """Move a folder to its final place on the same disk, instead of one that may be there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_beside(new) as old:
        if folder.exists():
            folder.rename(old / folder.name)
        new.rename(folder)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError
        As :func:`open_file`.
    ValueError
        As :func:`parse_json`.
    """
    with open_file(path) as stream:
        return parse_json(stream.read())


def parse_json(text: str | bytes, **hooks: Callable[[str], object]) -> Any:
    """Parse JSON in UTF-8, with or without byte order mark.

    Parameters
    ----------
    text : str or bytes
        Content of a file.
    **hooks : callable
        ``parse_constant``, ``parse_float`` and ``parse_int`` of ``json.loads``; without them
        NaN and infinity, which JSON does not have, are numbers.

    Raises
    ------
    ValueError
        Saying what is wrong: no UTF-8, no JSON (a :class:`json.JSONDecodeError`), or nested too
        deep.
    """
    decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    try:
        return json.loads(decoded, **hooks)  # type: ignore[arg-type]
    except RecursionError as error:
        raise ValueError("it is nested too deep to read") from error


def schema_error(content: Any, schema: Mapping[str, Any]) -> str | None:
    """Return where content differs most from a JSON schema, and how; None if it follows it.

    Parameters
    ----------
    content : Any
        Parsed JSON.
    schema : mapping
        JSON Schema, draft 2020-12.
    """
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    if error is None:
        return None
    place = "/".join(str(part) for part in error.absolute_path)
    return f"{place}: {error.message[:300]}" if place else str(error.message[:300])
