"""The participant level as an orchestrator calls it: one participant of a sparse clone, by job.

BABS and its like clone a dataset without its content, fetch one participant, trust the exit code
and zip what lies below the output folder. tests/container/test_apptainer.py does it with the SIF.
"""

import os
import shutil
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.small_dataset import make_dataset, make_label_maps

PARTICIPANTS = ("01", "02")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a job: images are links into .git/annex, and only sub-01 was fetched."""
    folder = tmp_path / "job"
    clone = make_dataset(folder / "inputs" / "data" / "BIDS", PARTICIPANTS)
    make_label_maps(tmp_path / "labels", PARTICIPANTS)
    for number, image in enumerate(sorted(clone.rglob("*.nii.gz"))):
        content = clone / ".git" / "annex" / "objects" / f"key{number}"
        content.parent.mkdir(parents=True, exist_ok=True)
        image.rename(content)
        if "sub-02" in image.name:
            content.unlink()
        image.symlink_to(os.path.relpath(content, image.parent))
    monkeypatch.chdir(folder)
    return folder


def run(job: Path, label: str) -> int:
    return main([
        "inputs/data/BIDS", "outputs/myomids", "participant", "-w", ".git/tmp/wkdir",
        "--derivatives", f"labels={job.parent / 'labels'}",
        "--skip-bids-validation", "--participant-label", label,
    ])  # fmt: skip


def test_one_participant(job: Path) -> None:
    assert run(job, "sub-01") == ExitCode.OK
    assert sorted(path.name for path in job.iterdir()) == [".git", "inputs", "outputs"]
    assert sorted(path.name for path in (job / "outputs").iterdir()) == ["myomids"]
    assert not list((job / "outputs" / "myomids").glob("sub-02*"))


def test_content_that_was_not_fetched(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(job, "sub-02") == ExitCode.INPUT_MISSING
    printed = capsys.readouterr().err
    assert "datalad get" in printed
    assert printed.splitlines()[-1].endswith("exit code 66 (INPUT_MISSING)")
    assert not list((job / "outputs" / "myomids").glob("sub-02*"))


def test_zips_of_jobs_are_merged(job: Path, tmp_path: Path) -> None:
    """Zips unpacked over one another are one dataset; a later run takes it as complete."""
    for label in PARTICIPANTS:
        make_dataset(tmp_path / f"in-{label}", PARTICIPANTS)
        out = tmp_path / f"out-{label}"
        maps = f"labels={tmp_path / 'labels'}"
        arguments = [str(tmp_path / f"in-{label}"), str(out), "participant"]
        options = ["--participant-label", f"sub-{label}", "--derivatives", maps]
        assert main([*arguments, *options]) == ExitCode.OK
        archive = shutil.make_archive(str(tmp_path / label), "zip", out)
        shutil.unpack_archive(archive, tmp_path / "merged")
    complete = tmp_path / "merged" / "logs" / "complete"
    assert sorted(p.name for p in complete.iterdir()) == ["sub-01.json", "sub-02.json"]
    before = (tmp_path / "merged" / "sub-01.html").stat().st_mtime_ns
    arguments = [str(tmp_path / "in-01"), str(tmp_path / "merged"), "participant"]
    assert main([*arguments, "--derivatives", f"labels={tmp_path / 'labels'}"]) == ExitCode.OK
    assert (tmp_path / "merged" / "sub-01.html").stat().st_mtime_ns == before
