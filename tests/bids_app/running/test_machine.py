"""CPU and memory limits, from fake kernel files and a fake SLURM."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.running.machine import (
    SESSION_MEMORY_GB,
    Workers,
    available_cpus,
    available_memory_gb,
    plan_workers,
)

GIB = 2**30


@pytest.fixture(autouse=True)
def _big_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 CPUs for this process and no SLURM."""
    for variable in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))


class FakeKernel:
    """A folder with the files in which a kernel shows its limits."""

    def __init__(self, root: Path) -> None:
        self.cgroup = root / "cgroup"
        self.membership = root / "membership"
        self.meminfo = root / "meminfo"
        self.write("meminfo", "MemTotal:  999999999 kB\nMemFree: 1 kB\nMemAvailable:  64000000 kB")

    def write(self, name: str, text: str) -> None:
        path = self.cgroup.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="ascii")

    def cpus(self) -> int:
        return available_cpus(self.cgroup, self.membership)

    def memory_gb(self) -> float:
        return available_memory_gb(self.cgroup, self.membership, self.meminfo)


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def test_without_limits_the_affinity_counts(kernel: FakeKernel) -> None:
    assert kernel.cpus() == 64


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 64),
        ("9900000 100000", 64),
    ],
)
def test_cpu_quota_of_cgroup_2(kernel: FakeKernel, quota: str, cpus: int) -> None:
    kernel.write("cgroup/cpu.max", quota)
    assert kernel.cpus() == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("300000", 3), ("-1", 64), ("10000", 1)])
def test_cpu_quota_of_cgroup_1(kernel: FakeKernel, quota: str, cpus: int) -> None:
    kernel.write("cgroup/cpu/cpu.cfs_quota_us", quota)
    kernel.write("cgroup/cpu/cpu.cfs_period_us", "100000")
    assert kernel.cpus() == cpus


def test_a_quota_without_its_period_is_no_limit(kernel: FakeKernel) -> None:
    kernel.write("cgroup/cpu/cpu.cfs_quota_us", "300000")
    assert kernel.cpus() == 64


def test_limits_of_the_own_cgroup_2_and_of_those_around_it(kernel: FakeKernel) -> None:
    """As under SLURM or systemd without a container: the root itself has no limit."""
    kernel.write("membership", "0::/system.slice/job_7/step_0")
    kernel.write("cgroup/system.slice/job_7/step_0/cpu.max", "max 100000")
    kernel.write("cgroup/system.slice/job_7/cpu.max", "400000 100000")
    kernel.write("cgroup/system.slice/job_7/step_0/memory.max", str(10 * GIB))
    kernel.write("cgroup/system.slice/memory.max", str(20 * GIB))
    kernel.write("cgroup/system.slice/job_8/memory.max", str(1 * GIB))
    assert kernel.cpus() == 4
    assert kernel.memory_gb() == pytest.approx(10 * GIB / 1e9, rel=1e-12)


def test_limits_of_the_own_cgroup_1(kernel: FakeKernel) -> None:
    kernel.write("membership", "9:name=systemd:/x\n4:memory:/job/7\n2:cpu,cpuacct:/job/7\n0::/")
    kernel.write("cgroup/memory/job/7/memory.limit_in_bytes", str(3 * GIB))
    kernel.write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
    kernel.write("cgroup/cpu/job/7/cpu.cfs_quota_us", "500000")
    kernel.write("cgroup/cpu/job/7/cpu.cfs_period_us", "100000")
    assert kernel.memory_gb() == pytest.approx(3 * GIB / 1e9, rel=1e-12)
    assert kernel.cpus() == 5


def test_a_container_that_shows_only_the_root(kernel: FakeKernel) -> None:
    kernel.write("membership", "0::/docker/abc")
    kernel.write("cgroup/cpu.max", "200000 100000")
    kernel.write("cgroup/memory.max", str(2 * GIB))
    assert kernel.cpus() == 2
    assert kernel.memory_gb() == pytest.approx(2 * GIB / 1e9, rel=1e-12)


@pytest.mark.parametrize(("value", "cpus"), [("8", 8), ("128", 64), ("0", 64), ("x", 64), ("", 64)])
def test_slurm_cpus(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, value: str, cpus: int
) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", value)
    assert kernel.cpus() == cpus


