import errno
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from pipelines.files import (
    IrregularFileError,
    atomic_file,
    atomic_folder,
    folder_beside,
    open_file,
    parse_json,
    read_json,
    replace_folder,
    schema_error,
    sha256,
    write_json,
    write_text,
)


def fail(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.fixture(params=[0o022, 0o027, 0o077, 0o002])
def mask(request):
    before = os.umask(request.param)
    yield request.param
    assert os.umask(before) == request.param, "the mask of the process was changed"


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert (
        sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    large = bytes(range(256)) * 20_000
    (tmp_path / "x").write_bytes(large)
    assert sha256(tmp_path / "x") == hashlib.sha256(large).hexdigest()


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(IrregularFileError, match=f"no regular file .*{name}"):
            open_file(tmp_path / name)
    with pytest.raises(IsADirectoryError):
        open_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "nothing")


def test_links_are_followed_unless_told_otherwise(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("x")
    with open_file(tmp_path / "link") as stream:
        assert stream.read() == b"abc"
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_file(tmp_path / "link", follow_links=False)


def test_a_text_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "x.md"
    write_text(path, "first\n")
    write_text(path, "zweite Fassung: größer\n")
    assert path.read_bytes() == "zweite Fassung: größer\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["x.md"]


def test_a_text_file_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.md"
    write_text(path, "old")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="Input/output error"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.md"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_file(path) as stream:
            stream.write(b"half")
            stream.flush()
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("x" * 255)
    write_text(path, "a")
    assert path.read_text() == "a"


def test_permissions_follow_the_umask(tmp_path, mask):
    write_text(tmp_path / "x", "a")
    with atomic_folder(tmp_path / "folder") as new:
        (new / "y").write_text("b")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~mask
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o777 & ~mask
    assert (tmp_path / "folder" / "y").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_with_numbers_that_json_does_not_know_is_not_written(tmp_path, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "y.json", {"NoiseFloor": number})
    assert list(tmp_path.iterdir()) == []


def test_json_does_not_turn_numbers_of_other_types_into_text(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="float32 is not JSON serializable"):
        write_json(tmp_path / "y.json", {"NoiseFloor": np.float32(1.5)})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_when_it_is_complete(tmp_path):
    folder = tmp_path / "models" / "m"
    with atomic_folder(folder) as new:
        (new / "a").write_text("a")
        assert not folder.exists()
    assert (folder / "a").read_text() == "a"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_cannot_be_finished_leaves_nothing(tmp_path):
    def interrupted() -> None:
        with atomic_folder(tmp_path / "m") as new:
            (new / "a").write_text("a")
            fail()

    with pytest.raises(OSError, match="Input/output"):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_never_takes_the_place_of_another(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a").write_text("old")
    with pytest.raises(OSError, match="not empty"), atomic_folder(tmp_path / "m") as new:
        (new / "a").write_text("new")
    assert (tmp_path / "m" / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_folder_is_replaced_with_all_that_is_in_it(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a").write_text("new")
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "b").write_text("old")
    replace_folder(tmp_path / "new", folder)
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")} == {
        "models",
        "models/m",
        "models/m/a",
    }


def test_a_folder_beside_is_hidden_and_removed(tmp_path):
    with folder_beside(tmp_path / "new" / "x") as temporary:
        assert temporary.parent == tmp_path / "new"
        assert temporary.name.startswith(".")
    assert list((tmp_path / "new").iterdir()) == []


def test_json_with_and_without_byte_order_mark(tmp_path):
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xbc"}')
    assert read_json(tmp_path / "x.json") == {"a": "ü"}
    assert parse_json('{"a": NaN}', parse_constant=lambda name: f"<{name}>") == {"a": "<NaN>"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"a" 1}', "Expecting ':' delimiter: line 1 column 6"),
        (b'"M\xfcller"', "can't decode byte 0xfc"),
        (b"[" * 200_000, "nested too deep to read"),
        (b"", "Expecting value: line 1 column 1"),
    ],
)
def test_what_is_no_json_is_told(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_json(text)


def test_a_schema_names_the_place_and_the_difference():
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "array", "items": {"type": "integer"}}},
    }
    assert schema_error({"a": [1, 2]}, schema) is None
    assert schema_error({"a": [1, "x"]}, schema) == "a/1: 'x' is not of type 'integer'"
    assert schema_error({}, schema) == "'a' is a required property"
    assert len(schema_error({"a": "x" * 10_000}, schema) or "") < 320
