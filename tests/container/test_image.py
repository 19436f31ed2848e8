"""The image of the Dockerfile, under podman."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bids_app.errors import ExitCode
from bids_app.version import __version__
from tests.bids_app.golden import group_files
from tests.container.comparison import (
    assert_same_results,
    assert_same_table,
    complaints,
    tree,
)
from tests.container.conftest import NOBODY_KNOWN, PARTICIPANTS
from tests.container.engines import Podman

MOST_GB = 2.5


def test_size_labels_and_version(podman: Podman) -> None:
    assert int(podman.inspect("{{.Size}}")) < MOST_GB * 1e9
    labels = json.loads(podman.inspect("{{json .Labels}}"))
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}version"] == __version__
    assert labels[f"{prefix}licenses"] == "Apache-2.0"
    assert labels[f"{prefix}revision"] not in ("", "unknown")
    assert (
        podman.shell("cat /version; myomids --version") == f"{__version__}\nMyoMIDS {__version__}"
    )


def test_nothing_needless_and_nothing_private_inside(podman: Podman) -> None:
    """No test suites, no installer, no Git data, no files that only root can read."""
    found = podman.shell(
        "find /opt -name .git -o -name pip -o -path '*/torch/include' -o -path '*/pandas/tests';"
        "find /opt /home ! -type l ! -perm -o=r"
    )
    assert found == ""


def test_weights_are_checked(podman: Podman) -> None:
    """The check that runs in the build passes, and fails after one byte has changed."""
    checked = podman.shell("/opt/venv/bin/python /opt/myomids/container/check_installation.py")
    assert checked.startswith("thigh11 ")
    damaged = podman.shell(
        "cd /opt/myomids/pipelines/segmentation/models/thigh11/fold_0;"
        "printf X | dd of=checkpoint_final.pth bs=1 seek=5000 conv=notrunc status=none;"
        "/opt/venv/bin/python /opt/myomids/container/check_installation.py 2>&1 || echo code $?"
    )
    assert "checkpoint_final.pth is not the file registered for model thigh11" in damaged
    assert damaged.endswith("code 1")


def test_other_processes_find_the_app(podman: Podman) -> None:
    """A Dask worker imports it, wherever it was started."""
    assert podman.shell("cd /tmp && dask --version").startswith("dask, version")
    assert podman.shell("cd / && python -c 'import bids_app.participant.session; print(1)'") == "1"


def test_participant_level_under_every_constraint(
    podman: Podman, native: Path, example: Path, output: Path, repository: Path
) -> None:
    """As nobody, without network, rights or a writable system: the same results as natively."""
    before = tree(example)
    arguments = ["/data", "/out", "participant", "--participant-label", *PARTICIPANTS]
    mounts = {example: "/data:ro", output: "/out"}
    done = podman.strict(arguments, mounts, user=NOBODY_KNOWN)
    assert done.returncode == ExitCode.OK, done.stderr
    assert complaints(done.stderr) == []
    assert tree(example) == before
    for participant in PARTICIPANTS:
        assert_same_results(output, native, participant)
    golden = (repository / "tests" / "bids_app" / "golden_files.txt").read_text().split()
    assert [n for n in tree(output) if PARTICIPANTS[1] not in n] == golden
    owners = {(p.stat().st_uid, p.stat().st_gid) for p in output.rglob("*")}
    assert owners == {(NOBODY_KNOWN, NOBODY_KNOWN)}
    (software,) = json.loads((output / "dataset_description.json").read_text())["GeneratedBy"]
    assert software["Container"] == {"Type": "docker", "Tag": f"myomids:{__version__}"}


def test_group_level_under_every_constraint(
    podman: Podman, native: Path, example: Path, output: Path, repository: Path
) -> None:
    expected = output.with_name("expected")
    for copy in (expected, output):
        shutil.copytree(native, copy, dirs_exist_ok=True)
    for path in output.rglob("*"):
        os.chown(path, NOBODY_KNOWN, NOBODY_KNOWN)
    run_py = [sys.executable, str(repository / "run.py")]
    subprocess.run([*run_py, str(example), str(expected), "group"], check=True)
    mounts = {example: "/data:ro", output: "/out"}
    done = podman.strict(["/data", "/out", "group"], mounts, user=NOBODY_KNOWN)
    assert done.returncode == ExitCode.OK, done.stderr
    assert tree(output) == tree(expected)
    # So few are not audited.
    gathered = {name for name in group_files("gather") if "audit" not in name}
    # What only results of our own have.
    judged = {"group_quality.tsv", "group_quality.json", "quality_verdicts_template.tsv"}
    assert set(tree(output)) == set(tree(native)) | gathered | judged
    tables = sorted(expected.glob("group_*.tsv"))
    assert expected / "group_muscles.tsv" in tables
    for table in tables:
        assert_same_table(output / table.name, table)


def test_packages_of_the_host_do_not_leak_in(podman: Podman, tmp_path: Path) -> None:
    """A broken package on PYTHONPATH, or one in the home folder, is not used."""
    (tmp_path / "argparse.py").write_text("raise SystemExit('leaked')")
    done = podman.strict(
        ["--version"], {tmp_path: "/leak:ro"}, user=NOBODY_KNOWN, options=["--env=PYTHONPATH=/leak"]
    )
    assert (done.returncode, done.stdout) == (0, f"MyoMIDS {__version__}\n")


def test_read_only_output(podman: Podman, example: Path, output: Path) -> None:
    arguments = ["/data", "/out", "participant", "--participant-label", "01"]
    mounts = {example: "/data:ro", output: "/out:ro"}
    done = podman.strict(arguments, mounts, user=NOBODY_KNOWN)
    assert done.returncode == ExitCode.CANNOT_CREATE
    assert "/out" in done.stderr
    assert list(output.iterdir()) == []


def test_stopping_ends_in_good_order(podman: Podman, example: Path, output: Path) -> None:
    """`docker stop` is an interrupt: code 75, nothing half-written."""
    name = f"myomids-stop-{os.getpid()}"
    command = ["podman", "run", "--rm", "--name", name, f"--user={NOBODY_KNOWN}:{NOBODY_KNOWN}"]
    mounts = [f"--volume={example}:/data:ro", f"--volume={output}:/out"]
    arguments = ["/data", "/out", "participant", "--participant-label", "01"]
    run = subprocess.Popen([*command, *mounts, podman.image, *arguments])
    deadline = time.monotonic() + 60
    while not (output / "logs" / "locks").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    subprocess.run(["podman", "stop", "--time", "60", name], check=True, capture_output=True)
    assert run.wait(timeout=60) == ExitCode.TRY_AGAIN
    assert not list(output.glob("sub-*"))


@pytest.mark.parametrize("arguments", [["--help"], ["--list", "models"]])
def test_questions_need_no_folders(podman: Podman, arguments: list[str]) -> None:
    assert podman.strict(arguments, {}, user=NOBODY_KNOWN).returncode == ExitCode.OK
