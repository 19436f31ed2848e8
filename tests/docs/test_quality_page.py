"""The page of quality checks names every check of the code, and no other."""

import ast
import re
from pathlib import Path

from pipelines.quality import spoils_numbers


def checks_in_code(repository: Path) -> set[str]:
    """Return the first argument of every ``Check(...)``, constants resolved in their module."""
    found = set()
    for folder in ("pipelines", "bids_app"):
        for path in (repository / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            constants = {
                target.id: node.value.value
                for node in tree.body
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for node in ast.walk(tree):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                    continue
                if node.func.id != "Check" or not node.args:
                    continue
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    found.add(name.value)
                elif isinstance(name, ast.Name) and name.id in constants:
                    found.add(constants[name.id])
    return found


# Made by helpers that are given the name: quality.check_voxels and plausibility's counts,
# name_claims' comparison.
GIVEN_NAMES = {
    "non_finite",
    "negative",
    "saturated",
    "absent_muscles",
    "muscle_position",
    "muscle_volume",
    "name_side",
    "name_body_part",
}


def test_every_check_has_a_row(repository: Path) -> None:
    page = (repository / "docs" / "quality.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    listed = {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}
    assert listed == checks_in_code(repository) | GIVEN_NAMES


def test_the_page_says_what_every_failure_does(repository: Path) -> None:
    page = (repository / "docs" / "quality.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| `")]
    told = 0
    for names, _, _, fails, effect, _ in rows:
        does = effect.strip()
        assert (fails.strip() == "–") == (does == "–"), names
        for name in re.findall(r"`(\w+)`", names) if does != "–" else ():
            assert does.startswith("left out: " if spoils_numbers(name) else "stays: "), name
            told += 1
    assert told >= 9
