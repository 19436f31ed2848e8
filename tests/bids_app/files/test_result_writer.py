"""A session is there as a whole or not at all, whatever happens while it is written."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.files.derivatives import StackNames
from bids_app.files.markers import read_marker, write_failure
from bids_app.files.reading import checksum
from bids_app.files.result_writer import session_writer
from bids_app.session_id import SessionId
from pipelines.files import write_text
from tests.bids_app.full_disk import filled, lacks_space

SESSION = SessionId("01", "pre")

Tree = dict[str, str]


def _results(output_dir: Path) -> Tree:
    """Return the content of every file outside ``logs``, by name."""
    files = (p for p in sorted(output_dir.rglob("*")) if p.is_file())
    names = ((p.relative_to(output_dir), p) for p in files)
    return {n.as_posix(): p.read_text(encoding="utf-8") for n, p in names if n.parts[0] != "logs"}


def _logs(output_dir: Path) -> set[str]:
    """Return the names of all files in ``logs`` except locks."""
    logs = output_dir / "logs"
    names = (p.relative_to(logs).as_posix() for p in logs.rglob("*") if p.is_file())
    return {name for name in names if not name.startswith("locks/")}


def _write(output_dir: Path, session: SessionId, content: Tree) -> None:
    """Make a complete session of text files."""
    with session_writer(output_dir, session) as writer:
        for name, text in content.items():
            writer.text(Path(name), text)
        writer.commit({"Content": content})


OLD: Tree = {"sub-01/a.txt": "old a", "sub-01/b.txt": "old b", "sub-01_ses-pre.html": "old"}
ADDED: Tree = {"sub-01/c/d.txt": "new d", "sub-01_ses-pre.html": "new"}
NEW: Tree = {"sub-01/b.txt": "new b", "sub-01/c/d.txt": "new d", "sub-01_ses-pre.html": "new"}


def test_an_image_keeps_its_values_type_and_place(tmp_path: Path) -> None:
    names = StackNames(SESSION)
    labels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4) * 100
    angle = np.deg2rad(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = affine @ np.diag([1.5, 1.5, 6.0, 1.0])
    affine[:3, 3] = -100.25, 40.5, 7.0
    with session_writer(tmp_path, SESSION) as writer:
        writer.image(names.labels, labels, affine)
        writer.commit({})
    image = nib.load(tmp_path / names.labels)
    assert image.get_data_dtype() == np.uint16
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), labels)
    for stored, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(stored, affine, atol=1e-4)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    np.testing.assert_allclose(image.header.get_zooms(), (1.5, 1.5, 6.0), rtol=1e-6)


def test_a_fat_fraction_map_keeps_missing_values(tmp_path: Path) -> None:
    data = np.array([[[0.0, 99.5, np.nan]]], dtype=np.float32)
    with session_writer(tmp_path, SESSION) as writer:
        writer.image(Path("x_FF.nii.gz"), data, np.eye(4))
        writer.commit({})
    stored = np.asanyarray(nib.load(tmp_path / "x_FF.nii.gz").dataobj)
    assert stored.dtype == np.float32
    np.testing.assert_array_equal(stored, data)


def test_the_same_image_has_the_same_checksum_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksums = []
    for now in (1.0e9, 1.5e9):
        monkeypatch.setattr("time.time", lambda now=now: now)
        with session_writer(tmp_path, SESSION) as writer:
            writer.image(Path("sub-01/x_FF.nii.gz"), np.ones((2, 2, 2), np.float32), np.eye(4))
            writer.commit({})
        checksums.append(checksum(tmp_path / "sub-01/x_FF.nii.gz"))
    assert checksums[0] == checksums[1]


def test_a_table_is_written_as_bids_wants_it(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "muscle": ["sartorius", "gracilis", None],
            "voxels": [1200, 30, 0],
            "fat_fraction": [12.3456789, np.nan, 0.0000123456789],
            "cut": [True, False, True],
        }
    )
    with session_writer(tmp_path, SESSION) as writer:
        writer.table(Path("x_stats.tsv"), frame)
        writer.commit({})
    assert (tmp_path / "x_stats.tsv").read_bytes().decode() == (
        "muscle\tvoxels\tfat_fraction\tcut\n"
        "sartorius\t1200\t12.3457\tTrue\n"
        "gracilis\t30\tn/a\tFalse\n"
        "n/a\t0\t1.23457e-05\tTrue\n"
    )


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    with session_writer(tmp_path, SESSION) as writer:
        writer.table(Path("x_stats.tsv"), pd.DataFrame({"muscle": [], "volume": []}))
        writer.commit({})
    assert (tmp_path / "x_stats.tsv").read_text() == "muscle\tvolume\n"


def test_json_is_indented_and_ends_with_a_line(tmp_path: Path) -> None:
    with session_writer(tmp_path, SESSION) as writer:
        writer.json(Path("x_FF.json"), {"Units": "%", "Sources": []})
        writer.commit({})
    assert (tmp_path / "x_FF.json").read_text() == '{\n  "Units": "%",\n  "Sources": []\n}\n'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_with_numbers_that_json_does_not_know_is_refused(
    tmp_path: Path, number: float
) -> None:
    with (
        pytest.raises(ValueError, match="not JSON compliant"),
        session_writer(tmp_path, SESSION) as writer,
    ):
        writer.json(Path("x_FF.json"), {"NoiseFloor": number})
    assert _results(tmp_path) == {}


def test_nothing_is_visible_before_commit(tmp_path: Path) -> None:
    with session_writer(tmp_path, SESSION) as writer:
        writer.text(Path("sub-01/a.txt"), "a")
        writer.image(Path("sub-01/x_FF.nii.gz"), np.ones((2, 2, 2), np.float32), np.eye(4))
        assert (writer.folder / "sub-01" / "a.txt").read_text() == "a"
        assert _results(tmp_path) == {}
        assert read_marker(tmp_path, SESSION) is None


def test_a_complete_session_has_its_files_and_a_marker_with_their_checksums(
    tmp_path: Path,
) -> None:
    _write(tmp_path, SESSION, NEW)
    assert _results(tmp_path) == NEW
    assert _logs(tmp_path) == {"complete/sub-01_ses-pre.json"}
    marker = read_marker(tmp_path, SESSION)
    assert marker == {
        "Content": NEW,
        "Files": {name: checksum(tmp_path / name) for name in NEW},
    }


def test_the_marker_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, SESSION, OLD)
    marker = tmp_path / "logs" / "complete" / "sub-01_ses-pre.json"
    seen: list[Tree] = []
    replace = Path.replace

    def spy(self: Path, target: Path) -> Path:
        if target == marker:
            seen.append(_results(tmp_path))
        elif target.parent.name != "moving" and "staging" not in target.parts:
            assert not marker.exists(), f"{target} was moved beside the marker of another result"
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", spy)
    _write(tmp_path, SESSION, NEW)
    assert seen == [NEW]


def test_a_new_result_drops_the_files_of_the_earlier_one_and_of_no_other_session(
    tmp_path: Path,
) -> None:
    other = {"sub-01/z.txt": "other session"}
    _write(tmp_path, SessionId("01", "post"), other)
    _write(tmp_path, SESSION, OLD)
    _write(tmp_path, SESSION, NEW)
    assert _results(tmp_path) == NEW | other


def test_a_file_written_twice_holds_the_second_content(tmp_path: Path) -> None:
    with session_writer(tmp_path, SESSION) as writer:
        writer.text(Path("sub-01/a.txt"), "first")
        writer.text(Path("sub-01/a.txt"), "second")
        writer.commit({})
    assert _results(tmp_path) == {"sub-01/a.txt": "second"}


def test_a_session_without_commit_leaves_nothing(tmp_path: Path) -> None:
    with session_writer(tmp_path, SESSION) as writer:
        writer.text(Path("sub-01/a.txt"), "a")
    assert _results(tmp_path) == {}
    assert _logs(tmp_path) == set()


def test_a_failed_session_leaves_nothing_or_the_earlier_result(tmp_path: Path) -> None:
    def fail() -> None:
        with session_writer(tmp_path, SESSION) as writer:
            writer.text(Path("sub-01/a.txt"), "half")
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert _results(tmp_path) == {}
    _write(tmp_path, SESSION, OLD)
    before = read_marker(tmp_path, SESSION)
    with pytest.raises(ValueError, match="broken"):
        fail()
    assert _results(tmp_path) == OLD
    assert read_marker(tmp_path, SESSION) == before


def test_a_commit_that_cannot_be_finished_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, SESSION, OLD)
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.name == "d.txt":
            raise OSError(errno.EIO, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="Input/output error"):
        _write(tmp_path, SESSION, NEW)
    assert _results(tmp_path) == {}
    assert _logs(tmp_path) == set()


def test_the_reason_of_a_failure_disappears_with_success(tmp_path: Path) -> None:
    write_failure(tmp_path, SESSION, {"Message": "no water image"})
    path = tmp_path / "logs" / "failed" / "sub-01_ses-pre.json"
    assert json.loads(path.read_text()) == {"Message": "no water image"}
    _write(tmp_path, SESSION, NEW)
    assert not path.exists()


@pytest.mark.parametrize("text", ["{", "", "[]", "\xff"])
def test_a_damaged_marker_is_an_error_that_says_what_to_do(tmp_path: Path, text: str) -> None:
    _write(tmp_path, SESSION, OLD)
    path = tmp_path / "logs" / "complete" / "sub-01_ses-pre.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(AppError) as caught:
        read_marker(tmp_path, SESSION)
    assert caught.value.message == f"The marker of a finished session is damaged: {path}."
    assert caught.value.exit_code is ExitCode.IO_FAILURE
    assert caught.value.hint == "Run again with --overwrite to recompute the session."
    _write(tmp_path, SESSION, OLD)
    marker = read_marker(tmp_path, SESSION)
    assert marker is not None
    assert set(marker["Files"]) == set(OLD)


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with session_writer(tmp_path / "out", SESSION) as writer:
            writer.image(Path("sub-01/x_FF.nii.gz"), np.ones((2, 2, 2), np.float32), np.eye(4))
            writer.table(Path("sub-01/x_stats.tsv"), pd.DataFrame({"a": [1]}))
            writer.json(Path("sub-01/x_FF.json"), {})
            writer.text(Path("sub-01.html"), "page")
            writer.commit({})
        write_failure(tmp_path / "out", SESSION, {})
        assert os.umask(mask) == mask, "the mask of the process was changed"
    finally:
        os.umask(before)
    for path in (tmp_path / "out").rglob("*"):
        expected = (0o777 if path.is_dir() else 0o666) & ~mask
        assert path.stat().st_mode & 0o777 == expected, path


def test_a_session_is_held_by_one_writer_at_a_time(tmp_path: Path) -> None:
    with session_writer(tmp_path, SESSION) as writer:
        writer.text(Path("sub-01/a.txt"), "a")
        with pytest.raises(AppError) as caught, session_writer(tmp_path, SESSION):
            pass
        writer.commit({})
    assert caught.value.message == f"Another run is working on sub-01_ses-pre in {tmp_path}."
    assert int(caught.value.exit_code) == 75
    assert caught.value.hint == "Wait for it to end, then run the same command again."
    assert _results(tmp_path) == {"sub-01/a.txt": "a"}
    with session_writer(tmp_path, SESSION):
        pass


def test_different_sessions_do_not_disturb_each_other(tmp_path: Path) -> None:
    sessions = [SessionId("01"), SessionId("01", "a"), SessionId("01", "b"), SessionId("02")]
    with ExitStack() as stack:
        writers = [stack.enter_context(session_writer(tmp_path, s)) for s in sessions]
        for session, writer in zip(sessions, writers, strict=True):
            writer.text(session.report, session.name)
        for writer in writers[::-1]:
            writer.commit({})
    assert _results(tmp_path) == {f"{s.name}.html": s.name for s in sessions}


def test_a_file_system_without_locks_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(AppError) as caught, session_writer(tmp_path, SESSION):
        pass
    assert caught.value.message == (
        f"The file system of {tmp_path} has no file locks: Function not implemented."
    )
    assert caught.value.exit_code is ExitCode.IO_FAILURE


_PROGRAM = """
import json, signal, sys
from pathlib import Path
from bids_app.session_id import SessionId
from bids_app.files.result_writer import session_writer
from bids_app.errors import AppError
output_dir, arguments = Path(sys.argv[1]), json.loads(sys.argv[2])
"""


def _start(
    repository: Path, body: str, output_dir: Path, **arguments: object
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _PROGRAM + body, str(output_dir), json.dumps(arguments)]
    return subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True)


_HOLD = """
with session_writer(output_dir, SessionId("01", "pre")) as writer:
    for name, text in arguments["content"].items():
        writer.text(Path(name), text)
    print("ready", flush=True)
    signal.pause()
