"""What the process really has: CPUs and memory under affinity, cgroups and SLURM.

``os.cpu_count()`` and the machine's total memory are wrong in containers and batch jobs; the
limits read here are the ones the kernel or the scheduler enforces.
"""

import os
from dataclasses import dataclass
from pathlib import Path

# A session of 512x512x96 voxels stays below this, in GB; it decides how many run side by side.
SESSION_MEMORY_GB = 6.0

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Workers:
    """How many sessions run side by side, and the threads of each."""

    processes: int
    threads: int


def available_cpus(cgroup: Path = _CGROUP) -> int:
    """Return the number of CPUs this process may use (at least 1)."""
    limits = [len(os.sched_getaffinity(0))]
    quota = _cpu_quota(cgroup)
    if quota is not None:
        limits.append(max(1, int(quota)))
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdecimal():
        limits.append(max(1, int(slurm)))
    return min(limits)


def available_memory_gb(cgroup: Path = _CGROUP, meminfo: Path = Path("/proc/meminfo")) -> float:
    """Return the memory this process may use, GB."""
    limits = [_available_kb(meminfo) / 1e6]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(cgroup / name)
        if text.isdecimal():
            limits.append(int(text) / 1e9)
    slurm = os.environ.get("SLURM_MEM_PER_NODE", "")
    if slurm.isdecimal():
        limits.append(int(slurm) / 1e3)
    return min(limits)


def plan_workers(
    processes: int | None = None,
    threads: int | None = None,
    memory_gb: float | None = None,
    *,
    cpus: int | None = None,
    free_memory_gb: float | None = None,
) -> Workers:
    """Share the machine between sessions.

    Parameters
    ----------
    processes, threads : int or None
        What the user asked for; None follows the machine (one session at a time, all its CPUs).
    memory_gb : float or None
        Memory the run may use; None takes what is free.
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
    fitting = max(1, int(memory_gb // SESSION_MEMORY_GB))
    side_by_side = min(processes or 1, fitting)
    return Workers(side_by_side, threads or max(1, cpus // side_by_side))


def _cpu_quota(cgroup: Path) -> float | None:
    """Read the CPU quota of cgroup version 2, then 1, as a number of CPUs."""
    fields = _read(cgroup / "cpu.max").split()
    if len(fields) == 2 and fields[0].isdecimal():
        return int(fields[0]) / int(fields[1])
    quota = _read(cgroup / "cpu" / "cpu.cfs_quota_us")
    period = _read(cgroup / "cpu" / "cpu.cfs_period_us")
    if quota.isdecimal() and period.isdecimal():
        return int(quota) / int(period)
    return None


def _available_kb(meminfo: Path) -> int:
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1000


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
