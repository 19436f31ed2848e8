"""Run the same session tasks one after the other or in several processes."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerLostError(Exception):
    """A worker process died (usually because the machine ran out of memory)."""


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    processes: int = 1,
    start: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """Apply a function to every task and yield results as they come.

    Parameters
    ----------
    function : callable
        Must catch its own errors; picklable if `processes` > 1.
    tasks : iterable
        Consumed lazily, so that a cohort of any size streams.
    processes : int
        1 runs here; more run in fresh processes.
    start : callable, optional
        Called once in every worker process, for instance to set up logging; picklable.

    Yields
    ------
    object
        What `function` returned.

    Raises
    ------
    WorkerLostError
        If a worker process dies.
    """
    if processes == 1:
        yield from map(function, tasks)
        return
    # Fresh processes: forked ones would inherit the threads of numerical libraries and hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, start) as pool:
        queue = iter(tasks)
        running: set[Future[Result]] = set()
        try:
            while True:
                for task in islice(queue, processes - len(running)):
                    running.add(pool.submit(function, task))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                # Finished tasks first: a lost worker must not take their results with it.
                for future in sorted(done, key=lambda f: f.exception() is not None):
                    yield future.result()
        except BrokenProcessPool as error:
            raise WorkerLostError("a worker process died; probably memory ran out") from error
        finally:
            for future in running:
                future.cancel()
