"""The wheel, in a clean environment without torch, does what the checkout does.

``.ci/wheel`` builds, installs and runs them.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bids_app.version import __version__

MAX_WHEEL_BYTES = 45_000_000
MAX_ENVIRONMENT_BYTES = 1_500_000_000
PARTICIPANTS = ("01", "03")


def required(variable):
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip("tests of the wheel run with .ci/wheel")
    return Path(folder)


@pytest.fixture(scope="session")
def dist():
    return required("MYOMIDS_WHEEL_DIST")


@pytest.fixture(scope="session")
def environment():
    return required("MYOMIDS_WHEEL_VENV")


@pytest.fixture(scope="session")
def away(tmp_path_factory):
    """A folder outside the checkout with a copy of the phantom."""
    folder = tmp_path_factory.mktemp("away")
    example = Path(__file__).parents[2] / "bids_example"
    shutil.copytree(example, folder / "phantom", ignore=shutil.ignore_patterns("code"))
    return folder


def run(command, cwd):
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )


def both_levels(door, cwd, output):
    for level in (["participant", "--participant-label", *PARTICIPANTS], ["group"]):
        done = run([*door, cwd / "phantom", output, *level], cwd)
        assert done.returncode == 0, done.stderr
    return {path.relative_to(output): path.read_bytes() for path in output.rglob("*.tsv")}


def test_sizes(dist, environment):
    assert next(dist.glob("*.whl")).stat().st_size < MAX_WHEEL_BYTES
    files = (path for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    assert sum(path.stat().st_size for path in files) < MAX_ENVIRONMENT_BYTES


def test_every_file_of_the_packages_is_inside(dist, repository):
    names = set(zipfile.ZipFile(next(dist.glob("*.whl"))).namelist())
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    tracked = run(["git", "ls-files", "bids_app", "pipelines"], repository).stdout.split()
    assert tracked
    assert not set(tracked) - names
    assert not set(tracked) - source
    assert {name.split("/")[0] for name in names} == {
        "bids_app",
        "pipelines",
        f"myomids-{__version__}.dist-info",
    }


def test_all_doors_are_one(environment, away):
    expected = f"MyoMIDS {__version__}"
    for door in (["bin/myomids"], ["bin/python", "-m", "bids_app"]):
        done = run([environment / door[0], *door[1:], "--version"], away)
        assert (done.returncode, done.stdout.strip()) == (0, expected)


def test_both_levels_give_the_tables_of_the_checkout(environment, away, repository):
    here = both_levels([sys.executable, repository / "run.py"], away, away / "from_checkout")
    there = both_levels([environment / "bin/myomids"], away, away / "from_wheel")
    assert there.keys() == here.keys()
    assert {name.name for name in there} >= {"group_scores.tsv", "sub-01_desc-muscles_stats.tsv"}
    for name in here:
        assert there[name] == here[name], name
    assert {path.name for path in (away / "from_wheel").glob("*.html")} == {
        "group.html",
        *(f"sub-{label}.html" for label in PARTICIPANTS),
    }


def test_what_needs_torch_names_the_extra(environment, away):
    command = [environment / "bin/myomids", away / "phantom", away / "gpu", "participant"]
    done = run([*command, "--device", "cuda"], away)
    assert done.returncode == 69
    assert "Device cuda needs torch and nnunetv2, which are not installed." in done.stderr
    assert "pip install 'myomids[nnunet]'" in done.stderr
