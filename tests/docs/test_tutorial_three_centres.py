"""The tutorial: its commands are run as they stand, and print what the page shows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path("docs") / "tutorial-three-centres.md"
EXAMPLE = Path("docs") / "examples" / "three-centres"
_BLOCK = re.compile(r"```bash\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
_EXIT_CODE = re.compile(r"exit code (\d+) \(")


@pytest.fixture(scope="module")
def folder(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands find what they name, and write beside it."""
    root = tmp_path_factory.mktemp("tutorial")
    for name in ("docs", "run.py"):
        (root / name).symlink_to(repository / name)
    (root / ".venv" / "bin").mkdir(parents=True)
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return root


def test_commands_print_what_the_page_shows(repository: Path, folder: Path) -> None:
    page = (repository / PAGE).read_text(encoding="utf-8")
    blocks = _BLOCK.findall(page)
    assert len(blocks) == page.count("```bash") == page.count("```text") > 6
    for commands, shown in blocks:
        done = subprocess.run(
            ["bash", "-e", "-c", commands], cwd=folder, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        codes = _EXIT_CODE.findall(shown)
        assert done.returncode == (int(codes[0]) if codes else 0), said
        lines = said.splitlines()
        assert not [line for line in shown.splitlines() if line not in lines], said
    results = folder / "three_centres"
    assert "simulated patients" in (results / "models" / "three" / "MODEL_CARD.md").read_text()
    header, *rows = (folder / "three_centres_new" / "group_diagnosis.tsv").read_text().splitlines()
    rank, diagnosis = (header.split("\t").index(name) for name in ("rank", "diagnosis"))
    first = [row.split("\t")[diagnosis] for row in rows if row.split("\t")[rank] == "1"]
    assert first == ["SMA", "FSHD"]  # what make_files.py drew them from


def test_the_files_are_those_that_the_program_makes(repository: Path, tmp_path: Path) -> None:
    script = repository / EXAMPLE / "make_files.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*sv")}
    made |= {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert len(made) == 18
    for path, content in made.items():
        assert (repository / EXAMPLE / path).read_bytes() == content, path
