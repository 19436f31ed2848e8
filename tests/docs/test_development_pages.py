"""The developers' pages name files and folders that exist, and leave none out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGES = ("docs/development/architecture.md", "docs/dependencies.md", "AGENTS.md", "CONTRIBUTING.md")
# A path: of letters, digits and ._/- with a slash, or a file with one of our endings.
PATH = re.compile(r"[\w./-]*/[\w./-]*|[\w.-]+\.(?:py|md|toml|tsv|json|yaml|txt|in|sh)")


def tree(page: str) -> list[str]:
    """Paths of the tree, put together from its indentation."""
    block = re.search(r"```\n(run\.py.*?)```", page, re.DOTALL)
    assert block
    paths, above = [], []
    for line in block[1].splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [name]
        paths.append("".join(above))
    return paths


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / PAGES[0]).read_text()


def test_the_tree_is_that_of_the_repository(repository: Path, page: str) -> None:
    assert [path for path in tree(page) if not (repository / path).exists()] == []


def test_the_tree_has_every_folder_of_the_code(repository: Path, page: str) -> None:
    packages = {
        f"{file.parent.relative_to(repository).as_posix()}/"
        for top in ("bids_app", "pipelines")
        for file in (repository / top).rglob("__init__.py")
    }
    assert packages - set(tree(page)) == set()


def named_paths(text: str) -> Iterator[str]:
    """Paths in backticks, in the boxes of diagrams, and links."""
    for span in re.findall(r"`([^`\n]+)`", text) + re.findall(r'\["([^"]+)"\]', text):
        for word in span.split():
            if PATH.fullmatch(word := word.strip(",:;()")):
                yield word


@pytest.mark.parametrize("name", PAGES)
def test_every_path_exists(repository: Path, name: str) -> None:
    text = (repository / name).read_text()
    paths = list(named_paths(text))
    assert paths
    assert [path for path in paths if not (repository / path).exists()] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file(repository: Path, name: str) -> None:
    folder = (repository / name).parent
    links = re.findall(r"\]\(([^)#:]+)\)", (repository / name).read_text())
    assert links
    assert [link for link in links if not (folder / link).exists()] == []