def test_the_narrowest_limit_wins(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.write("cgroup/cpu.max", "600000 100000")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "5")
    assert kernel.cpus() == 5
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 9})
    assert kernel.cpus() == 2


def test_free_memory_counts_in_units_of_1024_bytes(kernel: FakeKernel) -> None:
    assert kernel.memory_gb() == pytest.approx(65.536, rel=1e-12)


def test_without_meminfo_the_physical_memory_counts(kernel: FakeKernel) -> None:
    kernel.meminfo.unlink()
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    assert kernel.memory_gb() == pytest.approx(physical, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "text", "gigabytes"),
    [
        ("memory.max", str(4 * GIB), 4 * GIB / 1e9),
        ("memory.max", "max", 65.536),
        ("memory/memory.limit_in_bytes", str(5 * GIB), 5 * GIB / 1e9),
        ("memory/memory.limit_in_bytes", "9223372036854771712", 65.536),
    ],
)
def test_memory_limit_of_cgroups(
    kernel: FakeKernel, name: str, text: str, gigabytes: float
) -> None:
    kernel.write(f"cgroup/{name}", text)
    assert kernel.memory_gb() == pytest.approx(gigabytes, rel=1e-12)


@pytest.mark.parametrize(
    ("variables", "gigabytes"),
    [
        ({"SLURM_MEM_PER_NODE": "16384"}, 16 * GIB / 1e9),
        ({"SLURM_MEM_PER_CPU": "4096", "SLURM_CPUS_ON_NODE": "3"}, 12 * GIB / 1e9),
        # --mem=0 asks for all of the node.
        ({"SLURM_MEM_PER_NODE": "0"}, 65.536),
        ({"SLURM_MEM_PER_CPU": "4096"}, 65.536),
        ({"SLURM_MEM_PER_NODE": "999999999"}, 65.536),
    ],
)
def test_slurm_memory(
    kernel: FakeKernel,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    gigabytes: float,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert kernel.memory_gb() == pytest.approx(gigabytes, rel=1e-12)


@pytest.mark.parametrize(
    ("processes", "threads", "memory_gb", "cpus", "expected"),
    [
        (None, None, 64.0, 8, Workers(1, 8)),
        (4, None, 64.0, 8, Workers(4, 2)),
        (3, None, 64.0, 8, Workers(3, 2)),
        (4, 5, 64.0, 8, Workers(4, 5)),
        (16, None, 64.0, 4, Workers(10, 1)),
        (4, None, 13.0, 8, Workers(2, 4)),
        (4, None, 2.0, 8, Workers(1, 8)),
        (None, 3, 64.0, 8, Workers(1, 3)),
        (2, None, 2 * SESSION_MEMORY_GB, 1, Workers(2, 1)),
    ],
)
def test_sharing_the_machine(
    processes: int | None, threads: int | None, memory_gb: float, cpus: int, expected: Workers
) -> None:
    assert plan_workers(processes, threads, memory_gb, cpus=cpus) == expected


def test_memory_the_user_allows_wins_over_free_memory() -> None:
    assert plan_workers(4, None, 12.5, cpus=8, free_memory_gb=100.0) == Workers(2, 4)
    assert plan_workers(4, None, None, cpus=8, free_memory_gb=12.5) == Workers(2, 4)


@given(
    st.none() | st.integers(1, 100),
    st.none() | st.integers(1, 100),
    st.floats(0.001, 1e4),
    st.integers(1, 256),
)
def test_no_plan_takes_more_memory_or_cpus_than_there_are(
    processes: int | None, threads: int | None, memory_gb: float, cpus: int
) -> None:
    plan = plan_workers(processes, threads, memory_gb, cpus=cpus)
    assert 1 <= plan.processes <= (processes or 1)
    assert plan.processes == 1 or plan.processes * SESSION_MEMORY_GB <= memory_gb
    if threads is None:
        assert plan.threads == 1 or plan.threads * plan.processes <= cpus
    else:
        assert plan.threads == threads


def test_the_real_machine_gives_sensible_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    cpus, memory = available_cpus(), available_memory_gb()
    assert 1 <= cpus <= (os.cpu_count() or 1)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    assert 0 < memory <= physical
    plan = plan_workers()
    assert plan.processes == 1
    assert plan.threads == cpus
