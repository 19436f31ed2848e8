"""Homes, folders and streams that are missing, damaged or full: the right code, no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from bids_app.errors import ExitCode
from tests.bids_app.mids_tree import make_tree, water_and_fat

BROKEN = "{broken"

# What the shell does with the command "$@" of a dry run, the code, and the last line of stderr.
RUNS: list[tuple[str, str, ExitCode, str]] = [
    ("damaged settings of pybids in HOME", 'HOME="$PWD/home" "$@"', ExitCode.OK, ""),
    ("settings of pybids that are a pipe", 'HOME="$PWD/pipe" "$@"', ExitCode.OK, ""),
    ("damaged settings here and by name", 'cd home; PYBIDS_CONFIG=$PWD/p "$@"', ExitCode.OK, ""),
    ("no HOME", 'env -u HOME "$@"', ExitCode.OK, ""),
    ("a current folder that is gone", 'mkdir x; cd x; rmdir "$PWD"; "$@"', ExitCode.OK, ""),
    ("no standard error", '"$@" 2>&-', ExitCode.OK, ""),
    ("no standard stream at all", '"$@" <&- >&- 2>&-', ExitCode.OK, ""),
    ("output that nobody reads", '"$@" | true; exit ${PIPESTATUS[0]}', ExitCode.OK, ""),
    (
        "output to a full disk",
        '"$@" >/dev/full',
        ExitCode.IO_FAILURE,
        "myomids: exit code 74 (IO_FAILURE)",
    ),
    ("errors to a full disk", '"$@" --model-registry=no 2>/dev/full', ExitCode.UNAVAILABLE, ""),
    (
        "errors that nobody reads",
        '"$@" --bids-filter-file=no 2>&1 | true; exit ${PIPESTATUS[0]}',
        ExitCode.INPUT_MISSING,
        "",
    ),
]


@pytest.mark.parametrize("row", RUNS, ids=[row[0] for row in RUNS])
def test_surroundings(
    row: tuple[str, str, ExitCode, str], tmp_path: Path, repository: Path
) -> None:
    _, how, code, last = row
    if "/dev/full" in how and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    make_tree(tmp_path / "in", water_and_fat("sub-01/mr-quant/sub-01"))
    for home in ("home", "pipe"):
        (tmp_path / home).mkdir()
    (tmp_path / "home" / "pybids_config.json").write_text(BROKEN)
    (tmp_path / "home" / "p").write_text(BROKEN)
    subprocess.run(["mkfifo", tmp_path / "pipe" / "pybids_config.json"], check=True)
    run = [sys.executable, repository / "run.py", tmp_path / "in", tmp_path / "out"]
    done = subprocess.run(
        ["bash", "-c", how, "bash", *map(str, run), "participant", "--dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1:] == ([last] if last else [])
