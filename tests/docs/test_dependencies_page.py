"""Every direct dependency has a line in ``docs/dependencies.md``, and every line a dependency."""

import re
from pathlib import Path


def listed(page: str) -> set[str]:
    """Packages named in the first column of the first table."""
    table = page.split("## Sizes", maxsplit=1)[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")][1:]
    return {
        name.strip().casefold()
        for cell in cells
        for name in re.sub(r"\(.*?\)", "", cell).split(",")
    }


def test_page_and_requirements_name_the_same_packages(repository: Path) -> None:
    required = {
        re.split(r"[<>=\s]", line)[0].casefold()
        for path in (repository / "requirements").glob("*.in")
        for line in path.read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert listed((repository / "docs/dependencies.md").read_text()) == required
