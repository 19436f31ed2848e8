"""Every promise of the page on security names tests that exist, and no attack is left out."""

import re
from pathlib import Path


def test_promises_are_held_by_tests_that_exist(repository: Path) -> None:
    page = (repository / "docs/security.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    tests = {row: re.findall(r"`(tests/[\w/.]+)`", row) for row in rows}
    assert [row for row, named in tests.items() if not named] == []
    named = {path for paths in tests.values() for path in paths}
    assert [path for path in named if not (repository / path).is_file()] == []
    attacks = (repository / "tests" / "hostile").glob("test_*.py")
    assert {str(path.relative_to(repository)) for path in attacks} <= named