"""


def test_another_process_is_kept_out_until_the_first_one_ends(
    repository: Path, tmp_path: Path
) -> None:
    with _start(repository, _HOLD, tmp_path, content=OLD) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            with pytest.raises(AppError) as caught:
                _write(tmp_path, SESSION, NEW)
            assert caught.value.exit_code is ExitCode.TRY_AGAIN
        finally:
            process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
    # Killed without a chance to clean up: nothing is visible, and the next run clears the rest.
    assert _results(tmp_path) == {}
    assert any(name.startswith("staging/") for name in _logs(tmp_path))
    _write(tmp_path, SESSION, NEW)
    assert _results(tmp_path) == NEW
    assert _logs(tmp_path) == {"complete/sub-01_ses-pre.json"}


def _commit_and_die(output_dir: Path, survived: int, content: Tree, *, add: bool = False) -> int:
    """Replace a result in a process that is killed after so many changes of the file system.

    Returns the exit status of the process, negative if it was killed.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = survived

    def dying(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*args: object, **kwargs: object) -> object:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return change(*args, **kwargs)

        return changed

    status = 1
    try:
        with session_writer(output_dir, SESSION) as writer:
            for name, text in content.items():
                writer.text(Path(name), text)
            for method in ("replace", "unlink", "mkdir", "chmod"):
                setattr(Path, method, dying(getattr(Path, method)))
            writer.commit({"Content": content}, add=add)
        status = 0
    finally:
        os._exit(status)


