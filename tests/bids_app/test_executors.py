"""Running tasks here and in processes.

Tasks are calls of library functions, because fresh processes must be able to import them.
"""

import operator
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bids_app.executors import WorkerLostError, run_tasks

Call = Callable[[], Any]


class CountedTasks:
    """Tasks that say how many of them were taken."""

    def __init__(self, tasks: list[Any]) -> None:
        self.taken = 0
        self._tasks = tasks

    def __iter__(self) -> Iterator[Any]:
        for task in self._tasks:
            self.taken += 1
            yield task


def test_one_process_runs_here_and_in_order() -> None:
    calls: list[Call] = [os.getpid, partial(abs, -2), os.getpid]
    assert list(run_tasks(operator.call, calls)) == [os.getpid(), 2, os.getpid()]


def test_one_process_takes_a_task_only_when_its_result_is_wanted() -> None:
    tasks = CountedTasks([-1, -2, -3])
    results = run_tasks(abs, tasks)
    assert tasks.taken == 0
    assert next(results) == 1
    assert tasks.taken == 1
    assert list(results) == [2, 3]


def test_one_process_lets_errors_through() -> None:
    results = run_tasks(int, ["1", "x"])
    assert next(results) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(results)


@pytest.mark.parametrize("processes", [1, 2])
def test_no_tasks_give_no_results(processes: int) -> None:
    assert list(run_tasks(abs, [], processes=processes)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_task_may_be_none(processes: int) -> None:
    results = list(run_tasks(repr, [None, 0, None], processes=processes))
    assert sorted(results) == ["0", "None", "None"]


def test_several_processes_run_elsewhere_and_take_only_what_they_can_run() -> None:
    count, processes = 12, 2
    tasks = CountedTasks(list(range(-count, 0)))
    results = []
    for finished, result in enumerate(run_tasks(abs, tasks, processes=processes)):
        results.append(result)
        # `finished` results were used before this one came.
        assert tasks.taken - finished <= processes
    assert sorted(results) == list(range(1, count + 1))
    assert tasks.taken == count


def test_a_quick_task_does_not_wait_for_a_slow_one() -> None:
    calls: list[Call] = [partial(time.sleep, 1.0), partial(abs, -1), os.getpid]
    results = list(run_tasks(operator.call, calls, processes=2))
    assert results[0] == 1
    assert results[1] not in (None, os.getpid())
    assert results[2] is None


def test_start_runs_once_in_every_worker_before_its_first_task(tmp_path: Path) -> None:
    here = Path.cwd()
    start = partial(os.chdir, tmp_path)
    results = list(run_tasks(os.path.abspath, ["a", "b", "c"], processes=2, start=start))
    assert sorted(results) == [str(tmp_path / name) for name in "abc"]
    assert Path.cwd() == here


@pytest.mark.parametrize(
    "death", [partial(os._exit, 3), partial(signal.raise_signal, signal.SIGKILL)]
)
def test_a_dead_worker_is_reported(death: Call) -> None:
    with pytest.raises(WorkerLostError) as caught:
        list(run_tasks(operator.call, [death], processes=2))
    assert str(caught.value) == "a worker process died; probably memory ran out"


def test_results_before_a_death_arrive_and_no_task_is_taken_after_it() -> None:
    tasks = CountedTasks([partial(abs, -1), partial(os._exit, 1), *[partial(abs, -2)] * 10])
    results: list[int] = []

    def collect() -> None:
        for result in run_tasks(operator.call, tasks, processes=2):
            results.append(result)
            time.sleep(0.3)  # by now the second task has ended its worker

    with pytest.raises(WorkerLostError):
        collect()
    assert results[0] == 1
    assert set(results) <= {1, 2}
    assert tasks.taken < 12


def test_an_error_of_a_task_comes_back_as_itself() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(run_tasks(int, ["x"], processes=2))


def test_an_error_while_finding_tasks_comes_back_as_itself() -> None:
    def tasks() -> Iterator[int]:
        yield -1
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(run_tasks(abs, tasks(), processes=2))


def test_leaving_early_takes_no_further_task() -> None:
    tasks = CountedTasks(list(range(-100, 0)))
    results = run_tasks(abs, tasks, processes=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert tasks.taken <= 3
