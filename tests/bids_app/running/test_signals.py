"""How a process ends that is told to, whatever it is doing: programs of their own are told."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bids_app.errors import ExitCode
from bids_app.running.signals import INTERRUPTED, ignore_signals, unwind_on_signals

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
Start = Callable[..., "subprocess.Popen[str]"]

_PROGRAM = """
import hashlib, os, signal, sys, time
from functools import partial
from bids_app.running import signals
signals._UNWIND_SECONDS = float(sys.argv[1])
"""
_UNWINDS = (
    _PROGRAM
    + """
try:
    with signals.unwind_on_signals(lambda: print("tidied", flush=True)):
        try:
            print("ready", flush=True)
            time.sleep(600)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # once more, while it tidies
            print("unwound", flush=True)
except KeyboardInterrupt:
    sys.exit(75)
"""
)
_SWALLOWS = (
    _PROGRAM
    + """
with signals.unwind_on_signals(lambda: print("tidied", flush=True)):
    for word in ("ready", "again"):
        try:
            print(word, flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            pass
"""
)
_IN_LIBRARY = (
    _PROGRAM
    + """
with signals.unwind_on_signals(lambda: print("tidied", flush=True)):
    work = partial(hashlib.pbkdf2_hmac, "sha256", b"", b"", 2**31 - 1)
    try:
        print("ready", flush=True)
        work()
    except KeyboardInterrupt:  # told before it began
        work()
"""
)
_GOES_ON = (
    _PROGRAM
    + """
with signals.unwind_on_signals(lambda: print("tidied", flush=True)):
    print("ready", flush=True)
    sys.stdin.readline()
    print("went on")
"""
)
_IMPORTS = """
import importlib.abc, os, signal, sys

module, number = sys.argv[1], int(sys.argv[2])

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Finder())
from bids_app.door import main
sys.argv[1:] = ["/nowhere", "/nothing", "participant"]
sys.exit(main())
"""


@pytest.fixture
def start(repository: Path) -> Iterator[Start]:
    """Start programs; none outlives the test."""
    programs: list[subprocess.Popen[str]] = []

    def call(code: str, *arguments: object, **options: object) -> "subprocess.Popen[str]":
        program = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,  # type: ignore[call-overload]
        )
        programs.append(program)
        return program

    yield call
    for program in programs:
        program.kill()
        program.communicate()


def tell(program: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str, str]:
    """Tell a program that is ready to end, and return how it does."""
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(number)
    said, complained = program.communicate(timeout=120)
    return program.returncode, said, complained


@pytest.mark.parametrize("number", ENDING)
def test_what_is_told_to_end_unwinds_undisturbed(number: signal.Signals, start: Start) -> None:
    assert tell(start(_UNWINDS, 100), number) == (ExitCode.TRY_AGAIN, "unwound\n", "")


@pytest.mark.parametrize(
    ("body", "said"),
    [(_SWALLOWS, "again\ntidied\n"), (_IN_LIBRARY, "tidied\n")],
    ids=["swallows", "in a library"],
)
def test_what_does_not_unwind_is_ended_by_force(body: str, said: str, start: Start) -> None:
    assert tell(start(body, 0.1), signal.SIGTERM) == (ExitCode.TRY_AGAIN, said, "")


@pytest.mark.parametrize("module", ["bids_app.cli", "numpy", "nibabel"])
@pytest.mark.parametrize("number", ENDING)
def test_while_modules_are_imported_it_leaves_at_once_with_one_line(
    module: str, number: signal.Signals, start: Start
) -> None:
    program = start(_IMPORTS, module, int(number))
    said, complained = program.communicate(timeout=120)
    assert (program.returncode, said, complained) == (ExitCode.TRY_AGAIN, "", f"{INTERRUPTED}\n")


@pytest.mark.parametrize("number", ENDING)
def test_an_ignored_signal_stays_ignored(number: signal.Signals, start: Start) -> None:
    program = start(
        _GOES_ON,
        100,
        stdin=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    program.send_signal(number)
    said, complained = program.communicate("\n", timeout=120)
    assert (program.returncode, said, complained) == (0, "went on\n", "")


def test_handlers_are_put_back_and_the_watch_ends() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    threads = threading.active_count()
    with unwind_on_signals(lambda: None):
        assert threading.active_count() == threads + 1
        assert [signal.getsignal(number) for number in ENDING] != before
    assert [signal.getsignal(number) for number in ENDING] == before
    assert threading.active_count() == threads


def test_after_the_last_line_signals_are_ignored() -> None:
    with unwind_on_signals(lambda: None):
        ignore_signals()
        for number in ENDING:
            os.kill(os.getpid(), number)
        time.sleep(0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_are_left_alone() -> None:
    ignore_signals()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_another_thread_nothing_changes() -> None:
    seen = []
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with unwind_on_signals(lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
