"""Paths as people give them, made absolute; what can be no path is said before it is used."""

import errno
import os
from pathlib import Path

from bids_app.errors import AppError, ExitCode
from pipelines.errors import quoted


def absolute_path(given: Path, what: str, links: ExitCode = ExitCode.INPUT_MISSING) -> Path:
    """Return a path with ``~`` and from the root on; nothing needs to be there.

    Parameters
    ----------
    given : Path
        As it was typed.
    what : str
        The option, for messages.
    links : ExitCode
        Code for links that lead round in a circle.

    Raises
    ------
    AppError
        ``USAGE`` if no file can have that path; ``INPUT_MISSING`` if it is relative to a folder
        that is gone.
    """
    try:
        if b"\0" in os.fsencode(given):
            raise _impossible(given, what, "holds a zero byte")
        path = _from_root(given.expanduser(), what)
        path.stat()
    except UnicodeEncodeError as error:
        raise _impossible(given, what, "holds half of a character") from error
    except RuntimeError as error:  # of expanduser
        raise _impossible(given, what, "begins with the home folder of nobody known") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise _impossible(given, what, "is longer than a path can be") from error
        if error.errno == errno.ELOOP:
            raise AppError(
                f"{what}: {quoted(given)} is a link that leads back to itself.",
                links,
                "Mend the link, or give the path that it should lead to.",
            ) from error
    return path


def _from_root(path: Path, what: str) -> Path:
    try:
        return path.absolute()
    except FileNotFoundError as error:
        raise AppError(
            f"{what}: {quoted(path)} lies below the current folder, which is gone.",
            ExitCode.INPUT_MISSING,
            "Go to a folder that exists, or give the whole path.",
        ) from error


def _impossible(given: Path, what: str, why: str) -> AppError:
    return AppError(
        f"{what}: the path {quoted(given)} {why}.", ExitCode.USAGE, "Write the whole path."
    )