def test_a_process_killed_at_any_moment_of_commit_leaves_all_or_nothing(tmp_path: Path) -> None:
    states = set()
    for survived in range(100):
        output_dir = tmp_path / str(survived)
        _write(output_dir, SESSION, OLD)
        ended = _commit_and_die(output_dir, survived, NEW)
        # Whoever trusts the marker sees all of the result it describes, and nothing else.
        marker = read_marker(output_dir, SESSION)
        if marker is not None:
            assert _results(output_dir) == marker["Content"], survived
        with session_writer(output_dir, SESSION):
            left = _results(output_dir)
        assert left == (marker["Content"] if marker else {}), survived
        assert _logs(output_dir) - {"complete/sub-01_ses-pre.json"} <= _temporary(output_dir)
        states.add("nothing" if marker is None else "old" if left == OLD else "new")
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert ended == 0
    assert left == NEW
    assert states == {"old", "nothing", "new"}


def test_an_addition_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    _write(tmp_path, SESSION, OLD)
    before = (tmp_path / "sub-01" / "a.txt").stat()
    with session_writer(tmp_path, SESSION) as writer:
        for name, text in ADDED.items():
            writer.text(Path(name), text)
        writer.commit({"Content": ADDED}, add=True)
    assert _results(tmp_path) == OLD | ADDED
    assert (tmp_path / "sub-01" / "a.txt").stat().st_mtime_ns == before.st_mtime_ns
    marker = read_marker(tmp_path, SESSION)
    assert marker is not None
    assert marker["Content"] == ADDED
    assert marker["Files"] == {name: checksum(tmp_path / name) for name in OLD | ADDED}
    _write(tmp_path, SESSION, NEW)
    assert _results(tmp_path) == NEW


