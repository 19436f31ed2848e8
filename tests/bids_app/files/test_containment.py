"""An output folder that came from others cannot reach out of itself."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.files.containment import require_result_inside
from bids_app.files.derivatives import prepare_output, refuse_unwritable
from bids_app.files.markers import files_of, read_marker
from bids_app.files.result_writer import session_writer
from bids_app.session_id import SessionId

SESSION = SessionId("01", "pre")
TREASURE = "precious"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder with a complete session."""
    folder = tmp_path / "out"
    _write(folder)
    return folder


@pytest.fixture
def treasure(tmp_path: Path) -> Path:
    """A file outside, by the name of a result."""
    path = tmp_path / "elsewhere" / "a.txt"
    path.parent.mkdir()
    path.write_text(TREASURE)
    return path


def _write(out: Path) -> None:
    with session_writer(out, SESSION) as writer:
        writer.text(SESSION.folder / "a.txt", "new")
        writer.commit({})


def _list(out: Path, kind: str, name: object) -> None:
    path = out / "logs" / kind / f"{SESSION.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"Files": {name: ""}}))


def _refuses(call: Callable[[], object]) -> str:
    with pytest.raises(AppError) as caught:
        call()
    assert caught.value.exit_code is ExitCode.CANNOT_CREATE
    assert "See where the folder came from" in caught.value.hint
    return caught.value.message


_FOREIGN = [
    *("../elsewhere/a.txt", "sub-01/../../elsewhere/a.txt", "{outside}"),
    *("sub-02/a.txt", "sub-011/a.txt", "logs/complete/sub-02.json", "group.html"),
    *("dataset_description.json", ".", "", "..", "sub-01/..", "sub-01/a\0b", "sub-01/\udcff\ud800"),
]


@pytest.mark.parametrize("kind", ["moving", "complete"])
@pytest.mark.parametrize("name", _FOREIGN, ids=ascii)
def test_a_marker_that_names_what_is_not_its_own_is_refused(
    name: str, kind: str, out: Path, treasure: Path
) -> None:
    before = sorted(p for p in out.rglob("*") if "logs" not in p.parts)
    _list(out, kind, name.format(outside=treasure))
    message = _refuses(lambda: _write(out))
    listing = out / "logs" / kind / f"{SESSION.name}.json"
    assert message.startswith(f"{listing} names ")
    assert message.endswith(", which is none of its own files in the output folder.")
    assert treasure.read_text() == TREASURE
    assert sorted(p for p in out.rglob("*") if "logs" not in p.parts) == before


@pytest.mark.parametrize(
    "link",
    [
        *("logs", "logs/locks", "logs/staging", "logs/moving", "logs/complete", "logs/failed"),
        *("logs/training", "models"),
    ],
)
def test_a_folder_of_ours_that_leads_out_is_refused(
    link: str, tmp_path: Path, treasure: Path
) -> None:
    path = tmp_path / "new" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(treasure.parent)
    for check in (prepare_output, refuse_unwritable):
        message = _refuses(lambda check=check: check(tmp_path / "new"))  # type: ignore[misc]
        assert message == (
            f"{path} leads out of the output folder {tmp_path / 'new'}, to {treasure.parent}."
        )
    assert sorted(treasure.parent.iterdir()) == [treasure]


@pytest.mark.parametrize("link", ["sub-01", "sub-01/ses-pre"])
@pytest.mark.parametrize("kind", ["moving", "complete", None])
def test_a_participant_that_leads_out_loses_and_overwrites_nothing(
    link: str, kind: str | None, tmp_path: Path, treasure: Path
) -> None:
    out = tmp_path / "out"
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(treasure.parent)
    (treasure.parent / "ses-pre").mkdir()
    (treasure.parent / "ses-pre" / "a.txt").write_text(TREASURE)
    if kind is not None:
        _list(out, kind, "sub-01/ses-pre/a.txt")
    assert "leads out of the output folder" in _refuses(lambda: _write(out))
    assert treasure.read_text() == TREASURE
    assert (treasure.parent / "ses-pre" / "a.txt").read_text() == TREASURE


