"""The short version of ``make kills``."""

from pathlib import Path

import pytest

from tests.hostile.kills import differences, kill_runs, main

TURNS = (("participant", 1), ("participant", 2), ("participant", 2), ("training", 2))


def test_runs_that_were_killed_end_as_if_they_had_not_been(tmp_path: Path) -> None:
    ends = list(kill_runs(tmp_path, TURNS, seed=14))
    assert len(ends) == len(TURNS)
    assert [(what, wrong) for what, wrong in ends if wrong] == []


def test_differences_are_seen() -> None:
    expected = {"same": b"1", "lost": b"2", "changed": b"3"}
    found = {"same": b"1", "changed": b"4", "new": b"5"}
    assert differences(expected, found) == [
        "lost is lacking",
        "new is too many",
        "changed differs",
    ]


def test_the_command_says_how_many_held(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = [("one", []), ("two", ["x differs"])]
    monkeypatch.setattr("tests.hostile.kills.kill_runs", lambda *_: iter(ends))
    assert main(["--kills", "2"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "one: as if it had not been",
        "two: x differs",
        "1 of 2 runs complete as if they had not been killed",
    ]
