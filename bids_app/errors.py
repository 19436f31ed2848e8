"""Exit codes and the one exception class that carries them to the command line.

The numbers follow the BIDS execution specification draft (BEP027) and ``sysexits.h``; usage
errors keep argparse's 2. ``docs/exit-codes.md`` lists them for users.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from pipelines.errors import (
    DataError,
    DeviceError,
    MissingPackageError,
    ModelError,
    PipelineError,
)

LIST_ITEM = "\n- "
"""What stands before each of several problems in a message."""


class ExitCode(IntEnum):
    """What the process returns; the last line of the log names the same code."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    INVALID_DATASET = 16
    NOTHING_SELECTED = 18
    BAD_DATA = 65
    INPUT_MISSING = 66
    UNAVAILABLE = 69
    CANNOT_CREATE = 73
    IO_FAILURE = 74
    TRY_AGAIN = 75
    PARTIAL = 80


class AppError(Exception):
    """A mistake or a state of the world that a person can mend.

    Parameters
    ----------
    message : str
        What is wrong, and in which file.
    exit_code : ExitCode
        What the process returns when this error ends the run.
    hint : str, optional
        What to do about it.
    """

    def __init__(self, message: str, exit_code: ExitCode, hint: str = "") -> None:
        # All three, so that the error can travel between processes.
        super().__init__(message, exit_code, hint)
        self.message = message
        self.exit_code = exit_code
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class HeldElsewhereError(AppError):
    """Another run works on the session; it is that run's to report."""


_EXIT_CODE_OF: dict[type[PipelineError], ExitCode] = {
    DataError: ExitCode.BAD_DATA,
    ModelError: ExitCode.UNAVAILABLE,
    DeviceError: ExitCode.UNAVAILABLE,
    MissingPackageError: ExitCode.UNAVAILABLE,
}


def from_pipeline(error: PipelineError, context: str = "") -> AppError:
    """Give an error of the science its exit code.

    Parameters
    ----------
    error : PipelineError
        What a pipeline function raised.
    context : str, optional
        Where it happened (a file or session), put before the message.

    Returns
    -------
    AppError
        With the code of the error's class, or ``FAILURE`` for a class without one.
    """
    codes = (code for kind, code in _EXIT_CODE_OF.items() if isinstance(error, kind))
    exit_code = next(codes, ExitCode.FAILURE)
    message = f"{context}: {error.message}" if context else error.message
    return AppError(message, exit_code, error.hint)


@contextmanager
def as_app_errors() -> Iterator[None]:
    """Turn what the science and the operating system raise into errors with an exit code."""
    try:
        yield
    except PipelineError as error:
        raise from_pipeline(error) from error
    except MemoryError as error:
        raise AppError(
            "Memory ran out.",
            ExitCode.TRY_AGAIN,
            "Run again with fewer --nprocs, or on a machine with more memory.",
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise AppError(
            f"Reading or writing failed: {error.strerror or error}"
            + (f" ({error.filename})." if error.filename else "."),
            ExitCode.IO_FAILURE,
            "Free some space, then run the same command again."
            if full
            else "Check the disk, then run the same command again.",
        ) from error
