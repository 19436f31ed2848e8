"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the working copy."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real scans, which are not part of the repository."""
    path = Path(os.environ.get("MYOMIDS_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real test data at {path}; set MYOMIDS_TEST_DATA to use them")
    return path
