"""Filling a disk to its last byte, and telling that it is full."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def lacks_space(write: Callable[[], object]) -> bool:
    """Tell whether a disk is too full; keeps no traceback, which would keep its files open."""
    try:
        write()
    except OSError as error:
        return error.errno == errno.ENOSPC
    return False


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Take every free byte of a disk."""
    filler = disk / "logs" / "filler"
    with filler.open("wb", buffering=0) as stream:
        while not lacks_space(lambda: stream.write(b"\0" * 4096)):
            pass
    try:
        yield
    finally:
        filler.unlink()
