"""Run the same tasks one after the other, in several processes, or on a Dask cluster.

A task whose worker process dies (usually because memory ran out) is run once more, alone, after
all the others; only if it dies again it counts as lost.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

from bids_app.options.settings import Settings
from bids_app.running.tasks import Executor, Result, Task, lost_worker


@contextmanager
def open_executor(
    settings: Settings, processes: int, start: Callable[[], None], work_dir: Path
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

    Raises
    ------
    AppError
        ``UNAVAILABLE`` if the cluster cannot be had or its workers cannot do the work.
    """
    if settings.executor == "dask":
        from bids_app.running.dask_cluster import open_dask

        with open_dask(settings, start, work_dir) as executor:
            yield executor
    elif processes == 1:
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
    """Runs tasks in several fresh processes of this machine.

    Every process is a pool of its own: the death of one then harms no other, and tells whose task
    it was.
    """

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
        with ExitStack() as pools:
            idle = [self._pool(pools) for _ in range(self._processes)]
            running: dict[Future[Result], tuple[Task, ProcessPoolExecutor]] = {}
            queue = iter(tasks)
            while True:
                for task in islice(queue, len(idle)):
                    pool = idle.pop()
                    try:
                        future = pool.submit(function, task)
                    except BrokenProcessPool:  # it died while it had nothing to do
                        pool = self._pool(pools)
                        future = pool.submit(function, task)
                    running[future] = task, pool
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task, pool = running.pop(future)
                    if isinstance(future.exception(), BrokenProcessPool):
                        died.append(task)
                        idle.append(self._pool(pools))
                    else:
                        idle.append(pool)
                        yield future.result()
        for task in died:
            yield self._again(function, task, lost)

    def _again(
        self,
        function: Callable[[Task], Result],
        task: Task,
        lost: Callable[[Task], Result] | None,
    ) -> Result:
        with ExitStack() as pools:
            try:
                return self._pool(pools).submit(function, task).result()
            except BrokenProcessPool as error:
                if lost is not None:
                    return lost(task)
                raise lost_worker() from error

    def _pool(self, pools: ExitStack) -> ProcessPoolExecutor:
        # Fresh processes: forked ones would inherit the threads of numerical libraries and hang.
        context = multiprocessing.get_context("spawn")
        return pools.enter_context(ProcessPoolExecutor(1, context, self._start))
