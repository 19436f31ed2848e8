"""A run tells nobody anything: no host is looked up, nothing is written into HOME."""

import json
import os
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

# Python runs this first in every process, workers too.
WATCH = """
import os, socket

def look_up(*arguments, **options):
    with open(os.environ["LOOK_UPS"], "a") as file:
        print(arguments, file=file)
    raise OSError("no network here")

def connect(self, address, plain=socket.socket.connect):
    return plain(self, address) if self.family == socket.AF_UNIX else look_up(address)

socket.getaddrinfo = socket.gethostbyname = socket.create_connection = look_up
socket.socket.connect = connect
"""
# What would send caches elsewhere than HOME, or silence openvino-telemetry by itself: it holds its
# tongue on machines that say they build software.
DROPPED = (
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TORCH_HOME"),
    *("CI", "TF_BUILD", "JENKINS_URL"),
)


class WatchedHome:
    def __init__(self, folder: Path, repository: Path) -> None:
        self.home, self.look_ups = folder / "home", folder / "look_ups"
        self._repository, watch = repository, folder / "watch"
        self.home.mkdir()
        watch.mkdir()
        (watch / "sitecustomize.py").write_text(WATCH)
        self._environment = {k: v for k, v in os.environ.items() if k not in DROPPED} | {
            "HOME": str(self.home),
            "LOOK_UPS": str(self.look_ups),
            "PYTHONPATH": str(watch),
        }

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self._repository,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def watched(tmp_path: Path, repository: Path) -> WatchedHome:
    return WatchedHome(tmp_path, repository)


def test_both_levels_are_silent(watched: WatchedHome, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("run.py", "bids_example", str(out))
    for level in ("participant", "group"):
        done = watched.python(*command, level, "--participant-label", "01", "--device", "cpu")
        assert done.returncode == 0, done.stderr
    sidecar = json.loads(next(out.rglob("*_desc-muscles_dseg.json")).read_text())
    assert sidecar["SegmentationSettings"]["Backend"] == "openvino"
    assert list(watched.home.iterdir()) == []
    assert not watched.look_ups.exists()


def test_the_watch_sees_what_openvino_does_by_itself(watched: WatchedHome) -> None:
    if "openvino_telemetry" not in packages_distributions():
        pytest.skip("the package that reports is not installed")
    assert watched.python("-c", "import openvino").returncode == 0
    assert list(watched.home.iterdir()) != []
    assert watched.look_ups.exists()
