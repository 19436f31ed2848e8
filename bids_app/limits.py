"""What the process really has: CPUs and memory under affinity, cgroups, SLURM and ulimit.

``os.cpu_count()`` and the machine's total memory are wrong in containers and batch jobs; the
limits read here are the ones the kernel or the scheduler enforces.
"""

import math
import os
import resource
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_MEMINFO = Path("/proc/meminfo")
_STATM = Path("/proc/self/statm")

# What SLURM and /proc/meminfo call MB and kB are powers of two.
_MIB = 2**20
_KIB = 2**10


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
    limits += [_left_in(folder) for folder in _cgroup_folders(cgroup, membership, "memory")]
    return max(0.0, min(limits)) / 1e9


def memory_of_process_gb() -> float:
    """Return the memory that this one process may still take, GB."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return available_memory_gb()
    used = int(_read(_STATM).partition(" ")[0] or 0) * os.sysconf("SC_PAGE_SIZE")
    return min(available_memory_gb(), max(0.0, float(limit - used)) / 1e9)


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


def _left_in(folder: Path) -> float:
    """Return the memory that a control group (version 2, then 1) leaves, bytes.

    What it holds of files counts as free: the kernel gives it back when memory is needed.
    """
    for limit, used, prefix in (
        ("memory.max", "memory.current", ""),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ):
        most = _number(_read(folder / limit))
        if most < math.inf:
            held = _number(_read(folder / used), none=0.0)
            files = (f"{prefix}active_file", f"{prefix}inactive_file")
            statistics = (line.split() for line in _read(folder / "memory.stat").splitlines())
            cached = sum(float(line[1]) for line in statistics if line[0] in files)
            return most - max(0.0, held - cached)
    return math.inf


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


def _number(text: str, none: float = math.inf) -> float:
    """Read a limit; infinite where there is none (``max``, ``-1``, 0 or nothing)."""
    return float(text) if text.isdecimal() and int(text) > 0 else none


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
