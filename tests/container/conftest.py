"""What the tests of the containers share; ``.ci/container`` prepares it and runs them."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.engines import Apptainer, Podman

# A user without any rights, whom the system need not know.
NOBODY_KNOWN = 1234
PLAIN_USER = "myomids-test"

# One participant without sessions and one with; enough for an array of two jobs.
PARTICIPANTS = ("01", "03")


@pytest.fixture(scope="session")
def prepared() -> Path:
    """Folder in which ``.ci/container`` left what it made."""
    folder = os.environ.get("MYOMIDS_CONTAINER_TESTS")
    if not folder:
        pytest.skip("tests of the containers run with .ci/container")
    return Path(folder)


def _need(prepared: Path, tool: str) -> None:
    reason = prepared / "skipped" / tool
    if reason.exists():
        pytest.skip(reason.read_text().strip())


@pytest.fixture(scope="session")
def podman(prepared: Path) -> Podman:
    _need(prepared, "podman")
    return Podman(os.environ["MYOMIDS_IMAGE"])


@pytest.fixture(scope="session")
def engine_socket(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of podman's service, which the Docker SDK talks to."""
    socket = tmp_path_factory.mktemp("engine") / "podman.sock"
    service = subprocess.Popen(["podman", "system", "service", "--time", "0", f"unix://{socket}"])
    yield f"unix://{socket}"
    service.terminate()
    service.wait(timeout=30)


@pytest.fixture(scope="session")
def plain_user() -> str:
    """A user of the system who is not root."""
    try:
        pwd.getpwnam(PLAIN_USER)
    except KeyError:
        subprocess.run(["useradd", "--create-home", PLAIN_USER], check=True)
    return PLAIN_USER


@pytest.fixture(scope="session")
def apptainer(prepared: Path, plain_user: str) -> Iterator[Apptainer]:
    _need(prepared, "apptainer")
    # Plain users mount the image through FUSE.
    device = Path("/dev/fuse")
    mode = device.stat().st_mode
    device.chmod(0o666)
    yield Apptainer(
        prepared / "apptainer" / "bin" / "apptainer", prepared / "myomids.sif", plain_user
    )
    device.chmod(mode)


@pytest.fixture
def slurm(prepared: Path, repository: Path, tmp_path: Path) -> Iterator[Path]:
    """Configuration of a SLURM cluster of this machine."""
    _need(prepared, "slurm")
    script = str(repository / "tests" / "container" / "setup" / "slurm.sh")
    open_to_all(tmp_path)
    folder = tmp_path / "slurm"
    try:
        subprocess.run([script, "up", str(folder)], check=True)
        yield folder / "slurm.conf"
    finally:
        subprocess.run([script, "down", str(folder)], check=True)


@pytest.fixture(scope="session")
def example(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example dataset where every user can read it."""
    folder = tmp_path_factory.mktemp("data") / "bids_example"
    subprocess.run(["cp", "-a", str(repository / "bids_example"), str(folder)], check=True)
    open_to_all(folder)
    return folder


@pytest.fixture(scope="session")
def native(
    prepared: Path, repository: Path, example: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Results of the same participants without any container."""
    out = tmp_path_factory.mktemp("native") / "out"
    run_py = [sys.executable, str(repository / "run.py")]
    arguments = [str(example), str(out), "participant", "--participant-label", *PARTICIPANTS]
    subprocess.run([*run_py, *arguments], check=True)
    return out


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output folder that belongs to a user nobody knows."""
    folder = tmp_path / "out"
    folder.mkdir()
    os.chown(folder, NOBODY_KNOWN, NOBODY_KNOWN)
    return folder


def open_to_all(folder: Path) -> None:
    """Let every user reach a folder below pytest's private one."""
    for parent in [folder, *folder.parents]:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
