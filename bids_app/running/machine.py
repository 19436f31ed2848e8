"""How many sessions, or other tasks, run side by side."""

from dataclasses import dataclass

from bids_app.limits import available_cpus, available_memory_gb

# A session of 512x512x96 voxels stays below this, in GB; it decides how many run side by side.
SESSION_MEMORY_GB = 6.0


@dataclass(frozen=True)
class Workers:
    """How many sessions run side by side, and the threads of each."""

    processes: int
    threads: int


def plan_workers(
    processes: int | None = None,
    threads: int | None = None,
    memory_gb: float | None = None,
    each_gb: float = SESSION_MEMORY_GB,
    *,
    cpus: int | None = None,
    free_memory_gb: float | None = None,
) -> Workers:
    """Share the machine between sessions, or other tasks.

    Parameters
    ----------
    processes, threads : int or None
        What the user asked for; None follows the machine (one session at a time, all its CPUs).
    memory_gb : float or None
        Memory the run may use; None takes what is free.
    each_gb : float
        Memory that one of them needs.
    cpus, free_memory_gb : int, float or None
        The machine; None measures it.

    Returns
    -------
    Workers
        Never more sessions than the memory holds, at least one.
    """
    cpus = available_cpus() if cpus is None else cpus
    if memory_gb is None:
        memory_gb = available_memory_gb() if free_memory_gb is None else free_memory_gb
    fitting = max(1, int(memory_gb // each_gb))
    side_by_side = min(processes or 1, fitting)
    return Workers(side_by_side, threads or max(1, cpus // side_by_side))
