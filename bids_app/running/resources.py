"""Wall time and peak memory of each processing step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc/self")


@dataclass(frozen=True)
class Step:
    """What one step cost.

    Attributes
    ----------
    name : str
        Name of the step.
    seconds : float
        Wall time.
    peak_memory_mb : float
        Highest resident memory of this process during the step, MB.
    """

    name: str
    seconds: float
    peak_memory_mb: float


@dataclass
class ResourceMonitor:
    """Measures steps one after the other."""

    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure the body of a ``with`` statement as one step."""
        _reset_peak_memory()
        start = time.perf_counter()
        try:
            yield
        finally:
            self.steps.append(Step(name, time.perf_counter() - start, _peak_memory_mb()))


def _reset_peak_memory() -> None:
    """Set the kernel's high-water mark back, so that each step has its own peak."""
    try:
        (_PROC / "clear_refs").write_text("5", encoding="ascii")
    except OSError:
        # Not permitted in some containers: peaks are then those since the start of the process.
        return


def _peak_memory_mb() -> float:
    for line in (_PROC / "status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
