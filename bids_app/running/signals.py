"""A run ends as it should when it is told to: SIGINT, SIGTERM and SIGHUP do the same.

Before there is anything to tidy the process leaves at once (:func:`leave_on_signals`). A run that
works raises KeyboardInterrupt, which unwinds it (:func:`unwind_on_signals`). Code of libraries that
does not come back in time, or swallows the exception, is not waited for: scratch and workers go,
the last line is written, and the process ends. A signal that the caller ignores, as ``nohup`` does,
stays ignored.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from bids_app.errors import ExitCode

INTERRUPTED = "myomids: interrupted. Run the same command again to resume."

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What a run may take to unwind; docker stop kills after 10 s.
_UNWIND_SECONDS = 7.0


def leave_on_signals() -> None:
    """Leave at once, without a traceback, when told to end: nothing has been written yet."""
    for number in _heeded():
        signal.signal(number, _leave)


@contextmanager
def unwind_on_signals(by_force: Callable[[], None]) -> Iterator[None]:
    """Raise KeyboardInterrupt when told to end; `by_force` tidies if that leads to nothing.

    Only the main thread can have this; in others nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _heeded()}
    told, telling = socket.socketpair()
    telling.setblocking(False)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(told, ended, by_force), daemon=True)
    # Python tells this socket of a signal even while code of a library keeps it from the handler.
    earlier = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    watch.start()
    for number in before:
        signal.signal(number, _unwind)
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, handler)
        telling.close()
        watch.join()
        told.close()


def ignore_signals() -> None:
    """Let no signal that we heed contradict what the last line of a run says."""
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            if signal.getsignal(number) in (_leave, _unwind):
                signal.signal(number, signal.SIG_IGN)


def _heeded() -> list[signal.Signals]:
    return [n for n in _ENDING if signal.getsignal(n) not in (signal.SIG_IGN, None)]


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - Python's signature
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(ExitCode.TRY_AGAIN)


def _unwind(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - Python's signature
    # A batch system tells every process of a job, some several times: once is enough.
    ignore_signals()
    raise KeyboardInterrupt


def _watch(told: socket.socket, ended: threading.Event, by_force: Callable[[], None]) -> None:
    """End the process if it was told to and has not unwound in time."""
    while heard := told.recv(64):
        if set(heard) & set(_ENDING) and not ended.wait(_UNWIND_SECONDS):
            by_force()
            os._exit(ExitCode.TRY_AGAIN)
