"""The files of a stored model: written all or not at all, read only if nothing has changed."""

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.errors import ModelError
from pipelines.files import (
    IrregularFileError,
    atomic_folder,
    open_file,
    parse_json,
    schema_error,
)
from pipelines.package_data import package_json

DESCRIPTION = "model.json"
# Sixty members of 300 rounds and twenty deep classes take 0.6 GB.
MAX_TOTAL_BYTES = 4 * 1024**3
# Version 1 knew what is usual of all folds together only.
FORMAT_VERSION = 2
MAX_DESCRIPTION_BYTES = 64 * 1024**2
# Of a whole number; longer ones do not fit into 64 bits.
_MOST_DIGITS = 18
_HINT = "Copy the model again from where it was made, or train it again."


def write_folder(
    folder: Path, description: Mapping[str, Any], content: Mapping[str, bytes]
) -> None:
    """Write the files of a new model beside their final place, then move them there together.

    `description` is the content of model.json except ``files``, which is filled in here; `content`
    has every other file by its path below the folder, with forward slashes.
    """
    if folder.exists() or folder.is_symlink():
        raise ModelError(
            f"{folder} exists already.", "Choose another name for the model, or remove it."
        )
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in sorted(content.items())
    }
    complete = {**description, "files": listed}
    _check_description(complete, str(folder / DESCRIPTION))
    text = json.dumps(complete, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_folder(folder) as new:
        for name, data in content.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (new / DESCRIPTION).write_text(text, encoding="utf-8")


def read_model_json(folder: Path) -> dict[str, Any]:
    """Read model.json and check it against the schema, without looking at the other files."""
    path = folder / DESCRIPTION
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is no folder of a diagnosis model.",
            "Name the folder that holds model.json; --list models shows known models.",
        )
    if not path.is_symlink() and not path.exists():
        raise ModelError(
            f"{folder} holds no {DESCRIPTION}.",
            "Name the folder of a model stored by this software.",
        )
    data = _regular_bytes(path, MAX_DESCRIPTION_BYTES)
    try:
        description = parse_json(
            data, parse_constant=_no_constant, parse_float=_finite_float, parse_int=_short_int
        )
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}.", _HINT) from error
    if (
        isinstance(description, dict)
        and description.get("format_version", FORMAT_VERSION) != FORMAT_VERSION
    ):
        raise ModelError(
            f"{path} has format version {description['format_version']!r}; this software reads "
            f"version {FORMAT_VERSION}.",
            "Train the model again, or use the version of the software that stored it.",
        )
    _check_description(description, str(path))
    return dict(description)


def read_folder(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return model.json and every other file by its path, each only if it is what is listed."""
    description = read_model_json(folder)
    listed: Mapping[str, Any] = description["files"]
    if sum(entry["bytes"] for entry in listed.values()) > MAX_TOTAL_BYTES:
        raise ModelError(
            f"{folder / DESCRIPTION} lists more than {MAX_TOTAL_BYTES // 1024**3} GiB.",
            "No model of this software is that large; do not use it.",
        )
    present = _files_below(folder)
    for name in sorted(set(listed) - present):
        raise ModelError(f"The model lacks the file {folder / name}.", _HINT)
    for name in sorted(present - set(listed) - {DESCRIPTION}):
        raise ModelError(
            f"{folder / name} is no part of the model: {DESCRIPTION} does not list it.",
            "Remove the file if you know where it comes from; else do not use the model.",
        )
    return description, {name: _verified(folder / name, entry) for name, entry in listed.items()}


def _check_description(description: Any, source: str) -> None:
    """Refuse a description that differs from the schema, naming the first place."""
    error = schema_error(description, package_json(__package__, "model.schema.json"))
    if error is not None:
        raise ModelError(f"{source} is no description of a model: {error}.", _HINT)


def _files_below(folder: Path) -> set[str]:
    """Return the paths of all files below a folder; refuse links and special files."""
    found = set()
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(root) / name
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                raise ModelError(
                    f"{path} is a symbolic link, which a model may not hold.",
                    "Replace it by the file itself, if you trust it.",
                )
            if stat.S_ISREG(mode):
                found.add(path.relative_to(folder).as_posix())
            elif not stat.S_ISDIR(mode):
                raise ModelError(f"{path} is no regular file.", "Remove it.")
    return found


def _verified(path: Path, entry: Mapping[str, Any]) -> bytes:
    data = _regular_bytes(path, MAX_TOTAL_BYTES, expected=entry["bytes"])
    checksum = hashlib.sha256(data).hexdigest()
    if checksum != entry["sha256"]:
        raise ModelError(
            f"{path} has changed since the model was stored: SHA-256 expected {entry['sha256']}, "
            f"found {checksum}.",
            _HINT,
        )
    return data


def _regular_bytes(path: Path, limit: int, *, expected: int | None = None) -> bytes:
    """Read a regular file, never through a link, and never more than expected."""
    try:
        stream = open_file(path, follow_links=False)
    except (IrregularFileError, IsADirectoryError) as error:
        raise ModelError(f"{path} is no regular file.", _HINT) from error
    except OSError as error:
        reason = "a symbolic link" if path.is_symlink() else error.strerror
        raise ModelError(f"{path} cannot be read: {reason}.", _HINT) from error
    with stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise ModelError(f"{path} is larger than {limit // 1024**2} MiB.", _HINT)
        if expected is not None and size != expected:
            raise ModelError(
                f"{path} has changed since the model was stored: {expected} bytes expected, "
                f"found {size}.",
                _HINT,
            )
        return stream.read(size)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is larger than any number that can be computed with")
    return number


def _short_int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:20]}... has {len(text)} digits")
    return int(text)
