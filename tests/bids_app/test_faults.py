"""What goes wrong around a run: killed workers, killed runs, races, disks that fail.

After each fault the same command is given again: it must complete, and nothing may be lost or
half-written.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from bids_app.errors import ExitCode
from bids_app.files.result_writer import session_writer
from bids_app.session_id import SessionId
from tests.bids_app.small_dataset import make_dataset, make_label_maps

PARTICIPANTS = ("01", "02", "03")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    make_label_maps(tmp_path / "truth", PARTICIPANTS)
    return make_dataset(tmp_path / "in", PARTICIPANTS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def start(dataset: Path, out: Path, tmp_path: Path, repository: Path) -> Iterator[Start]:
    """Start runs as processes of their own; none outlives the test."""
    runs: list[subprocess.Popen[str]] = []

    def call(
        *options: str, output: Path = out, scratch: Path | None = None
    ) -> "subprocess.Popen[str]":
        command = [sys.executable, str(repository / "run.py"), str(dataset), str(output)]
        maps = ["--derivatives", f"truth={tmp_path / 'truth'}"]
        run = subprocess.Popen(
            [*command, "participant", *maps, *options],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=None if scratch is None else {**os.environ, "TMPDIR": str(scratch)},
        )
        runs.append(run)
        return run

    yield call
    for run in runs:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def finish(run: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wait for a run and return its exit code and what it said."""
    _, said = run.communicate(timeout=120)
    return run.returncode, said


def complete(out: Path) -> list[str]:
    """Return the sessions that have a marker."""
    return sorted(p.stem for p in (out / "logs" / "complete").glob("*.json"))


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def assert_whole(out: Path) -> None:
    """See that every session has its marker and its table, and nothing unfinished is left."""
    assert complete(out) == [f"sub-{p}" for p in PARTICIPANTS]
    for participant in PARTICIPANTS:
        folder = out / f"sub-{participant}" / "mr-quant"
        table = pd.read_table(folder / f"sub-{participant}_desc-muscles_stats.tsv")
        assert (table["level"] == "muscle").sum() == 4
    assert not list((out / "logs").glob("staging/*"))
    assert not list((out / "logs").glob("moving/*"))
    assert not list((out / "logs").glob("failed/*"))


def workers_of(run: "subprocess.Popen[str]") -> list[psutil.Process]:
    """Return the processes that work on sessions."""
    try:
        children = psutil.Process(run.pid).children()
        return [c for c in children if "spawn_main" in " ".join(c.cmdline())]
    except psutil.NoSuchProcess:
        return []


def test_a_killed_worker_costs_no_session(start: Start, out: Path) -> None:
    run = start("--nprocs", "2", "--mem", "100GB")
    wait_until(lambda: complete(out))
    workers_of(run)[0].kill()
    code, said = finish(run)
    assert code == ExitCode.OK, said
    assert_whole(out)


# Python runs it when it starts.
_DIES = """
import os, signal, sys

def hook(event, args):
    if event == "open" and str(args[0]).endswith("sub-02_FAT.nii.gz"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
"""


