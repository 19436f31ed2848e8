"""The folder for caches and scratch, and what makes every process use it."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bids_app.errors import AppError, ExitCode
from bids_app.logs import start_logging
from bids_app.settings import Settings

# Folders that libraries write caches to; the defaults lie in the home folder, which may be
# missing or read-only in a container.
_CACHE_VARIABLES = {
    "MPLCONFIGDIR": "matplotlib",
    "XDG_CACHE_HOME": "cache",
    "TORCH_HOME": "torch",
    "NUMBA_CACHE_DIR": "numba",
}


@contextmanager
def work_folder(settings: Settings) -> Iterator[Path]:
    """Make the work folder and send the caches of libraries there.

    Yields
    ------
    Path
        ``--work-dir``, or a temporary folder that is removed afterwards.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` if it cannot be written to.
    """
    with tempfile.TemporaryDirectory(prefix="myomids-") as temporary:
        path = settings.work_dir or Path(temporary)
        try:
            for variable, folder in cache_folders(path).items():
                Path(folder).mkdir(parents=True, exist_ok=True)
                os.environ[variable] = folder
        except OSError as error:
            raise AppError(
                f"The work folder {path} cannot be written to: {error.strerror}.",
                ExitCode.CANNOT_CREATE,
                "Choose another --work-dir.",
            ) from error
        yield path


def cache_folders(work_dir: Path) -> dict[str, str]:
    """Return the environment variables that send the caches of libraries to the work folder."""
    return {variable: str(work_dir / folder) for variable, folder in _CACHE_VARIABLES.items()}


def start_worker(verbosity: int, log_file: Path, environment: Mapping[str, str]) -> None:
    """Prepare a process that works on tasks: its logging, and where libraries keep caches.

    Parameters
    ----------
    verbosity : int
        As in :func:`bids_app.logs.start_logging`.
    log_file : Path
        File that several processes may append to.
    environment : Mapping of str to str
        See :func:`cache_folders`; a process on another machine does not inherit it.
    """
    os.environ.update(environment)
    start_logging(verbosity, log_file)
