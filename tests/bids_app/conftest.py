"""Fixtures of the app's tests."""

import contextlib
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@pytest.fixture
def not_root() -> None:
    """Skip a test that needs a file its user may not read."""
    if os.geteuid() == 0:
        pytest.skip("root reads every file, so a refusal cannot be tested")


@pytest.fixture(autouse=True)
def close_log_files() -> Iterator[None]:
    """Let no test write to the log file of an earlier one, whose folder may be gone."""
    yield
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.FileHandler):
            root.removeHandler(handler)
            with contextlib.suppress(OSError):
                handler.close()


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[None]:
    command = ["mount", "-t", "tmpfs", "-o", options, "myomids-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.splitlines()[0]}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with _mounted(folder, "size=1m"):
        yield folder


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that cannot be written to."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with _mounted(folder, "size=1m,ro"):
        yield folder


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of simulated studies; see small_training."""
    from tests.bids_app.small_training import write_cohort

    return write_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def trained(cohort: Path, repository: Path) -> Path:
    """Output of a training that was interrupted, killed and run again; see small_training."""
    from tests.bids_app.small_training import train_interrupted

    return train_interrupted(cohort, repository)