def test_a_process_killed_at_any_moment_of_an_addition_loses_nothing(tmp_path: Path) -> None:
    states = set()
    for survived in range(100):
        output_dir = tmp_path / str(survived)
        _write(output_dir, SESSION, OLD)
        ended = _commit_and_die(output_dir, survived, ADDED, add=True)
        marker = read_marker(output_dir, SESSION)
        assert marker is not None
        with session_writer(output_dir, SESSION):
            left = _results(output_dir)
        added = marker["Content"] == ADDED
        assert set(left) == (OLD | ADDED if added else OLD).keys() == marker["Files"].keys()
        assert {name: left[name] for name in ("sub-01/a.txt", "sub-01/b.txt")} == {
            name: OLD[name] for name in ("sub-01/a.txt", "sub-01/b.txt")
        }
        assert left["sub-01_ses-pre.html"] in ({"new"} if added else {"old", "new"})
        states.add(added)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert ended == 0
    assert left == OLD | ADDED
    assert states == {False, True}


def _temporary(output_dir: Path) -> set[str]:
    """Return temporary files, hidden and inside ``logs``, that a killed process may leave."""
    return {name for name in _logs(output_dir) if Path(name).match(".*.tmp")}


_MANY = """
for number in range(12):
    session = SessionId(arguments["participant"] or f"{number:02d}")
    try:
        with session_writer(output_dir, session) as writer:
            for part in "abc":
                writer.text(session.folder / f"{part}.txt", arguments["text"] * 1000)
            writer.commit({"By": arguments["text"]})
    except AppError as error:
        assert error.exit_code == 75, error
        print("busy")
"""


