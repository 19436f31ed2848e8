"""Run tasks on a Dask cluster: one that exists, or one made of SLURM jobs for this run.

A worker works on one task at a time. Dask itself runs the tasks of a dead worker elsewhere; what
dies there too counts as lost.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import Settings
from bids_app.running.logs import LOGGER
from bids_app.running.tasks import Executor, lost_worker
from bids_app.version import __version__

if TYPE_CHECKING:
    from distributed import Client

Task = TypeVar("Task")
Result = TypeVar("Result")

# How long to wait for the scheduler, and for the first worker of a cluster (jobs queue), seconds.
_SCHEDULER_SECONDS = 20
_WORKER_SECONDS = 3600
_EXISTING_WORKER_SECONDS = 60

_INSTALL_HINT = "Install the cluster extra: pip install 'myomids[cluster]'."


@contextmanager
def open_dask(settings: Settings, start: Callable[[], None], work_dir: Path) -> Iterator[Executor]:
    """Connect to a Dask scheduler, or start a SLURM cluster, as the settings say.

    Raises AppError ``UNAVAILABLE`` if Dask is not installed, the scheduler does not answer, no
    worker comes, or a worker lacks this version of MyoMIDS or does not see the output folder.
    """
    try:
        from distributed import Client
    except ImportError as error:
        message = "--executor dask needs Dask, which is not installed."
        raise AppError(message, ExitCode.UNAVAILABLE, _INSTALL_HINT) from error
    with ExitStack() as stack:
        if settings.dask_scheduler is not None:
            where, patience = settings.dask_scheduler, _EXISTING_WORKER_SECONDS
        else:
            cluster = stack.enter_context(_slurm_cluster(settings.dask_cluster, work_dir))
            where, patience = cluster.scheduler_address, _WORKER_SECONDS
        try:
            client = stack.enter_context(Client(where, timeout=_SCHEDULER_SECONDS))
        except (OSError, ValueError) as error:
            raise AppError(
                f"No Dask scheduler answers at {where}.",
                ExitCode.UNAVAILABLE,
                "Start one with 'dask scheduler' and give the tcp:// address that it prints.",
            ) from error
        _wait_for_worker(client, patience)
        _check_workers(client, settings.output_dir)
        client.register_plugin(_worker_start(start), name="myomids-start")
        yield _DaskExecutor(client)


class _DaskExecutor:
    """Hands tasks to the workers of a cluster."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def __call__(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        lost: Callable[[Task], Result] | None = None,
    ) -> Iterator[Result]:
        from distributed import CancelledError, KilledWorker, as_completed

        queue = iter(tasks)
        running: dict[Any, Task] = {}
        finished: Any = as_completed([])
        try:
            while True:
                for task in islice(queue, max(1, self._workers()) - len(running)):
                    future = self._client.submit(function, task, pure=False)
                    running[future.key] = task
                    finished.add(future)
                if not running:
                    return
                future = next(finished)
                task = running.pop(future.key)
                try:
                    result = future.result()
                except KilledWorker as error:
                    if lost is None:
                        raise lost_worker() from error
                    result = lost(task)
                except CancelledError as error:
                    raise _lost_cluster() from error
                yield result
        finally:
            if self._client.status != "closed":
                self._client.cancel(list(finished.futures), force=True)

    def _workers(self) -> int:
        return len(self._client.scheduler_info(n_workers=-1)["workers"])


def _lost_cluster() -> AppError:
    return AppError(
        "The connection to the Dask scheduler was lost.",
        ExitCode.TRY_AGAIN,
        "See that it runs, then run the same command again; what is finished is kept.",
    )


@contextmanager
def _slurm_cluster(description: Mapping[str, Any], work_dir: Path) -> Iterator[Any]:
    """Start a cluster of SLURM jobs and stop it afterwards."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        message = "A SLURM cluster needs dask-jobqueue, which is not installed."
        raise AppError(message, ExitCode.UNAVAILABLE, _INSTALL_HINT) from error
    options = dict(description)
    jobs = options.pop("jobs")
    folder = work_dir / "dask"
    try:
        cluster = SLURMCluster(
            # One task at a time in each job, with all its cores.
            processes=1,
            worker_extra_args=["--nthreads", "1"],
            local_directory=str(folder),
            log_directory=str(folder / "logs"),
            scheduler_options={"dashboard_address": None},
            **options,
        )
    except (TypeError, ValueError) as error:
        raise AppError(
            f"The SLURM cluster of the configuration file cannot be made: {error}",
            ExitCode.USAGE,
            "The keys below dask_cluster are those of dask_jobqueue.SLURMCluster, and 'jobs'.",
        ) from error
    with cluster:
        cluster.scale(jobs=jobs)
        LOGGER.info("Dask: asked SLURM for %d job(s)", jobs)
        yield cluster


def _wait_for_worker(client: "Client", seconds: int) -> None:
    from distributed import TimeoutError as DaskTimeoutError

    try:
        client.wait_for_workers(1, timeout=seconds)
    except (DaskTimeoutError, TimeoutError) as error:
        raise AppError(
            f"No worker joined the Dask cluster within {seconds} s.",
            ExitCode.UNAVAILABLE,
            "Start workers with 'dask worker ADDRESS --nthreads 1', or look at the queue of jobs.",
        ) from error


def _check_workers(client: "Client", output_dir: Path) -> None:
    """See that every worker has this version and the shared folders."""
    try:
        answers = client.run(_describe_worker, str(output_dir))
    except Exception as error:
        raise AppError(
            f"A Dask worker cannot run MyoMIDS: {type(error).__name__}: {error}",
            ExitCode.UNAVAILABLE,
            "Start the workers in the same environment or container as run.py.",
        ) from error
    for worker, (version, writable) in answers.items():
        if version != __version__:
            raise AppError(
                f"The Dask worker {worker} has MyoMIDS {version}, this is {__version__}.",
                ExitCode.UNAVAILABLE,
                "Start the workers in the same environment or container as run.py.",
            )
        if not writable:
            raise AppError(
                f"The Dask worker {worker} cannot write to {output_dir}.",
                ExitCode.UNAVAILABLE,
                "Dataset, output folder and work folder must be on a disk that all workers share.",
            )
    LOGGER.info("Dask: %d worker(s)", len(answers))


def _describe_worker(output_dir: str) -> tuple[str, bool]:
    """Tell version and access to the output folder; runs in a worker."""
    import os

    return __version__, os.access(output_dir, os.W_OK)


def _worker_start(start: Callable[[], None]) -> Any:
    """Return a Dask plugin that calls `start` in every worker, also in those that join later."""
    from distributed import WorkerPlugin

    class _Start(WorkerPlugin):  # type: ignore[misc, unused-ignore]
        def setup(self, worker: Any) -> None:  # noqa: ARG002 - Dask's signature
            start()

    return _Start()
