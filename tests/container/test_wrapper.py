"""``myomids-docker`` against a real engine."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bids_app.errors import ExitCode
from bids_app.version import __version__
from bids_app.wrapper.command import main
from tests.bids_app.small_dataset import make_dataset, make_label_maps
from tests.container.comparison import assert_same_results
from tests.container.conftest import NOBODY_KNOWN, open_to_all
from tests.container.engines import Podman


@pytest.fixture
def engine(podman: Podman, engine_socket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service for the Docker SDK, with the image under its usual name."""
    monkeypatch.setenv("DOCKER_HOST", engine_socket)
    subprocess.run(
        ["podman", "tag", podman.image, f"docker.io/library/myomids:{__version__}"], check=True
    )


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small dataset with label maps, for a caller who is not root."""
    make_dataset(tmp_path / "in")
    make_label_maps(tmp_path / "truth")
    open_to_all(tmp_path)
    for name in ("results", "work"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, NOBODY_KNOWN, NOBODY_KNOWN)
    monkeypatch.setattr(os, "getuid", lambda: NOBODY_KNOWN)
    monkeypatch.setattr(os, "getgid", lambda: NOBODY_KNOWN)
    monkeypatch.setattr(os, "getgroups", lambda: [NOBODY_KNOWN])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_same_command_line_gives_the_same_results(
    engine: None, folders: Path, repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels = folders / "labels.txt"
    labels.write_text("sub-01\n")
    config = folders / "myomids.yaml"
    config.write_text(f"derivatives:\n  truth: {folders / 'truth'}\n")
    arguments = ["participant", "--participant-label", f"@{labels}", "--config-file", str(config)]
    run_py = [sys.executable, str(repository / "run.py")]
    subprocess.run([*run_py, "in", "expected", *arguments], check=True)
    capfd.readouterr()
    assert main(["in", "results", *arguments, "-w", "work"]) == ExitCode.OK
    assert_same_results(folders / "results", folders / "expected", "01")
    owners = {path.stat().st_uid for path in (folders / "results").rglob("*")}
    assert owners == {NOBODY_KNOWN}
    # Messages name the folders of the caller.
    assert f"log: {folders}/results/logs/run-" in capfd.readouterr().err


def test_the_exit_code_is_that_of_the_app(
    engine: None, folders: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = main(["in", "results", "participant", "--participant-label", "77", "-w", "work"])
    assert code == ExitCode.NOTHING_SELECTED
    assert "has no participant(s) 77" in capfd.readouterr().err


def test_output_goes_where_it_belongs(
    engine: None, folders: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--list", "muscles", "--json"]) == ExitCode.OK
    printed = capfd.readouterr()
    assert printed.out.startswith("[\n")
    assert printed.err == ""


def test_missing_image(engine: None, folders: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["in", "results", "participant", "--image", "localhost/no-such-image:1"])
    assert code == ExitCode.UNAVAILABLE
    assert "The engine has no image 'localhost/no-such-image:1'" in capfd.readouterr().err


def test_an_interrupt_reaches_the_app(engine: None, example: Path, tmp_path: Path) -> None:
    """SIGTERM, as a batch system sends it: the app says that it was interrupted."""
    command = [
        sys.executable,
        "-m",
        "bids_app.wrapper.command",
        str(example),
        str(tmp_path / "out"),
    ]
    run = subprocess.Popen([*command, "participant"], stderr=subprocess.PIPE, text=True)
    assert run.stderr is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(run.stderr or ()))
    reader.start()
    deadline = time.monotonic() + 90
    while not (tmp_path / "out" / "logs" / "locks").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    run.terminate()
    assert run.wait(timeout=60) == ExitCode.TRY_AGAIN
    reader.join()
    assert any("exit code 75" in line for line in lines)
