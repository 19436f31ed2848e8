"""A fresh process of this machine that works on one task at a time, and does not outlive us.

Only pipes are used: locks and queues of ``multiprocessing`` need ``/dev/shm``, which some
containers lack.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from bids_app.errors import ExitCode

# A terminal or batch system sends them to all processes; the parent says what becomes of workers,
# which have them blocked from their first moment.
_OF_THE_PARENT = (signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
# From -1000 (never) to 1000 (first): what the kernel ends when memory runs out.
_OOM_SCORE = "500"


class WorkerDiedError(Exception):
    """The process of a worker ended before it gave an answer."""


class WorkerProcess:
    """Started when it is made; `start` is called in it before its first task."""

    def __init__(self, start: Callable[[], None]) -> None:
        # Fresh processes: forked ones would inherit the threads of numerical libraries and hang.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, start))
        resource_tracker.ensure_running()  # would unblock them
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_PARENT)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()

    def give(self, function: Callable[[Any], Any], task: Any) -> None:
        """Send a task, whose answer makes :attr:`connection` ready."""
        try:
            self.connection.send((function, task))
        except OSError as error:
            raise WorkerDiedError from error

    def answer(self) -> Any:
        """Wait for the answer to the task, or raise the error that it ended with."""
        try:
            result, error = self.connection.recv()
        except (EOFError, OSError) as died:
            raise WorkerDiedError from died
        if error is not None:
            raise error
        return result

    def stop(self) -> None:
        """Tell the process to give up its task, without waiting for it."""
        self._process.terminate()

    def close(self, seconds: float = 0.0) -> None:
        """See that the process ends, by itself in so many seconds or by force."""
        self.connection.close()
        self._process.join(seconds)
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, start: Callable[[], None]) -> None:
    """Work on tasks until there is nobody to give any; runs in the worker."""
    _end_with_parent()
    _be_first_to_go()
    signal.signal(signal.SIGTERM, _unwind)
    start()
    while True:
        try:
            function, task = connection.recv()
        except EOFError:
            return
        answer = _answer(function, task)
        try:
            connection.send(answer)
        except OSError:
            return
        except Exception as error:  # it cannot be pickled
            connection.send((None, error))


def _answer(function: Callable[[Any], Any], task: Any) -> tuple[Any, Exception | None]:
    try:
        return function(task), None
    except Exception as error:
        error.add_note(traceback.format_exc())
        return None, error


def _end_with_parent() -> None:
    """End when the parent is killed: Linux does it at once, a thread elsewhere."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "no worker but the main process"

    def watch() -> None:
        parent.join()
        os._exit(ExitCode.TRY_AGAIN)

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It also sees a parent that died before this was called.
    threading.Thread(target=watch, daemon=True).start()


def _be_first_to_go() -> None:
    """Have the kernel end workers before the parent if memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")


def _unwind(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - Python's signature
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(int(ExitCode.TRY_AGAIN))
