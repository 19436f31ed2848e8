"""What every executor of :mod:`executors` and :mod:`dask_cluster` offers."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from bids_app.errors import AppError, ExitCode

Task = TypeVar("Task")


Result = TypeVar("Result")


class Executor(Protocol):
    """Something that applies a function to tasks and yields results as they come."""

    def __call__(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        lost: Callable[[Task], Result] | None = None,
    ) -> Iterator[Result]:
        """Apply `function` to every task.

        Parameters
        ----------
        function : callable
            Must catch its own errors; picklable unless everything runs in this process.
        tasks : iterable
            Consumed lazily, so that a cohort of any size streams.
        lost : callable, optional
            Makes the result of a task whose worker died twice; without it that is an error.

        Raises
        ------
        AppError
            ``TRY_AGAIN`` if a worker dies twice over a task and `lost` is not given.
        """


def lost_worker() -> AppError:
    """Return what is said of a task whose worker died, and so did a second one."""
    return AppError(
        "A worker process died, and so did a second one over the same work; probably memory ran "
        "out.",
        ExitCode.TRY_AGAIN,
        "Run the same command again with fewer --nprocs or more memory; what is finished is kept.",
    )
