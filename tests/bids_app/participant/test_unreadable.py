"""Participants that cannot be read fail by themselves, by name; the others run."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bids_app.cli import main
from bids_app.errors import ExitCode
from tests.bids_app.small_dataset import make_dataset, make_label_maps


def _link(name: str, target: str | None = None) -> Callable[[Path], Path]:
    """Put a link in the place of something; to itself if no target is given."""

    def damage(dataset: Path) -> Path:
        path = dataset / name
        if path.exists():
            path.rename(dataset / ("." + name.replace("/", "-")))
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(path if target is None else target)
        return path

    return damage


def _pipe(name: str) -> Callable[[Path], Path]:
    def damage(dataset: Path) -> Path:
        (dataset / name).unlink()
        os.mkfifo(dataset / name)
        return dataset / name

    return damage


def _folder(name: str) -> Callable[[Path], Path]:
    def damage(dataset: Path) -> Path:
        (dataset / name).unlink()
        (dataset / name).mkdir()
        return dataset / name

    return damage


LOOP, ABSENT = "Too many levels of symbolic links", "No such file or directory"
# What is damaged, the promised code, and words of the message beside the path.
KINDS: dict[str, tuple[Callable[[Path], Path], ExitCode, str]] = {
    "02": (_link("sub-02"), ExitCode.IO_FAILURE, LOOP),
    "03": (_link("sub-03", "nowhere"), ExitCode.INPUT_MISSING, ABSENT),
    "04": (_link("sub-04/mr-quant"), ExitCode.IO_FAILURE, LOOP),
    "05": (_link("sub-05/mr-quant/sub-05_FAT.nii.gz"), ExitCode.IO_FAILURE, LOOP),
    "06": (
        _link("sub-06/mr-quant/sub-06_FAT.nii.gz", "x" * 300),
        ExitCode.IO_FAILURE,
        "File name too long",
    ),
    "07": (_link("sub-07/mr-quant/sub-07_FAT.json"), ExitCode.IO_FAILURE, LOOP),
    "08": (_pipe("sub-08/mr-quant/sub-08_WATER.nii.gz"), ExitCode.INPUT_MISSING, "a pipe"),
    "09": (
        _folder("sub-09/mr-quant/sub-09_WATER.nii.gz"),
        ExitCode.NOTHING_SELECTED,
        "no water image",
    ),
    "10": (_link("sub-10/mr-quant", "x" * 300), ExitCode.IO_FAILURE, "File name too long"),
}
SESSIONS = {"11": (_link("sub-11/ses-1"), ExitCode.IO_FAILURE, LOOP)}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    participants = ("01", *KINDS, "12", "13")
    make_label_maps(tmp_path / "truth", participants)
    return make_dataset(tmp_path / "in", participants)


def _refuse(monkeypatch: pytest.MonkeyPatch, *folders: str) -> None:
    """Refuse to list folders, as the system does for others than root."""
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if str(path).endswith(folders):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


def _run(dataset: Path, *options: str) -> int:
    maps = f"truth={dataset.parent / 'truth'}"
    folders = [str(dataset), str(dataset.parent / "out")]
    return main([*folders, "participant", "--derivatives", maps, *options])


def test_each_fails_alone_and_by_name(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = KINDS | SESSIONS
    paths = {label: damage(dataset) for label, (damage, _, _) in kinds.items()}
    _refuse(monkeypatch, "sub-12", "sub-13/mr-quant")
    assert _run(dataset) == ExitCode.PARTIAL
    logs = dataset.parent / "out" / "logs"
    assert [path.stem for path in (logs / "complete").iterdir()] == ["sub-01"]
    reasons = {path.stem: json.loads(path.read_text()) for path in (logs / "failed").iterdir()}
    found = {name: (one["ExitCode"], one["Message"]) for name, one in reasons.items()}
    assert sorted(found) == [f"sub-{n:02}" for n in range(2, 11)] + [
        "sub-11_ses-1",
        "sub-12",
        "sub-13",
    ]
    for label, (_, code, words) in kinds.items():
        name = f"sub-{label}_ses-1" if label in SESSIONS else f"sub-{label}"
        assert found[name][0] == code, found[name]
        assert words in found[name][1]
        if code != ExitCode.NOTHING_SELECTED:
            assert str(paths[label]) in found[name][1]
    for name, folder in (("sub-12", "sub-12"), ("sub-13", "sub-13/mr-quant")):
        message = f"The folder {dataset / folder} cannot be read: Permission denied."
        assert found[name] == (ExitCode.INPUT_MISSING, message)
    assert "Traceback" not in capsys.readouterr().err


def test_one_alone_ends_the_run_with_its_own_code(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _link("sub-02")(dataset)
    _refuse(monkeypatch, "sub-12")
    for label, code in (("02", ExitCode.IO_FAILURE), ("12", ExitCode.INPUT_MISSING)):
        for options in ((), ("--dry-run",), ("--session-label", "1")):
            assert _run(dataset, "--participant-label", label, *options) == code
            printed = "".join(capsys.readouterr())
            assert str(dataset / f"sub-{label}") in printed
            assert "Traceback" not in printed
