"""What is shown on the terminal and what is kept in the file of a run."""

import logging
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.running.logs import LOGGER, log_error, log_exit_code, new_run_id, start_logging
from pipelines.errors import escaped


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in (LOGGER.name, "bids_app", "pipelines"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def _say_everything() -> None:
    LOGGER.debug("our detail")
    LOGGER.info("our news")
    LOGGER.error("our error")
    logging.getLogger("pipelines.water_fat.swaps").info("news of the science")
    logging.getLogger("pipelines.water_fat.swaps").warning("warning of the science")
    logging.getLogger("bids_app.dataset.sessions").debug("detail of the app")
    logging.getLogger("matplotlib").info("news of a library")
    logging.getLogger("matplotlib").warning("warning of a library")


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        (0, ["our news", "our error", "warning of the science"]),
        (
            1,
            [
                "our news",
                "our error",
                "news of the science",
                "warning of the science",
            ],
        ),
        (
            2,
            [
                "our detail",
                "our news",
                "our error",
                "news of the science",
                "warning of the science",
                "detail of the app",
                "warning of a library",
            ],
        ),
    ],
)
def test_verbosity_decides_what_the_terminal_shows(
    verbosity: int, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(verbosity)
    _say_everything()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line[8:] for line in shown.err.splitlines()] == expected


def test_lines_on_the_terminal_begin_with_their_level(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(0)
    LOGGER.info("news")
    LOGGER.error("error")
    assert capsys.readouterr().err == "INFO    news\nERROR   error\n"


def test_more_than_two_v_are_two(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(5)
    LOGGER.debug("detail")
    assert capsys.readouterr().err == "DEBUG   detail\n"


def test_the_file_holds_every_detail_whatever_the_terminal_shows(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "run.log"
    start_logging(0, path)
    _say_everything()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 7
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} DEBUG   myomids: our detail", lines[0]
    )
    assert lines[5].endswith("DEBUG   bids_app.dataset.sessions: detail of the app")
    assert not any("news of a library" in line for line in lines)


@pytest.mark.parametrize(("verbosity", "shown"), [(0, False), (1, False), (2, True)])
def test_python_warnings_go_to_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, verbosity: int, shown: bool
) -> None:
    path = tmp_path / "run.log"
    start_logging(verbosity, path)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # catch_warnings has replaced the hook: set it again
        logging.captureWarnings(True)
        warnings.warn("odd header", UserWarning, stacklevel=1)
    assert "UserWarning: odd header" in path.read_text(encoding="utf-8")
    assert ("UserWarning: odd header" in capsys.readouterr().err) == shown


def test_starting_again_does_not_repeat_lines(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(0)
    start_logging(0)
    LOGGER.info("once")
    assert capsys.readouterr().err == "INFO    once\n"


def test_texts_of_any_language_reach_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    start_logging(0, path)
    LOGGER.info("Übung: müde Muskeln, 筋肉")
    assert "Übung: müde Muskeln, 筋肉" in path.read_text(encoding="utf-8")


def test_several_processes_can_write_to_one_file(repository: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    program = (
        "import sys; from pathlib import Path\n"
        "from bids_app.running.logs import LOGGER, start_logging\n"
        "start_logging(0, Path(sys.argv[1]))\n"
        "for i in range(300): LOGGER.debug('%s %d %s', sys.argv[2], i, 'x' * 100)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, path, name], cwd=repository)
        for name in ("one", "two")
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    lines = path.read_text(encoding="utf-8").splitlines()
    messages = [line.partition("myomids: ")[2] for line in lines]
    for name in ("one", "two"):
        own = [message for message in messages if message.startswith(name)]
        assert own == [f"{name} {i} {'x' * 100}" for i in range(300)]
    assert len(messages) == 600


@pytest.mark.parametrize("code", list(ExitCode))
def test_the_last_line_of_a_log(code: ExitCode, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER.name):
        assert log_exit_code(code) is code
    level = "INFO" if code == 0 else "ERROR"
    assert [(r.levelname, r.message) for r in caplog.records] == [
        (level, f"exit code {int(code)} ({code.name})")
    ]


def test_an_error_that_ends_a_run_says_what_to_do_and_its_exit_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = log_error(AppError("100 % of the disk is full", ExitCode.IO_FAILURE, "Free space."))
    assert code is ExitCode.IO_FAILURE
    assert caplog.messages == [
        "100 % of the disk is full",
        "hint: Free space.",
        "exit code 74 (IO_FAILURE)",
    ]


def test_an_error_without_hint_takes_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    log_error(AppError("broken", ExitCode.FAILURE))
    assert caplog.messages == ["broken", "exit code 1 (FAILURE)"]


def test_run_names_sort_by_time_and_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {new_run_id() for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", name) for name in names)
    monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2024, 2, 29, 23, 5, 9, 0, 0, 0)))
    assert new_run_id().startswith("20240229T230509Z-")


FORGED = "a\nERROR   exit code 0 (OK)\r\x1b[2Kb\udcffc\u2028d"
HARMLESS = r"a\nERROR   exit code 0 (OK)\r\x1b[2Kb\xffc\u2028d"


def test_names_can_neither_break_nor_forge_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging(0, tmp_path / "run.log")
    log_error(AppError(f"{FORGED} is broken.", ExitCode.BAD_DATA, f"Mend {FORGED}."))
    shown = capsys.readouterr().err.splitlines()
    assert shown == [
        f"ERROR   {HARMLESS} is broken.",
        f"ERROR   hint: Mend {HARMLESS}.",
        "ERROR   exit code 65 (BAD_DATA)",
    ]
    kept = (tmp_path / "run.log").read_text(encoding="utf-8").splitlines()
    assert [line.partition("myomids: ")[2] for line in kept] == [line[8:] for line in shown]


def test_a_traceback_forges_no_record(tmp_path: Path) -> None:
    start_logging(0, tmp_path / "run.log")
    try:
        raise ValueError(FORGED)
    except ValueError:
        LOGGER.debug("unforeseen error", exc_info=True)
    first, *others = (tmp_path / "run.log").read_text(encoding="utf-8").split("\n")
    assert first.endswith("DEBUG   myomids: unforeseen error")
    assert all(line.startswith("  | ") for line in others if line)
    assert any("exit code 0 (OK)" in line for line in others)


@given(st.text(max_size=40))
def test_any_text_is_one_printed_line(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    assert shown == text or not text.isprintable()
