"""Fixtures of the app's tests."""

import contextlib
import logging
import os
from collections.abc import Iterator

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
