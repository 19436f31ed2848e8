"""Standard streams that may be closed, full, or read by nobody."""

import os
import sys
from pathlib import Path


def open_closed_streams() -> None:
    """Lead streams that the caller closed nowhere; files opened later would take their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    # Python has none where a stream was closed.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it stays open
            setattr(sys, name, nowhere)


def drop_output() -> None:
    """Lead standard output nowhere if it cannot be written to: Python would try again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
