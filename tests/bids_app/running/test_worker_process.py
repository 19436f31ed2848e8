"""A worker gives answers or errors, or is known to have died; it is gone when it is closed."""

import operator
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from bids_app.running.worker_process import WorkerDiedError, WorkerProcess


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    process = WorkerProcess(os.getpid)
    yield process
    process.close()


def _ask(worker: WorkerProcess, function: Callable[..., Any], task: Any) -> Any:
    worker.give(function, task)
    return worker.answer()


def test_answers_errors_and_death(worker: WorkerProcess) -> None:
    assert _ask(worker, abs, -3) == 3
    with pytest.raises(ValueError, match="invalid literal") as caught:
        _ask(worker, int, "x")
    (note,) = caught.value.__notes__
    assert note.startswith("Traceback")
    # What cannot be sent is said, and the worker goes on.
    with pytest.raises(TypeError, match="pickle"):
        _ask(worker, operator.call, threading.Lock)
    score = _ask(worker, Path.read_text, Path("/proc/self/oom_score_adj"))
    assert int(score) == 500
    worker.give(operator.call, partial(os._exit, 3))
    with pytest.raises(WorkerDiedError):
        worker.answer()
    with pytest.raises(WorkerDiedError):
        worker.give(abs, 1)


def test_it_is_gone_when_it_is_closed() -> None:
    for busy in (False, True):
        worker = WorkerProcess(os.getpid)
        process = psutil.Process(_ask(worker, operator.call, os.getpid))
        if busy:
            worker.give(operator.call, _wait)
            worker.stop()
        worker.close(30.0)
        assert not process.is_running()


def _wait() -> None:
    threading.Event().wait()
