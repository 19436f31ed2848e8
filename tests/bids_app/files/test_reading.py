import os
from pathlib import Path

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.files.reading import read_bytes, read_text
from bids_app.files.tables import read_tsv
from tests.bids_app.mids_tree import make_tree


def refusal(path: Path, read=read_bytes) -> AppError:
    with pytest.raises(AppError) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def test_content(tmp_path):
    root = make_tree(tmp_path, {"a": b"\x00\xff", "b": b"\xef\xbb\xbfM\xc3\xbcller"})
    assert read_bytes(root / "a") == b"\x00\xff"
    assert read_text(root / "b") == "Müller"


@pytest.mark.parametrize("read", [read_bytes, read_text, read_tsv])
def test_a_pipe_is_refused_at_once(tmp_path, read):
    path = tmp_path / "scores.tsv"
    os.mkfifo(path)
    error = refusal(path, read)
    assert error.exit_code == ExitCode.INPUT_MISSING
    assert error.message == f"{path} is no regular file but a pipe or a device."


def test_a_device_is_refused_at_once(tmp_path):
    path = tmp_path / "participants.tsv"
    path.symlink_to("/dev/zero")
    assert "is no regular file" in refusal(path, read_tsv).message


def test_dangling_annex_link(tmp_path):
    root = make_tree(
        tmp_path, {"sub/a.nii.gz": Path("../.git/annex/objects/1/2/MD5E-s1--0.nii.gz")}
    )
    error = refusal(root / "sub/a.nii.gz")
    assert error.exit_code == ExitCode.INPUT_MISSING
    assert "is not here, only a reference to it" in error.message
    assert error.hint == f"Fetch it first: datalad get {root / 'sub/a.nii.gz'}"


def test_other_dangling_link(tmp_path):
    root = make_tree(tmp_path, {"a.nii.gz": Path("/mnt/scanner/1.nii.gz")})
    error = refusal(root / "a.nii.gz")
    assert error.exit_code == ExitCode.INPUT_MISSING
    assert "is a link to /mnt/scanner/1.nii.gz, which does not exist" in error.message
    assert "mount the folder that the link points to" in error.hint


@pytest.mark.parametrize(
    ("content", "command"),
    [
        ("/annex/objects/MD5E-s123--abc.nii.gz\n", "datalad get"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull --include"),
    ],
)
def test_placeholder_files(tmp_path, content, command):
    root = make_tree(tmp_path, {"a.nii.gz": content})
    error = refusal(root / "a.nii.gz")
    assert error.exit_code == ExitCode.INPUT_MISSING
    assert error.hint == f"Fetch it first: {command} {root / 'a.nii.gz'}"


def test_not_utf8(tmp_path):
    root = make_tree(tmp_path, {"a.json": "Müller".encode("latin-1")})
    error = refusal(root / "a.json", read_text)
    assert error.exit_code == ExitCode.BAD_DATA
    assert "is not UTF-8 text (byte 1)" in error.message


def test_link_loop(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "a")
    error = refusal(tmp_path / "a")
    assert error.exit_code == ExitCode.IO_FAILURE
    assert "Too many levels of symbolic links" in error.message
