"""Fixtures of the app's tests."""

import os

import pytest


@pytest.fixture
def not_root() -> None:
    """Skip a test that needs a file its user may not read."""
    if os.geteuid() == 0:
        pytest.skip("root reads every file, so a refusal cannot be tested")
