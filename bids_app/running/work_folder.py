"""The folder for caches and scratch, and what makes every process use it."""

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import Settings
from bids_app.running.logs import start_logging

# Folders that libraries write caches to; the defaults lie in the home folder, which may be
# missing or read-only in a container. None lies in the output folder, which people pass on: numba's
# cache is machine code in pickles, and nothing of that kind is loaded from others.
_CACHE_VARIABLES = {
    "MPLCONFIGDIR": "matplotlib",
    "XDG_CACHE_HOME": "cache",
    "TORCH_HOME": "torch",
    "NUMBA_CACHE_DIR": "numba",
}

# Temporary folders of this process, also those that are gone.
_scratch: set[str] = set()


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
        _scratch.add(temporary)
        path = settings.work_dir or Path(temporary)
        try:
            for variable, folder in _cache_folders(path).items():
                Path(folder).mkdir(parents=True, exist_ok=True)
                os.environ[variable] = folder
        except OSError as error:
            raise AppError(
                f"The work folder {path} cannot be written to: {error.strerror}.",
                ExitCode.CANNOT_CREATE,
                "Choose another --work-dir.",
            ) from error
        yield path


def remove_scratch() -> None:
    """Remove the temporary folders of this process, whatever it is doing with them."""
    for folder in _scratch:
        shutil.rmtree(folder, ignore_errors=True)


def worker_start(settings: Settings, log_file: Path, work_dir: Path) -> Callable[[], None]:
    """Return what prepares a process that works on tasks: logging, and where caches go.

    Parameters
    ----------
    settings : Settings
        ``verbosity``.
    log_file : Path
        File that several processes may append to.
    work_dir : Path
        A process on another machine does not inherit the environment that points to it.
    """
    return functools.partial(_start_worker, settings.verbosity, log_file, _cache_folders(work_dir))


def _cache_folders(work_dir: Path) -> dict[str, str]:
    """Return the environment variables that send the caches of libraries to the work folder."""
    return {variable: str(work_dir / folder) for variable, folder in _CACHE_VARIABLES.items()}


def _start_worker(verbosity: int, log_file: Path, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    start_logging(verbosity, log_file)