def test_a_session_that_kills_its_process_costs_no_other(
    start: Start, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As memory that runs out does, twice."""
    (out.parent / "sitecustomize.py").write_text(_DIES)
    monkeypatch.setenv("PYTHONPATH", str(out.parent))
    code, said = finish(start())
    monkeypatch.undo()
    assert code == ExitCode.PARTIAL, said
    assert complete(out) == ["sub-01", "sub-03"]
    reason = json.loads((out / "logs" / "failed" / "sub-02.json").read_text())
    assert reason["ExitCodeName"] == "TRY_AGAIN"
    assert "probably memory ran out" in reason["Message"]
    assert not list((out / "logs").glob("staging/*"))
    code, said = finish(start())
    assert code == ExitCode.OK, said
    assert_whole(out)


@pytest.mark.parametrize(
    ("number", "tell", "processes"),
    [
        (signal.SIGINT, os.killpg, "2"),
        (signal.SIGTERM, os.kill, "1"),
        (signal.SIGHUP, os.killpg, "1"),
    ],
)
def test_a_run_that_is_told_to_end_leaves_nothing_behind(
    number: int, tell: Callable[[int, int], None], processes: str, start: Start, out: Path
) -> None:
    """A terminal and some batch systems tell all processes, others only the first."""
    scratch = out.parent / "scratch"
    scratch.mkdir()
    run = start("--nprocs", processes, "--mem", "100GB", scratch=scratch)
    wait_until(lambda: list((out / "logs").glob("staging/*")))
    workers = workers_of(run)
    assert len(workers) == int(processes)
    tell(run.pid, number)
    code, said = finish(run)
    assert code == ExitCode.TRY_AGAIN
    assert said.splitlines()[-1].endswith("exit code 75 (TRY_AGAIN)")
    assert "Traceback" not in said
    assert not any(worker.is_running() for worker in workers)
    assert not list(scratch.iterdir())
    assert not list((out / "logs").glob("staging/*"))
    assert not list((out / "logs").glob("failed/*"))
    for participant in PARTICIPANTS:
        with session_writer(out, SessionId(participant)):
            pass  # its lock is free


def test_workers_end_when_their_run_is_killed(start: Start, out: Path) -> None:
    run = start("--nprocs", "2", "--mem", "100GB")
    wait_until(lambda: list((out / "logs").glob("staging/*")))
    workers = workers_of(run)
    assert len(workers) == 2
    run.kill()
    finish(run)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    code, said = finish(start())
    assert code == ExitCode.OK, said
    assert_whole(out)


def test_a_killed_run_goes_on_where_it_stopped(start: Start, out: Path) -> None:
    run = start()
    wait_until(lambda: complete(out))
    os.killpg(run.pid, signal.SIGKILL)
    finish(run)
    before = {name: (out / "logs" / "complete" / f"{name}.json").stat() for name in complete(out)}
    assert 1 <= len(before) < len(PARTICIPANTS)
    code, said = finish(start())
    assert code == ExitCode.OK, said
    assert f"{len(before)} skipped" in said
    assert_whole(out)
    for name, stat in before.items():
        assert (out / "logs" / "complete" / f"{name}.json").stat().st_mtime == stat.st_mtime


def test_two_runs_racing_for_one_participant(start: Start, out: Path) -> None:
    runs = [start("--participant-label", "01") for _ in range(2)]
    results = [finish(run) for run in runs]
    codes = sorted(code for code, _ in results)
    # The slower one skips what is complete, or is told that the other is at work.
    assert codes in ([ExitCode.OK, ExitCode.OK], [ExitCode.OK, ExitCode.TRY_AGAIN]), results
    assert complete(out) == ["sub-01"]
    assert finish(start())[0] == ExitCode.OK
    assert_whole(out)


def test_a_full_disk_fails_clearly_and_a_larger_one_completes(
    start: Start, small_disk: Path
) -> None:
    out = small_disk / "out"
    (small_disk / "filler").write_bytes(b"\0" * 900_000)
    code, said = finish(start(output=out))
    assert code in (ExitCode.IO_FAILURE, ExitCode.PARTIAL), said
    assert "No space left on device" in said
    assert "Free some space" in said
    assert "Traceback" not in said
    unfinished = complete(out)
    assert unfinished != [f"sub-{p}" for p in PARTICIPANTS]
    (small_disk / "filler").unlink()
    code, said = finish(start(output=out))
    assert code == ExitCode.OK, said
    assert_whole(out)


def test_a_read_only_output_is_an_error_before_any_work(start: Start, read_only_disk: Path) -> None:
    code, said = finish(start(output=read_only_disk / "out"))
    assert code == ExitCode.CANNOT_CREATE
    assert "cannot be written to: Read-only file system" in said
    assert "Traceback" not in said


def test_a_work_folder_that_disappears(start: Start, out: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    run = start("--work-dir", str(work))
    wait_until(lambda: complete(out))
    shutil.rmtree(work)
    code, said = finish(run)
    assert code in (ExitCode.OK, ExitCode.PARTIAL), said
    assert "Traceback" not in said
    code, said = finish(start("--work-dir", str(work)))
    assert code == ExitCode.OK, said
    assert_whole(out)
