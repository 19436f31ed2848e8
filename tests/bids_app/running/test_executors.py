"""Running tasks here and in processes.

Tasks are calls of library functions, because fresh processes must be able to import them.
"""

import operator
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import Settings
from bids_app.running.executors import open_executor
from bids_app.running.tasks import Executor

Call = Callable[[], Any]


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Callable[..., Executor]]:
    """Open executors for a number of processes."""
    with ExitStack() as stack:

        def make(processes: int, start: Callable[[], None] = os.getpid) -> Executor:
            settings = Settings(tmp_path, tmp_path / "out", "participant")
            return stack.enter_context(open_executor(settings, processes, start, tmp_path))

        yield make


def dies_once(flag: Path) -> Call:
    """Return a task that ends its process the first time it runs."""
    code = f"import os, pathlib\np = pathlib.Path({str(flag)!r})\n"
    code += "if not p.exists():\n    p.touch()\n    os._exit(3)\np.write_text('done')"
    return partial(exec, code, {})


class CountedTasks:
    """Tasks that say how many of them were taken."""

    def __init__(self, tasks: list[Any]) -> None:
        self.taken = 0
        self._tasks = tasks

    def __iter__(self) -> Iterator[Any]:
        for task in self._tasks:
            self.taken += 1
            yield task


def test_one_process_runs_here_and_in_order(executor: Any) -> None:
    calls: list[Call] = [os.getpid, partial(abs, -2), os.getpid]
    assert list(executor(1)(operator.call, calls)) == [os.getpid(), 2, os.getpid()]


def test_one_process_takes_a_task_only_when_its_result_is_wanted(executor: Any) -> None:
    tasks = CountedTasks([-1, -2, -3])
    results = executor(1)(abs, tasks)
    assert tasks.taken == 0
    assert next(results) == 1
    assert tasks.taken == 1
    assert list(results) == [2, 3]


def test_one_process_lets_errors_through(executor: Any) -> None:
    results = executor(1)(int, ["1", "x"])
    assert next(results) == 1
    with pytest.raises(ValueError, match="invalid literal"):
        next(results)


@pytest.mark.parametrize("processes", [1, 2])
def test_no_tasks_give_no_results(executor: Any, processes: int) -> None:
    assert list(executor(processes)(abs, [])) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_task_may_be_none(executor: Any, processes: int) -> None:
    results = list(executor(processes)(repr, [None, 0, None]))
    assert sorted(results) == ["0", "None", "None"]


def test_several_processes_run_elsewhere_and_take_only_what_they_can_run(executor: Any) -> None:
    count, processes = 12, 2
    tasks = CountedTasks(list(range(-count, 0)))
    results = []
    for finished, result in enumerate(executor(processes)(abs, tasks)):
        results.append(result)
        # `finished` results were used before this one came.
        assert tasks.taken - finished <= processes
    assert sorted(results) == list(range(1, count + 1))
    assert tasks.taken == count


def test_a_quick_task_does_not_wait_for_a_slow_one(executor: Any) -> None:
    calls: list[Call] = [partial(time.sleep, 1.0), partial(abs, -1), os.getpid]
    results = list(executor(2)(operator.call, calls))
    assert results[0] == 1
    assert results[1] not in (None, os.getpid())
    assert results[2] is None


def test_start_runs_once_in_every_worker_before_its_first_task(
    executor: Any, tmp_path: Path
) -> None:
    here = Path.cwd()
    start = partial(os.chdir, tmp_path)
    results = list(executor(2, start)(os.path.abspath, ["a", "b", "c"]))
    assert sorted(results) == [str(tmp_path / name) for name in "abc"]
    assert Path.cwd() == here


@pytest.mark.parametrize(
    "death", [partial(os._exit, 3), partial(signal.raise_signal, signal.SIGKILL)]
)
def test_a_task_that_kills_two_workers_is_lost(executor: Any, death: Call) -> None:
    with pytest.raises(AppError) as caught:
        list(executor(2)(operator.call, [death]))
    assert caught.value.exit_code is ExitCode.TRY_AGAIN
    assert caught.value.message == (
        "A worker process died, and so did a second one over the same work; probably memory ran "
        "out."
    )
    assert caught.value.hint.startswith("Run the same command again with fewer --nprocs")
    assert "what is finished is kept" in caught.value.hint


def test_a_lost_task_can_be_given_a_result_and_harms_no_other(executor: Any) -> None:
    tasks = [partial(abs, -1), partial(os._exit, 1), *[partial(abs, -2)] * 5]
    results = list(executor(2)(operator.call, tasks, lost=lambda task: task.args))
    assert results[-1] == (1,)
    assert sorted(results[:-1]) == [1, 2, 2, 2, 2, 2]


def test_a_task_whose_worker_died_once_is_run_again(executor: Any, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    tasks = [dies_once(flag), partial(abs, -2), partial(abs, -3)]
    results = list(executor(2)(operator.call, tasks))
    assert flag.read_text() == "done"
    # After all the others, when memory is free again.
    assert results[-1] is None
    assert sorted(results[:-1]) == [2, 3]


def test_an_error_of_a_task_comes_back_as_itself(executor: Any) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(executor(2)(int, ["x"]))


def test_an_error_while_finding_tasks_comes_back_as_itself(executor: Any) -> None:
    def tasks() -> Iterator[int]:
        yield -1
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(executor(2)(abs, tasks()))


def test_leaving_early_takes_no_further_task(executor: Any) -> None:
    tasks = CountedTasks(list(range(-100, 0)))
    results = executor(2)(abs, tasks)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert tasks.taken <= 3
