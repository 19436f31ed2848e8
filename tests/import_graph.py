"""The modules of this repository and what they import, read from the code without running it."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Import:
    """One import of one of our modules by another, with the place where it is written."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported} (line {self.line})"


def modules_of(root: Path, packages: Iterable[str]) -> dict[str, Path]:
    """Dotted name and file of every module below the packages; a package is named by its folder."""
    files = sorted(file for package in packages for file in (root / package).rglob("*.py"))
    return {_dotted_name(file.relative_to(root)): file for file in files}


def imports_of(modules: Mapping[str, Path]) -> list[Import]:
    """Every import of one of ``modules`` by another, at run time or for types."""
    return [found for name, path in modules.items() for found in _imports_in(name, path, modules)]


def cycles(arrows: Iterable[tuple[str, str]]) -> list[list[str]]:
    """One way round for each place from which arrows lead back to it, shortest first."""
    targets: dict[str, set[str]] = {}
    for start, end in arrows:
        targets.setdefault(start, set()).add(end)
    ways = (_way_back(start, targets) for start in sorted(targets))
    found = sorted((way for way in ways if way), key=len)
    seen: set[frozenset[str]] = set()
    return [way for way in found if not (frozenset(way) in seen or seen.add(frozenset(way)))]


def _way_back(start: str, targets: Mapping[str, set[str]]) -> list[str]:
    """Shortest way from ``start`` along the arrows to itself, or nothing."""
    ways = [[start]]
    reached: set[str] = set()
    for way in ways:
        for end in sorted(targets.get(way[-1], ())):
            if end == start:
                return [*way, start]
            if end not in reached:
                reached.add(end)
                ways.append([*way, end])
    return []


def _dotted_name(path: Path) -> str:
    return ".".join(path.parent.parts if path.name == "__init__.py" else path.with_suffix("").parts)


def _imports_in(name: str, path: Path, modules: Mapping[str, Path]) -> Iterator[Import]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            candidates = [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            candidates = [(f"{base}.{alias.name}", base) for alias in node.names]
        else:
            continue
        for names in candidates:
            imported = next((candidate for candidate in names if candidate in modules), None)
            if imported and imported != name:
                yield Import(name, imported, node.lineno)


def _base(node: ast.ImportFrom, package: str) -> str:
    """Dotted name from which ``from ... import`` takes its names."""
    if not node.level:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])
