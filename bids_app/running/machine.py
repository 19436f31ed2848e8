"""What the process really has: CPUs and memory under affinity, cgroups and SLURM.

``os.cpu_count()`` and the machine's total memory are wrong in containers and batch jobs; the
limits read here are the ones the kernel or the scheduler enforces.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path

# A session of 512x512x96 voxels stays below this, in GB; it decides how many run side by side.
SESSION_MEMORY_GB = 6.0

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")

# What SLURM and /proc/meminfo call MB and kB are powers of two.
_MIB = 2**20
_KIB = 2**10


@dataclass(frozen=True)
class Workers:
    """How many sessions run side by side, and the threads of each."""

    processes: int
    threads: int


def available_cpus(cgroup: Path = _CGROUP, membership: Path = _MEMBERSHIP) -> int:
    """Return the number of CPUs this process may use (at least 1).

    Parameters
    ----------
    cgroup, membership : Path
        Where the kernel shows the control groups, and those of this process.
    """
    limits = [float(len(os.sched_getaffinity(0)))]
    limits += [_cpu_quota(folder) for folder in _cgroup_folders(cgroup, membership, "cpu")]
    limits.append(_number(os.environ.get("SLURM_CPUS_PER_TASK", "")))
    return max(1, int(min(limits)))


def available_memory_gb(
    cgroup: Path = _CGROUP, membership: Path = _MEMBERSHIP, meminfo: Path = _MEMINFO
) -> float:
    """Return the memory this process may use, GB."""
    limits = [_free_memory(meminfo), _slurm_memory()]
    for folder in _cgroup_folders(cgroup, membership, "memory"):
        limits += [_number(_read(folder / n)) for n in ("memory.max", "memory.limit_in_bytes")]
    return min(limits) / 1e9


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


def _cgroup_folders(root: Path, membership: Path, controller: str) -> list[Path]:
    """Return the folders whose limits bind this process: its own control group and its parents.

    A container may show only the root, or name a group that it cannot see: then the folders that
    exist count.
    """
    folders = [root, root / controller]
    for line in _read(membership).splitlines():
        _, controllers, group = line.split(":", 2)
        # Version 2 has one tree and names no controllers, version 1 a tree for each.
        if controllers and controller not in controllers.split(","):
            continue
        tree = root / controller if controllers else root
        own = tree / group.lstrip("/")
        folders += [folder for folder in (own, *own.parents) if tree in folder.parents]
    return folders


def _cpu_quota(folder: Path) -> float:
    """Return the CPU quota of a control group (version 2, then 1) as a number of CPUs."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    if not quota:
        quota = _read(folder / "cpu.cfs_quota_us")
        period = _read(folder / "cpu.cfs_period_us")
    limited = quota.isdecimal() and period.isdecimal()
    return int(quota) / int(period) if limited else math.inf


def _slurm_memory() -> float:
    """Return the memory SLURM gives this job on this node, bytes."""
    per_node = _number(os.environ.get("SLURM_MEM_PER_NODE", ""))
    per_cpu = _number(os.environ.get("SLURM_MEM_PER_CPU", ""))
    cpus = _number(os.environ.get("SLURM_CPUS_ON_NODE", ""))
    return min(per_node, per_cpu * cpus) * _MIB


def _free_memory(meminfo: Path) -> float:
    for line in _read(meminfo).splitlines():
        if line.startswith("MemAvailable:"):
            return _number(line.split()[1]) * _KIB
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _number(text: str) -> float:
    """Read a limit; infinite where there is none (``max``, ``-1``, 0 or nothing)."""
    return float(text) if text.isdecimal() and int(text) > 0 else math.inf


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
