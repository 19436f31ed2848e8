"""The bytes of an image file: no more than its header promises, and than memory holds."""

import math
import os
import zlib
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

from bids_app.errors import AppError, ExitCode
from bids_app.limits import memory_of_process_gb

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for "gzip header and check sum"

# Bytes that are read, and unpacked, at once.
_PACKED, _UNPACKED = 2**16, 2**20
# A NIfTI-2 header with the flag of its extensions.
_HEADER = 544
# Zeros that other software may leave after an image, bytes.
_MOST_PADDING = 2**20

_CONVERT_AGAIN = "Convert the scan again, or copy the file again from where it came."


class ImageBytes:
    """Content of an open image file, unpacked if it is compressed; `start` holds its header."""

    def __init__(self, path: Path, stream: BufferedReader) -> None:
        self._path = path
        packed = stream.peek(2).startswith(_GZIP)
        self._pieces = _unpacked(path, stream) if packed else _plain(stream)
        self.start = b""
        while len(self.start) < _HEADER and (piece := next(self._pieces, b"")):
            self.start += piece

    def read(self, end: int) -> bytes:
        """Return all of it, if it ends soon after so many bytes."""
        whole = BytesIO()
        whole.write(self.start)
        for piece in self._pieces:
            whole.write(piece)
            if whole.tell() > end + _MOST_PADDING:
                raise bad_image(
                    self._path, f"goes on long after the {end} bytes that its header promises"
                )
        return whole.getvalue()


def require_memory(path: Path, header: Any) -> int:
    """Return where the data of an image end, bytes; refuse one that memory cannot hold.

    It is held as it is stored, and as an array.
    """
    shape, stored = header.get_data_shape(), header.get_data_dtype()
    voxels = math.prod(int(n) for n in shape)
    scaled = header.get_slope_inter() not in {(None, None), (1.0, 0.0)}
    in_memory = 8 if scaled or stored.kind == "f" else stored.itemsize
    end: int = int(header.get_data_offset()) + voxels * stored.itemsize
    needed, there = (end + voxels * in_memory) / 1e9, memory_of_process_gb()
    if needed > there:
        raise bad_image(
            path,
            f"needs {needed:.1f} GB of memory ({' x '.join(map(str, shape))} voxels), and "
            f"{there:.1f} GB are there",
            "Run on a machine with more memory, or with fewer --nprocs. If the scan is not so "
            "large, its header is damaged: convert it again.",
        )
    return end


def bad_image(path: Path, problem: str, hint: str = _CONVERT_AGAIN) -> AppError:
    """Return what is said of an image that is refused."""
    return AppError(f"{path} {problem}.", ExitCode.BAD_DATA, hint)


def _plain(stream: BufferedReader) -> Iterator[bytes]:
    while piece := stream.read(_UNPACKED):
        yield piece


def _unpacked(path: Path, stream: BufferedReader) -> Iterator[bytes]:
    """Undo gzip, to the end, so that its check sum is verified."""
    packed = stream.read(_PACKED)
    while packed.startswith(_GZIP):
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            try:
                piece = member.decompress(packed, _UNPACKED)
            except zlib.error as error:
                raise bad_image(path, f"is a damaged gzip file: {error}") from error
            if piece:
                yield piece
            packed = member.unconsumed_tail
            if not (packed or member.eof):
                packed = stream.read(_PACKED)
                if not packed and not piece:
                    raise bad_image(path, "is truncated: the compressed data end too early")
        packed = member.unused_data
        packed += stream.read(_PACKED - len(packed))
    _require_padding(path, stream, packed)


def _require_padding(path: Path, stream: BufferedReader, rest: bytes) -> None:
    """Refuse anything but zeros after compressed data; `rest` is what was read of it."""
    more = os.fstat(stream.fileno()).st_size - stream.tell() + len(rest)
    if (rest + stream.read(_MOST_PADDING)).strip(b"\0") or more > _MOST_PADDING:
        raise bad_image(path, f"has {more} bytes of something else after the compressed image")
