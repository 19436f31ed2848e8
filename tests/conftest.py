"""Fixtures that several test modules share."""

import os
import signal
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def signals_of_a_terminal() -> None:
    """Tests, and programs that they start, find signals as in a terminal, whatever came before.

    What runs it (``nohup``, a job in the background) may ignore them, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the working copy."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real scans, which are not part of the repository."""
    named = os.environ.get("MYOMIDS_TEST_DATA")
    if not named:
        pytest.skip("needs real scans; MYOMIDS_TEST_DATA names no folder")
    path = Path(named)
    assert path.is_dir(), f"MYOMIDS_TEST_DATA names {path}, which is no folder"
    return path


@pytest.fixture(scope="session")
def shared_cases(shared_data: Path) -> Path:
    """Folder of inputs made after public reports, beside the real scans."""
    path = shared_data.parent / "cases"
    if not path.is_dir():
        pytest.skip(f"there are no cases at {path}")
    return path
