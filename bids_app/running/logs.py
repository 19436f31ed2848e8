"""Logging: short lines for people on the terminal, everything in a file per run."""

import logging
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bids_app.errors import AppError, ExitCode
from bids_app.running.signals import ignore_signals
from pipelines.errors import escaped
from pipelines.progress import Progress

LOGGER = logging.getLogger("myomids")

# Loggers of ours; what libraries warn of is no advice to the people who run us.
_OWN = (LOGGER.name, "bids_app", "pipelines")

_LEVELS = {0: logging.INFO, 1: logging.INFO, 2: logging.DEBUG}
_FILE_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def new_run_id() -> str:
    """Return a name for this run that sorts by time and no other run has."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + uuid.uuid4().hex[:8]


class _OneLine(logging.Formatter):
    """Makes one line of a record, whatever names it holds, and one of each line of a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the library
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - of the library
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  | {escaped(line)}" for line in lines)


def start_logging(verbosity: int, log_file: Path | None = None) -> None:
    """Send messages to the terminal and, if given, to a file.

    Parameters
    ----------
    verbosity : int
        0 shows our own messages, 1 those of the science too, 2 everything in detail, also what
        libraries warn of.
    log_file : Path or None
        File that several processes may append to.
    """
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(_OneLine("%(levelname)-7s %(message)s"))
    terminal.setLevel(_LEVELS[min(verbosity, 2)])
    if verbosity < len(_LEVELS) - 1:
        terminal.addFilter(_of_libraries_only_errors)
    if verbosity == 0:
        terminal.addFilter(lambda r: r.name == LOGGER.name or r.levelno >= logging.WARNING)
    handlers: list[logging.Handler] = [terminal]
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(log_file, encoding="utf-8")
        to_file.setFormatter(_OneLine(_FILE_FORMAT))
        handlers.append(to_file)
    # Third-party debug output is noise even with -vv.
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    for name in _OWN:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.captureWarnings(True)
    # A record that the disk has no space for ends nothing, and is no traceback on the terminal.
    logging.raiseExceptions = False


def _of_libraries_only_errors(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OWN or record.levelno >= logging.ERROR


def log_error(error: AppError) -> ExitCode:
    """Write why a run ended and what to do about it; the last line names the exit code.

    Returns
    -------
    ExitCode
        What the process shall return.
    """
    LOGGER.error("%s", error.message)
    if error.hint:
        LOGGER.error("hint: %s", error.hint)
    return log_exit_code(error.exit_code)


def log_exit_code(code: ExitCode) -> ExitCode:
    """Write the last line of every log; no signal makes it wrong from here on."""
    ignore_signals()
    level = logging.INFO if code == ExitCode.OK else logging.ERROR
    LOGGER.log(level, "exit code %d (%s)", int(code), code.name)
    return code


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Progress]:
    """Show a bar on a terminal, and nothing elsewhere.

    Yields
    ------
    callable
        To be told how many units are done, and how many there are.
    """
    with tqdm(total=None, desc=what, unit=unit, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
