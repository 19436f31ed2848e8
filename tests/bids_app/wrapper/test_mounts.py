from pathlib import Path

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.wrapper.mounts import Mount, plan_mounts


def test_results_inside_a_read_only_dataset_stay_writable(tmp_path: Path) -> None:
    inside = tmp_path / "derivatives" / "MyoMIDS"
    assert plan_mounts([tmp_path], [inside], make_folders=True) == [
        Mount(tmp_path, writable=False),
        Mount(inside, writable=True),
    ]
    assert inside.is_dir()


def test_a_path_read_and_written_is_writable(tmp_path: Path) -> None:
    assert plan_mounts([tmp_path], [tmp_path], make_folders=True) == [Mount(tmp_path, True)]


def test_a_dry_run_makes_no_folder(tmp_path: Path) -> None:
    assert plan_mounts([], [tmp_path / "out"], make_folders=False) == []
    assert not (tmp_path / "out").exists()


def test_missing_input(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="nowhere does not exist or cannot be read") as caught:
        plan_mounts([tmp_path / "nowhere"], [], make_folders=True)
    assert caught.value.exit_code == ExitCode.INPUT_MISSING


def test_output_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AppError, match="file/out cannot be written to: Not a directory") as caught:
        plan_mounts([], [tmp_path / "file" / "out"], make_folders=True)
    assert caught.value.exit_code == ExitCode.CANNOT_CREATE


def test_output_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere, so the answer of the system is replaced.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(AppError, match="cannot be written to: Permission denied"):
        plan_mounts([], [tmp_path], make_folders=True)


@pytest.mark.parametrize(("folder", "hidden"), [("/", "/bin"), ("/usr", "/usr"), ("/opt", "/opt")])
def test_folders_of_the_image_are_not_hidden(folder: str, hidden: str) -> None:
    with pytest.raises(AppError, match=f"{folder} cannot be shown to the container") as caught:
        plan_mounts([Path(folder)], [], make_folders=False)
    assert caught.value.exit_code == ExitCode.USAGE
    assert f"it would hide {hidden}" in caught.value.message
