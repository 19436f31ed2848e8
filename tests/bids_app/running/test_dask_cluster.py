"""Running tasks on a real Dask cluster of worker processes on this machine.

Tasks are texts for `eval`, because the workers must be able to import what they run.
"""

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import Settings
from bids_app.running import dask_cluster
from bids_app.running.executors import open_executor
from bids_app.running.tasks import Executor
from tests.bids_app.small_dataset import make_dataset, make_label_maps

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

DIE = "__import__('os')._exit(3)"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Start a scheduler and two workers of one thread; dead workers are replaced."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(**options, silence_logs=logging.CRITICAL) as cluster,
    ):
        yield cluster.scheduler_address


def wait_for_both(address: str) -> None:
    """Wait until the workers that an earlier test killed are back."""
    with distributed.Client(address) as client:
        client.wait_for_workers(2, timeout=120)


@pytest.fixture
def settings(address: str, tmp_path: Path) -> Settings:
    wait_for_both(address)
    (tmp_path / "out").mkdir()
    return Settings(
        tmp_path,
        tmp_path / "out",
        "participant",
        executor="dask",
        dask_scheduler=address,
        work_dir=tmp_path,
    )


@pytest.fixture
def execute(settings: Settings, tmp_path: Path) -> Iterator[Executor]:
    start = partial(exec, "import os\nos.environ['STARTED'] = 'yes'", {})
    with open_executor(settings, 1, start, tmp_path) as executor:
        yield executor


def test_results_of_all_tasks_come_from_the_workers(execute: Executor) -> None:
    pids = set(execute(eval, ["__import__('os').getpid()"] * 6))
    assert len(pids) in (1, 2)
    assert os.getpid() not in pids
    assert sorted(execute(abs, [-1, -1, -2])) == [1, 1, 2]


def test_every_worker_is_started_before_its_first_task(execute: Executor) -> None:
    tasks = ["__import__('os').environ.get('STARTED')"] * 4
    assert list(execute(eval, tasks)) == ["yes"] * 4


def test_tasks_are_taken_only_as_workers_get_free(execute: Executor) -> None:
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield -number

    results = []
    for finished, result in enumerate(execute(abs, tasks())):
        results.append(result)
        assert taken - finished <= 2
    assert sorted(results) == list(range(20))


def test_an_error_of_a_task_comes_back_as_itself(execute: Executor) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(execute(int, ["x"]))


def test_a_task_whose_worker_died_once_is_run_again(execute: Executor, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    path = f"__import__('pathlib').Path({str(flag)!r})"
    dies_once = f"'done' if {path}.exists() else [{path}.touch(), {DIE}]"
    assert sorted(execute(eval, [dies_once, "'other'"])) == ["done", "other"]


def test_a_task_that_kills_its_workers_is_lost_and_harms_no_other(execute: Executor) -> None:
    results = list(execute(eval, [DIE, *["2"] * 4], lost=lambda task: f"lost {task}"))
    assert sorted(map(str, results)) == ["2", "2", "2", "2", f"lost {DIE}"]


def test_a_lost_task_without_a_result_is_an_error(execute: Executor) -> None:
    with pytest.raises(AppError) as caught:
        list(execute(eval, [DIE]))
    assert caught.value.exit_code is ExitCode.TRY_AGAIN
    assert caught.value.message.startswith("A worker process died, and so did a second one over")
    assert "Run the same command again" in caught.value.hint


def test_no_scheduler_is_an_error_that_says_how_to_start_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_SCHEDULER_SECONDS", 1)
    nowhere = replace(settings, dask_scheduler="tcp://127.0.0.1:9")
    with pytest.raises(AppError) as caught, open_executor(nowhere, 1, os.getpid, tmp_path):
        pass
    assert caught.value.message == "No Dask scheduler answers at tcp://127.0.0.1:9."
    assert caught.value.exit_code is ExitCode.UNAVAILABLE
    assert "dask scheduler" in caught.value.hint


def test_a_cluster_without_workers_is_an_error(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_EXISTING_WORKER_SECONDS", 1)
    with distributed.LocalCluster(
        n_workers=0, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as empty:
        lonely = replace(settings, dask_scheduler=empty.scheduler_address)
        with pytest.raises(AppError) as caught, open_executor(lonely, 1, os.getpid, tmp_path):
            pass
    assert caught.value.message == "No worker joined the Dask cluster within 1 s."
    assert caught.value.exit_code is ExitCode.UNAVAILABLE


def test_a_worker_of_another_version_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "__version__", "0.0.1")
    with pytest.raises(AppError) as caught, open_executor(settings, 1, os.getpid, tmp_path):
        pass
    assert "has MyoMIDS" in caught.value.message
    assert caught.value.message.endswith("this is 0.0.1.")
    assert caught.value.exit_code is ExitCode.UNAVAILABLE


def test_a_worker_that_does_not_see_the_output_folder_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    elsewhere = replace(settings, output_dir=tmp_path / "not-mounted")
    with pytest.raises(AppError) as caught, open_executor(elsewhere, 1, os.getpid, tmp_path):
        pass
    assert caught.value.message.endswith(f"cannot write to {tmp_path / 'not-mounted'}.")
    assert "all workers share" in caught.value.hint


def test_a_slurm_cluster_with_unknown_options_is_a_usage_error(
    settings: Settings, tmp_path: Path
) -> None:
    pytest.importorskip("dask_jobqueue")
    described = replace(settings, dask_scheduler=None, dask_cluster={"jobs": 1, "pony": 2})
    with pytest.raises(AppError) as caught, open_executor(described, 1, os.getpid, tmp_path):
        pass
    assert caught.value.message.startswith("The SLURM cluster of the configuration file cannot")
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_cluster_gives_the_tables_of_this_machine(address: str, tmp_path: Path) -> None:
    wait_for_both(address)
    participants = ("01", "02")
    make_label_maps(tmp_path / "truth", participants)
    dataset = make_dataset(tmp_path / "in", participants)
    maps = ["--derivatives", f"truth={tmp_path / 'truth'}"]
    cluster = ["--executor", "dask", "--dask-scheduler", address, "--work-dir", str(tmp_path / "w")]
    for name, options in (("here", []), ("cluster", cluster)):
        assert main([str(dataset), str(tmp_path / name), "participant", *maps, *options]) == 0
    tables = sorted(p.relative_to(tmp_path / "here") for p in (tmp_path / "here").rglob("*.tsv"))
    assert len(tables) == 6
    for table in tables:
        assert (tmp_path / "cluster" / table).read_bytes() == (
            tmp_path / "here" / table
        ).read_bytes()
    log = next((tmp_path / "cluster" / "logs").glob("run-*.log")).read_text()
    # What the workers say reaches the log of the run.
    assert "sub-01: complete in" in log
    assert "Dask: 2 worker(s)" in log


def test_a_scheduler_that_goes_away_is_an_error_that_says_so(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "_SCHEDULER_SECONDS", 1)
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options, silence_logs=logging.CRITICAL) as cluster:
        other = replace(settings, dask_scheduler=cluster.scheduler_address)
        with open_executor(other, 1, os.getpid, tmp_path) as executor:
            results = executor(eval, ["1", *["__import__('time').sleep(60)"] * 2])
            assert next(results) == 1
            cluster.close()
            with pytest.raises(AppError) as caught:
                list(results)
    assert caught.value.message == "The connection to the Dask scheduler was lost."
    assert caught.value.exit_code is ExitCode.TRY_AGAIN
    assert "run the same command again" in caught.value.hint
