"""The tables of options in docs/usage.md."""

import subprocess
import sys
from pathlib import Path

from tools.make_options_table import BEGIN, END, renewed


def test_the_page_is_up_to_date(repository: Path) -> None:
    """After a change of the options, run tools/make_options_table.py and commit what it writes."""
    script = str(repository / "tools" / "make_options_table.py")
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_only_what_stands_between_the_marks_is_written() -> None:
    page = renewed(f"# Usage\n{BEGIN}stale row\n{END}\nmore\n")
    assert page.startswith(f"# Usage\n{BEGIN}\n### What to process\n")
    assert page.endswith(f"|\n\n{END}\nmore\n")
    assert "stale row" not in page
    assert renewed(page) == page


def test_rows_say_spelling_value_level_and_meaning() -> None:
    lines = renewed(BEGIN + END).splitlines()
    for row in (
        "| `-w`, `--work-dir` | WORK_DIR | both "
        "| folder for caches and scratch (default: temporary) |",
        "| `--minimum-samples` | N ≥ 2 | group "
        "| leave diagnoses with fewer samples out of training (default: the profile's, 30) |",
        "| `--erode`, `--no-erode` |  | participant "
        "| read fat fractions from masks eroded by one voxel (default: --erode) |",
        "| `--executor` | `local`, `dask` | both "
        "| run on this machine or on a Dask cluster (default: local) |",
        "| `training:` (only in the file) |  | group "
        "| numbers of the protocol that differ from the profile's, such as trials |",
    ):
        assert row in lines
