"""CPU and memory limits, from fake kernel files and a fake SLURM."""

import os
import resource
from pathlib import Path

import pytest

from bids_app.limits import available_cpus, available_memory_gb, memory_of_process_gb

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
    ("folder", "limit", "used", "prefix"),
    [
        ("cgroup", "memory.max", "memory.current", ""),
        ("cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
    ],
)
def test_what_a_cgroup_holds_is_not_there_but_files_are(
    folder: str, limit: str, used: str, prefix: str, kernel: FakeKernel
) -> None:
    kernel.write(f"{folder}/{limit}", str(4 * GIB))
    kernel.write(f"{folder}/{used}", str(3 * GIB))
    assert kernel.memory_gb() == pytest.approx(GIB / 1e9)
    statistics = {"anon": GIB, f"{prefix}active_file": GIB // 2, f"{prefix}inactive_file": GIB // 4}
    text = "\n".join(f"{name} {value}" for name, value in statistics.items())
    kernel.write(f"{folder}/memory.stat", text)
    assert kernel.memory_gb() == pytest.approx(1.75 * GIB / 1e9)
    kernel.write(f"{folder}/{used}", str(9 * GIB))
    kernel.write(f"{folder}/memory.stat", "anon 1")
    assert kernel.memory_gb() == 0.0


def test_an_address_space_limit_counts_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bids_app.limits.available_memory_gb", lambda: 50.0)
    assert memory_of_process_gb() == 50.0
    monkeypatch.setattr(resource, "getrlimit", lambda _: (2**50, 2**50))
    assert memory_of_process_gb() == 50.0
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (taken + 3 * 10**9, 2**50))
    assert memory_of_process_gb() == pytest.approx(3.0, abs=0.2)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (taken // 2, 2**50))
    assert memory_of_process_gb() == 0.0
