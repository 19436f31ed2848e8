"""Names of output files, and folders that cannot be written to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bids_app.errors import AppError
from bids_app.files.derivatives import StackNames, prepare_output, sidecar
from bids_app.session_id import SessionId

SESSION = SessionId("01", "pre")
NOBODY = 65534


@pytest.mark.parametrize(
    ("session", "name", "folder", "report"),
    [
        (SessionId("01"), "sub-01", "sub-01", "sub-01.html"),
        (SESSION, "sub-01_ses-pre", "sub-01/ses-pre", "sub-01_ses-pre.html"),
    ],
)
def test_names_of_a_session(session: SessionId, name: str, folder: str, report: str) -> None:
    assert session.name == name
    assert session.folder == Path(folder)
    assert session.report == Path(report)
    assert session.figures == Path("sub-01/figures")


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (StackNames(SessionId("01")), "sub-01/mr-quant/sub-01_"),
        (
            StackNames(SESSION, "acq-dixon_chunk-1"),
            "sub-01/ses-pre/mr-quant/sub-01_ses-pre_acq-dixon_chunk-1_",
        ),
    ],
)
def test_names_of_a_stack(names: StackNames, prefix: str) -> None:
    assert [
        p.as_posix()
        for p in (names.fat_fraction, names.labels, names.lookup, names.stats, names.profile)
    ] == [
        prefix + "FF.nii.gz",
        prefix + "desc-muscles_dseg.nii.gz",
        prefix + "desc-muscles_dseg.tsv",
        prefix + "desc-muscles_stats.tsv",
        prefix + "desc-muscles_profile.tsv",
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("sub-01/x_FF.nii.gz", "sub-01/x_FF.json"),
        ("x_desc-muscles_stats.tsv", "x_desc-muscles_stats.json"),
        ("x_desc-v1.5_FF.nii.gz", "x_desc-v1.5_FF.json"),
    ],
)
def test_sidecars_stand_beside_their_file(path: str, expected: str) -> None:
    assert sidecar(Path(path)) == Path(expected)


def test_names_of_different_sessions_never_meet() -> None:
    sessions = [SessionId(p, s) for p in ("1", "01", "11") for s in (None, "1", "01", "11")]
    stacks = [StackNames(s, e) for s in sessions for e in ("", "acq-a", "run-1")]
    assert len({stack.stats for stack in stacks}) == len(stacks)


def test_the_output_folder_is_made(tmp_path: Path) -> None:
    prepare_output(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    prepare_output(tmp_path / "a" / "b")


def _assert_cannot_create(output_dir: Path, reason: str) -> None:
    with pytest.raises(AppError) as caught:
        prepare_output(output_dir)
    assert caught.value.message == (
        f"The output folder {output_dir} cannot be written to: {reason}."
    )
    assert int(caught.value.exit_code) == 73
    assert caught.value.hint.startswith("Check its permissions and free space; in a container")


def test_a_file_in_the_place_of_the_output_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    _assert_cannot_create(tmp_path / "file", "File exists")
    _assert_cannot_create(tmp_path / "file" / "below", "Not a directory")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_read_only_disk(read_only_disk: Path) -> None:
    _assert_cannot_create(read_only_disk, "Read-only file system")
    _assert_cannot_create(read_only_disk / "new", "Read-only file system")


@pytest.fixture
def forbidden_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder this process may not write to; root, who may always, becomes an ordinary user."""
    folder = tmp_path_factory.mktemp("forbidden")
    parents = [p for p in folder.parents if p.is_relative_to(tmp_path_factory.getbasetemp())]
    parents.append(tmp_path_factory.getbasetemp().parent)
    modes = {p: p.stat().st_mode for p in parents}
    folder.chmod(0o555)
    root = os.access(folder, os.W_OK)
    try:
        if root:
            for parent in parents:
                parent.chmod(0o755)
            os.seteuid(NOBODY)
        yield folder
    finally:
        if root:
            os.seteuid(0)
            for parent, mode in modes.items():
                parent.chmod(mode)
        folder.chmod(0o755)


def test_a_folder_without_permission(forbidden_folder: Path) -> None:
    _assert_cannot_create(forbidden_folder, "Permission denied")
    _assert_cannot_create(forbidden_folder / "new", "Permission denied")
    assert list(forbidden_folder.iterdir()) == []
