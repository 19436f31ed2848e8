"""Wall time and peak memory of steps."""

import time
from pathlib import Path

import pytest

from bids_app.running import resources
from bids_app.running.resources import ResourceMonitor


@pytest.fixture
def fake_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "status").write_text("Name:\tpython\nVmHWM:\t   5000 kB\nVmRSS:\t 10 kB\n")
    monkeypatch.setattr(resources, "_PROC", tmp_path)
    return tmp_path


def test_steps_are_recorded_in_order_with_their_wall_time() -> None:
    monitor = ResourceMonitor()
    with monitor.step("sleep"):
        time.sleep(0.05)
    with monitor.step("nothing"):
        pass
    assert [step.name for step in monitor.steps] == ["sleep", "nothing"]
    assert 0.05 <= monitor.steps[0].seconds < 1.0
    assert 0.0 <= monitor.steps[1].seconds < 0.05


def test_the_high_water_mark_is_read_in_megabytes(fake_proc: Path) -> None:
    monitor = ResourceMonitor()
    with monitor.step("step"):
        pass
    assert monitor.steps[0].peak_memory_mb == pytest.approx(5.12)  # 5000 * 1024 bytes


def test_the_high_water_mark_is_set_back_before_each_step(fake_proc: Path) -> None:
    with ResourceMonitor().step("step"):
        assert (fake_proc / "clear_refs").read_text() == "5"


def test_a_kernel_that_forbids_setting_it_back_is_no_error(fake_proc: Path) -> None:
    (fake_proc / "clear_refs").mkdir()
    monitor = ResourceMonitor()
    with monitor.step("step"):
        pass
    assert monitor.steps[0].peak_memory_mb == pytest.approx(5.12)


def test_a_kernel_without_the_mark_gives_zero(fake_proc: Path) -> None:
    (fake_proc / "status").write_text("Name:\tpython\n")
    monitor = ResourceMonitor()
    with monitor.step("step"):
        pass
    assert monitor.steps[0].peak_memory_mb == 0.0


def test_a_step_that_fails_is_recorded_and_its_error_goes_on() -> None:
    monitor = ResourceMonitor()
    with pytest.raises(ValueError, match="broken"), monitor.step("fails"):
        raise ValueError("broken")
    assert [step.name for step in monitor.steps] == ["fails"]


def test_memory_of_a_step_is_seen_and_not_blamed_on_the_next() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("the kernel does not allow setting the peak memory back here")
    size = 150_000_000
    monitor = ResourceMonitor()
    with monitor.step("small"):
        pass
    with monitor.step("large"):
        block = bytearray(b"x") * size
        del block
    with monitor.step("small again"):
        pass
    small, large, again = (step.peak_memory_mb for step in monitor.steps)
    assert large - small == pytest.approx(150, abs=15)
    assert again < large - 100
