"""Run the same tasks one after the other, in several processes, or on a Dask cluster.

A task whose worker process dies (usually because memory ran out) is run once more, alone, after
all the others; only if it dies again it counts as lost.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path

from bids_app.options.settings import Settings
from bids_app.running.tasks import Executor, Result, Task, lost_worker
from bids_app.running.worker_process import WorkerDiedError, WorkerProcess

# What workers may take to tidy up and end.
_END_SECONDS = 3.0


@contextmanager
def open_executor(
    settings: Settings,
    processes: int,
    start: Callable[[], None],
    work_dir: Path,
    *,
    contained: bool = False,
) -> Iterator[Executor]:
    """Prepare what the settings ask tasks to be run with, and close it afterwards.

    Parameters
    ----------
    settings : Settings
        ``executor``, ``dask_scheduler`` and ``dask_cluster``.
    processes : int
        Processes side by side on this machine; a cluster has its own number.
    start : callable
        Called once in every worker process, for instance to set up logging; picklable.
    work_dir : Path
        Where a cluster's workers put scratch and logs.
    contained : bool
        Also a single process is one of its own, so that its death does not end the run.

    Raises
    ------
    AppError
        ``UNAVAILABLE`` if the cluster cannot be had or its workers cannot do the work.
    """
    if settings.executor == "dask":
        from bids_app.running.dask_cluster import open_dask

        with open_dask(settings, start, work_dir) as executor:
            yield executor
    elif processes == 1 and not contained:
        yield _run_here
    else:
        yield _ProcessExecutor(processes, start)


def _run_here(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    lost: Callable[[Task], Result] | None = None,  # noqa: ARG001 - a death here ends the run
) -> Iterator[Result]:
    """Apply a function to every task in this process, in order."""
    yield from map(function, tasks)


class _ProcessExecutor:
    """Runs tasks in fresh processes of this machine; the death of one harms no other."""

    def __init__(self, processes: int, start: Callable[[], None]) -> None:
        self._processes = processes
        self._start = start

    def __call__(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        lost: Callable[[Task], Result] | None = None,
    ) -> Iterator[Result]:
        died: list[Task] = []
        queue = iter(tasks)
        idle: list[WorkerProcess] = []
        busy: dict[WorkerProcess, Task] = {}
        try:
            while True:
                for task in islice(queue, self._processes - len(busy)):
                    busy[self._give(function, task, idle)] = task
                if not busy:
                    break
                ready = wait([worker.connection for worker in busy])
                for worker in [worker for worker in busy if worker.connection in ready]:
                    try:
                        result = worker.answer()
                    except WorkerDiedError:
                        died.append(busy.pop(worker))
                        worker.close()
                    else:
                        del busy[worker]
                        idle.append(worker)
                        yield result
        finally:
            _end(idle, busy)
        for task in died:
            yield self._again(function, task, lost)

    def _give(
        self, function: Callable[[Task], Result], task: Task, idle: list[WorkerProcess]
    ) -> WorkerProcess:
        """Give a task to a worker that has none, or to a new one."""
        while idle:
            worker = idle.pop()
            try:
                worker.give(function, task)
            except WorkerDiedError:  # while it had nothing to do
                worker.close()
            else:
                return worker
        worker = WorkerProcess(self._start)
        with suppress(WorkerDiedError):  # then it has no answer either
            worker.give(function, task)
        return worker

    def _again(
        self,
        function: Callable[[Task], Result],
        task: Task,
        lost: Callable[[Task], Result] | None,
    ) -> Result:
        worker = WorkerProcess(self._start)
        try:
            worker.give(function, task)
            result: Result = worker.answer()
        except WorkerDiedError as error:
            if lost is not None:
                return lost(task)
            raise lost_worker() from error
        finally:
            _end([], [worker])
        return result


def _end(idle: Iterable[WorkerProcess], busy: Iterable[WorkerProcess]) -> None:
    """End all workers; those that are still busy give up their tasks."""
    for worker in busy:
        worker.stop()
    deadline = time.monotonic() + _END_SECONDS
    for worker in (*busy, *idle):
        worker.close(max(0.0, deadline - time.monotonic()))
