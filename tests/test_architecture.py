"""The rules of the house: who may import whom, and what modules look like.

``LAYERS`` is the house from the ground up. A module imports its own room and rooms of lower rows,
never one beside it or above. A file directly in ``bids_app/`` or ``pipelines/`` is its own room.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.import_graph import Import, cycles, imports_of, modules_of

LAYERS = (
    (
        "pipelines.arrays",
        "pipelines.errors",
        "pipelines.files",
        "pipelines.progress",
        "pipelines.sidecar_fields",
    ),
    ("pipelines.package_data", "pipelines.text_table"),
    ("pipelines.columns", "pipelines.geometry", "pipelines.quality"),
    ("pipelines.anatomy",),
    ("pipelines.water_fat",),
    ("pipelines.segmentation", "pipelines.quantification", "pipelines.harmonization"),
    ("pipelines.diagnosis",),
    ("bids_app.errors", "bids_app.limits", "bids_app.session_id", "bids_app.version"),
    ("bids_app.options",),
    ("bids_app.files",),
    ("bids_app.dataset", "bids_app.running"),
    ("bids_app.reports",),
    ("bids_app.evaluation", "bids_app.group"),
    ("bids_app.participant",),
    ("bids_app.cli",),
    ("bids_app.door",),
    ("bids_app.wrapper", "bids_app.__main__"),
)
ANATOMY_HELPERS = {
    "pipelines.arrays",
    "pipelines.errors",
    "pipelines.files",
    "pipelines.package_data",
    "pipelines.text_table",
}
# Folders that make models and data ahead of their use, and who may import them.
MADE_AHEAD = {
    "pipelines.diagnosis.simulation": ("bids_app.reports", "bids_app.files"),
    "pipelines.segmentation.synthesis": ("pipelines.segmentation.training",),
    "pipelines.segmentation.training": (),
}
MOST_LINES = 350
SAME_NAME_IN_SEVERAL = {"main"}

ROOT = Path(__file__).resolve().parents[1]
MODULES = modules_of(ROOT, ("bids_app", "pipelines"))
IMPORTS = imports_of(MODULES)
ROW = {room: row for row, rooms in enumerate(LAYERS) for room in rooms}


def folder_of(module: str) -> str:
    """The folder of a module; files directly in bids_app/ and pipelines/ count one by one."""
    if MODULES[module].name == "__init__.py" or module.count(".") == 1:
        return module
    return module.rpartition(".")[0]


def room_of(module: str) -> str:
    """The entry of ``LAYERS`` to which a module belongs."""
    return ".".join(module.split(".")[:2])


def test_no_modules_import_each_other_in_a_circle() -> None:
    found = cycles((one.importer, one.imported) for one in IMPORTS)
    assert not found, "\n".join(" -> ".join(way) for way in found)


def test_no_folders_import_each_other_in_a_circle() -> None:
    arrows: dict[tuple[str, str], list[Import]] = defaultdict(list)
    for one in IMPORTS:
        if folder_of(one.importer) != folder_of(one.imported):
            arrows[folder_of(one.importer), folder_of(one.imported)].append(one)
    found = [
        f"{' -> '.join(way)}: " + "; ".join(str(arrows[arrow][0]) for arrow in pairwise(way))
        for way in cycles(arrows)
    ]
    assert not found, "\n".join(found)


def test_every_room_stands_in_the_layers() -> None:
    rooms = {room_of(module) for module in MODULES if "." in module}
    assert rooms == set(ROW)


def test_arrows_lead_down() -> None:
    wrong = [
        str(one)
        for one in IMPORTS
        if room_of(one.importer) != room_of(one.imported)
        and ROW[room_of(one.imported)] >= ROW[room_of(one.importer)]
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_not_installed_is_not_imported() -> None:
    outside = re.compile(
        r"^\s*(?:from|import)\s+(tools|tests|benchmarks|bids_example)\b", re.MULTILINE
    )
    wrong = [name for name, path in MODULES.items() if outside.search(path.read_text())]
    assert not wrong


def test_openvino_is_imported_in_the_one_place_that_silences_it() -> None:
    imported = re.compile(r"^\s*(?:from|import) openvino\b", re.MULTILINE)
    found = {name for name, path in MODULES.items() if imported.search(path.read_text())}
    folder = "pipelines.segmentation.inference"
    # Its front end, where the conversion needs it, is imported after the silenced package.
    assert found == {f"{folder}.openvino_runtime", f"{folder}.openvino_conversion"}


@pytest.mark.parametrize("folder", MADE_AHEAD)
def test_what_makes_models_is_not_needed_to_use_them(folder: str) -> None:
    wrong = [
        str(one)
        for one in IMPORTS
        if one.imported.startswith(f"{folder}.")
        and not one.importer.startswith((folder, *MADE_AHEAD[folder]))
    ]
    assert not wrong, "\n".join(wrong)


def test_anatomy_needs_top_level_helpers_only() -> None:
    wrong = [
        str(one)
        for one in IMPORTS
        if room_of(one.importer) == "pipelines.anatomy" != room_of(one.imported)
        and one.imported not in ANATOMY_HELPERS
    ]
    assert not wrong, "\n".join(wrong)


def test_the_door_opens_the_command_line_only() -> None:
    door = imports_of({"run": ROOT / "run.py", **MODULES})
    assert [one.imported for one in door if one.importer == "run"] == ["bids_app.door"]
    behind = {one.imported for one in door if one.importer == "bids_app.door"}
    assert behind == {"bids_app.cli", "bids_app.running.signals"}


def test_a_public_name_stands_for_one_thing() -> None:
    places = defaultdict(list)
    for module, path in MODULES.items():
        for name in public_names(path):
            places[name].append(module)
    twice = {
        name: modules
        for name, modules in places.items()
        if len(modules) > 1 and name not in SAME_NAME_IN_SEVERAL
    }
    assert not twice


def public_names(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node.name


def test_modules_stay_short() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    longer = {name: length for name, length in lengths.items() if length > MOST_LINES}
    assert not longer


def test_every_folder_is_a_package_that_says_what_it_is_for() -> None:
    folders = {path.parent for path in MODULES.values()}
    undescribed = [
        str(folder.relative_to(ROOT))
        for folder in sorted(folders)
        if not (folder / "__init__.py").is_file()
        or not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert not undescribed


def test_tests_stand_in_the_folders_of_the_code() -> None:
    folders = {
        path.parent.relative_to(ROOT / "tests")
        for top in ("bids_app", "pipelines")
        for path in (ROOT / "tests" / top).rglob("test_*.py")
    }
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder).is_dir()] == []


class TestImportGraph:
    @pytest.fixture
    def found(self, tmp_path: Path) -> list[Import]:
        """Imports of a small package in every way Python knows."""
        package = tmp_path / "house"
        (package / "room").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "room" / "__init__.py").write_text("from . import table\n")
        (package / "room" / "table.py").write_text(
            "import house.door\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from ..lamp import Light\n"
        )
        (package / "lamp.py").write_text("def switch():\n    from house.room.table import legs\n")
        (package / "door.py").write_text("import json\nfrom house import lamp, missing\n")
        return imports_of(modules_of(tmp_path, ["house"]))

    def test_every_kind_of_import_is_found(self, found: list[Import]) -> None:
        assert set(found) == {
            Import("house.room", "house.room.table", 1),
            Import("house.room.table", "house.door", 1),
            Import("house.room.table", "house.lamp", 4),
            Import("house.lamp", "house.room.table", 2),
            Import("house.door", "house.lamp", 2),
            Import("house.door", "house", 2),
        }

    def test_circles_are_found_once_each(self, found: list[Import]) -> None:
        assert cycles((one.importer, one.imported) for one in found) == [
            ["house.lamp", "house.room.table", "house.lamp"],
            ["house.door", "house.lamp", "house.room.table", "house.door"],
        ]

    def test_no_circle_in_a_straight_line(self) -> None:
        assert cycles([("a", "b"), ("b", "c"), ("a", "c")]) == []
