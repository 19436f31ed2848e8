"""Inputs that attack, in tables: what is read, and the exit code and words that are promised.

A row is one :class:`Attack`. Its input is written into an empty folder and read by the function
that a run reads it with; nothing here runs a whole session. ``docs/security.md`` says what is
promised.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bids_app.errors import AppError, ExitCode, as_app_errors

# What an attack that runs code would leave in the folder, or where the tests run.
CANARY = "executed"


@dataclass(frozen=True)
class Attack:
    """One row.

    Attributes
    ----------
    name : str
        What is tried, in words.
    read : callable
        Writes the input into an empty folder, reads it, and returns what came of it.
    code : ExitCode
        What a run would end with; ``OK`` if the input is made harmless.
    text : str
        Regular expression found in message and hint, or, with ``OK``, in what was returned.
    """

    name: str
    read: Callable[[Path], object]
    code: ExitCode
    text: str

    def check(self, folder: Path) -> None:
        """Fail if the promise is not kept."""
        try:
            with as_app_errors():
                code, said = ExitCode.OK, str(self.read(folder))
        except AppError as error:
            code, said = error.exit_code, f"{error.message} {error.hint}"
        assert not [*folder.rglob(CANARY), *Path().glob(CANARY)], "code of the input was run"
        assert (code, bool(re.search(self.text, said))) == (self.code, True), (code, said)


def table(attacks: Iterable[Attack]) -> Any:
    """Make a test of every row."""
    return pytest.mark.parametrize("attack", list(attacks), ids=lambda attack: attack.name)
