"""No more of a file is read and unpacked than its header promises, and than memory holds."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.files.images import load_volume
from tests.bids_app.mids_tree import nifti_bytes

DATA = np.arange(1, 61, dtype=np.int16).reshape(4, 5, 3)
MB = 2**20


def _refusal(path: Path) -> AppError:
    with pytest.raises(AppError) as caught:
        load_volume(path)
    assert caught.value.exit_code is ExitCode.BAD_DATA
    return caught.value


def _promising(*shape: int) -> bytes:
    """Return a small image whose header promises a large one."""
    raw = bytearray(nifti_bytes(DATA))
    struct.pack_into("<4h", raw, 40, len(shape), *shape)
    return bytes(raw)


def _bomb(path: Path, start: bytes, megabytes: int, filling: bytes = b"\0") -> Path:
    with gzip.open(path, "wb", 9) as packed:
        packed.write(start)
        for _ in range(megabytes):
            packed.write(filling * MB)
    return path


@pytest.mark.parametrize("filling", [b"\0", b"x"])
def test_a_gzip_that_expands_beyond_its_header_is_not_unpacked(
    filling: bytes, tmp_path: Path
) -> None:
    path = _bomb(tmp_path / "scan.nii.gz", nifti_bytes(DATA), 200, filling)
    assert path.stat().st_size < MB
    tracemalloc.start()
    try:
        error = _refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.message == f"{path} goes on long after the 472 bytes that its header promises."
    assert peak < 20 * MB


def test_a_file_of_zeros_beyond_its_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    path.write_bytes(nifti_bytes(DATA))
    with path.open("r+b") as stream:
        stream.truncate(2**40)
    assert "goes on long after the 472 bytes that its header promises" in _refusal(path).message


def test_what_memory_cannot_hold_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bids_app.files.image_bytes.memory_of_process_gb", lambda: 2.0)
    path = _bomb(tmp_path / "scan.nii.gz", _promising(1500, 1000, 500), 1)
    error = _refusal(path)
    assert error.message == (
        f"{path} needs 3.0 GB of memory (1500 x 1000 x 500 voxels), and 2.0 GB are there."
    )
    assert "more memory, or with fewer --nprocs" in error.hint


@pytest.mark.parametrize(("slope", "needed"), [(1.0, 592), (0.0, 592), (2.0, 952)])
def test_the_figure_counts_what_is_stored_and_the_array(
    slope: float, needed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = bytearray(nifti_bytes(DATA))
    struct.pack_into("<f", raw, 112, slope)
    path = tmp_path / "scan.nii"
    path.write_bytes(raw)
    module = "bids_app.files.image_bytes.memory_of_process_gb"
    monkeypatch.setattr(module, lambda: needed / 1e9)
    assert load_volume(path).data.shape == DATA.shape
    monkeypatch.setattr(module, lambda: (needed - 1) / 1e9)
    assert "GB of memory" in _refusal(path).message


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_shorter_than_its_header_promises_is_truncated(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / ("scan.nii.gz" if packed else "scan.nii")
    raw = _promising(400, 500, 30)
    path.write_bytes(gzip.compress(raw) if packed else raw)
    message = f"{path} is truncated: 11999880 of 12000000 bytes are missing."
    assert _refusal(path).message == message


def test_a_packed_file_that_ends_anywhere_is_truncated(tmp_path: Path) -> None:
    whole = gzip.compress(nifti_bytes(np.arange(6000, dtype=np.int16).reshape(20, 30, 10)))
    path = tmp_path / "scan.nii.gz"
    for kept in (5, 100, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:kept])
        message = f"{path} is truncated: the compressed data end too early."
        assert _refusal(path).message == message


@pytest.mark.parametrize(("rest", "count"), [(b"abc", 3), (b"\0" * 9 + b"x", 10), (b"", 3 * MB)])
def test_something_after_the_packed_image_is_refused(
    rest: bytes, count: int, tmp_path: Path
) -> None:
    whole = gzip.compress(nifti_bytes(DATA))
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(whole + rest)
    with path.open("r+b") as stream:
        stream.truncate(len(whole) + count)
    message = f"{path} has {count} bytes of something else after the compressed image."
    assert _refusal(path).message == message