def test_two_processes_in_one_output_folder(repository: Path, tmp_path: Path) -> None:
    """Both try the same twelve participants, so each result comes from one of the two."""
    writers = [_start(repository, _MANY, tmp_path, participant="", text=text) for text in "xy"]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    for number in range(12):
        session = SessionId(f"{number:02d}")
        marker = read_marker(tmp_path, session)
        assert marker is not None
        for part in "abc":
            path = session.folder / f"{part}.txt"
            assert (tmp_path / path).read_text() == marker["By"] * 1000
            assert marker["Files"][path.as_posix()] == checksum(tmp_path / path)
    assert len(_results(tmp_path)) == 36


def test_two_processes_that_fight_for_one_session(repository: Path, tmp_path: Path) -> None:
    writers = [_start(repository, _MANY, tmp_path, participant="01", text=text) for text in "xy"]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    marker = read_marker(tmp_path, SessionId("01"))
    assert marker is not None
    assert _results(tmp_path) == {f"sub-01/{part}.txt": marker["By"] * 1000 for part in "abc"}
    assert _logs(tmp_path) == {"complete/sub-01.json"}


def test_a_full_disk_leaves_the_earlier_result(small_disk: Path) -> None:
    _write(small_disk, SESSION, OLD)
    noise = np.random.default_rng(0).random((64, 64, 128)).astype(np.float32)  # 2 MB

    def fill() -> None:
        with session_writer(small_disk, SESSION) as writer:
            writer.text(Path("sub-01/a.txt"), "new")
            writer.image(Path("sub-01/x_FF.nii.gz"), noise, np.eye(4))
            writer.commit({})

    assert lacks_space(fill)
    assert _results(small_disk) == OLD
    assert _logs(small_disk) == {"complete/sub-01_ses-pre.json"}
    _write(small_disk, SESSION, NEW)
    assert _results(small_disk) == NEW


def test_a_disk_that_fills_up_just_before_commit_leaves_the_earlier_result(
    small_disk: Path,
) -> None:
    _write(small_disk, SESSION, OLD)
    with session_writer(small_disk, SESSION) as writer:
        for name, text in NEW.items():
            writer.text(Path(name), text)
        with filled(small_disk):
            assert lacks_space(lambda: writer.commit({}))
        assert _results(small_disk) == OLD
        marker = read_marker(small_disk, SESSION)
        assert marker is not None
        assert marker["Content"] == OLD


def test_a_text_file_on_a_full_disk_leaves_the_old_one(small_disk: Path) -> None:
    (small_disk / "logs").mkdir()
    write_text(small_disk / "x.md", "old")
    with filled(small_disk):
        assert lacks_space(lambda: write_text(small_disk / "x.md", "new" * 4096))
    assert (small_disk / "x.md").read_text() == "old"
    assert [p.name for p in small_disk.iterdir() if p.is_file()] == ["x.md"]