@pytest.mark.parametrize("link", ["logs/locks/sub-01_ses-pre.lock", "logs/staging/sub-01_ses-pre"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_lock_or_staging_folder_is_no_link(
    link: str, inside: bool, tmp_path: Path, treasure: Path
) -> None:
    out = tmp_path / "out"
    target = out / "kept" if inside else treasure.parent
    target.mkdir(parents=True, exist_ok=True)
    (target / "a.txt").write_text(TREASURE)
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(target / "a.txt" if link.endswith("lock") else target)
    assert (
        _refuses(lambda: _write(out)) == f"{out / link} is a link, which MyoMIDS never makes there."
    )
    assert (target / "a.txt").read_text() == TREASURE
    assert sorted(target.iterdir()) == [target / "a.txt"]


def test_a_result_that_is_a_link_is_replaced_and_not_followed(out: Path, treasure: Path) -> None:
    result = out / SESSION.folder / "a.txt"
    result.unlink()
    result.symlink_to(treasure)
    _write(out)
    assert not result.is_symlink()
    assert result.read_text() == "new"
    assert treasure.read_text() == TREASURE


def test_a_marker_that_is_a_link_to_elsewhere_is_not_read(out: Path, treasure: Path) -> None:
    marker = out / "logs" / "complete" / f"{SESSION.name}.json"
    marker.rename(treasure)
    marker.symlink_to(treasure)
    message = f"{marker} leads out of the output folder {out}, to {treasure}."
    assert _refuses(lambda: read_marker(out, SESSION)) == message
    assert _refuses(lambda: _write(out)) == message


@pytest.mark.parametrize(
    "content", ["[]", "{}}", '{"Files": []}', '{"Files": {"sub-01/a": 1}}', "1e"]
)
def test_a_marker_of_another_form_is_damaged(content: str, out: Path) -> None:
    marker = out / "logs" / "complete" / f"{SESSION.name}.json"
    marker.write_text(content)
    with pytest.raises(AppError, match="marker of a finished session is damaged") as caught:
        read_marker(out, SESSION)
    assert caught.value.exit_code is ExitCode.IO_FAILURE
    assert files_of(out, "logs/complete", SESSION) == {}


def test_a_marker_that_is_a_link_to_itself_is_damaged(out: Path) -> None:
    marker = out / "logs" / "complete" / f"{SESSION.name}.json"
    marker.unlink()
    marker.symlink_to(marker)
    with pytest.raises(AppError, match="marker of a finished session is damaged"):
        read_marker(out, SESSION)


def test_content_in_the_annex_of_the_dataset_is_a_result(tmp_path: Path, treasure: Path) -> None:
    """DataLad makes links; a dataset inside another one may keep its annex there."""
    dataset, git = tmp_path / "dataset", tmp_path / "super" / ".git" / "modules" / "dataset"
    out = dataset / "derivatives" / "MyoMIDS"
    _write(out)
    git.mkdir(parents=True)
    (dataset / ".git").symlink_to(git)
    for path in (
        out / SESSION.folder / "a.txt",
        out / "logs" / "complete" / f"{SESSION.name}.json",
    ):
        key = git / "annex" / "objects" / path.name
        key.parent.mkdir(parents=True, exist_ok=True)
        path.rename(key)
        path.symlink_to(
            os.path.relpath(dataset / ".git" / "annex" / "objects" / path.name, path.parent)
        )
    marker = read_marker(out, SESSION)
    assert marker is not None
    (name,) = marker["Files"]
    assert require_result_inside(out, out / name).read_text() == "new"
    (out / name).unlink()
    (out / name).symlink_to(treasure)
    message = _refuses(lambda: require_result_inside(out, out / name))
    assert re.match(r".*a\.txt leads out of the output folder", message)
