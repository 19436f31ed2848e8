"""How many tasks run side by side, given CPUs and memory."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.limits import available_cpus, available_memory_gb
from bids_app.running.machine import SESSION_MEMORY_GB, Workers, plan_workers


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


def test_the_real_machine_gives_sensible_numbers() -> None:
    cpus, memory = available_cpus(), available_memory_gb()
    assert 1 <= cpus <= (os.cpu_count() or 1)
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    assert 0 < memory <= physical
    plan = plan_workers()
    assert plan.processes == 1
    assert plan.threads == cpus
