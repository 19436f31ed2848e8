"""What happens around the work of a run."""

import errno
from pathlib import Path

import pytest

from bids_app.errors import ExitCode
from bids_app.options.settings import Settings
from bids_app.running.logged_run import run_logged


def test_a_disk_that_is_full_at_the_first_file_has_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(settings.output_dir))

    monkeypatch.setattr("bids_app.running.logged_run.write_dataset_files", fail)
    settings = Settings(tmp_path / "in", tmp_path / "out", "participant")
    assert run_logged(settings, lambda _: ExitCode.OK) is ExitCode.IO_FAILURE
    lines = capsys.readouterr().err.splitlines()
    assert "No space left on device" in lines[0]
    assert lines[-1] == "ERROR   exit code 74 (IO_FAILURE)"
    (log,) = (tmp_path / "out" / "logs").glob("run-*.log")
    assert log.read_text(encoding="utf-8").endswith("exit code 74 (IO_FAILURE)\n")
