import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.dataset.tree import check_root, labels_in, list_folder, natural_key, session_files
from bids_app.errors import AppError, ExitCode
from tests.bids_app.mids_tree import make_tree, water_and_fat


def refusal(root: Path) -> AppError:
    with pytest.raises(AppError) as caught:
        check_root(root)
    assert caught.value.hint
    return caught.value


def test_natural_order():
    names = ["sub-10", "sub-9", "sub-a", "sub-1", "sub-B", "sub-01"]
    expected = ["sub-01", "sub-1", "sub-9", "sub-10", "sub-a", "sub-B"]
    assert sorted(names, key=natural_key) == expected


@given(st.lists(st.text(alphabet="ab01-29+", max_size=8)))
@settings(max_examples=50, deadline=None)
def test_natural_order_is_total(names):
    backwards = list(reversed(names))
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


def test_labels_in_separates_what_is_no_label():
    names = ["sub-01", "sub-Doe_John", "sub-", "code", "sub-A+1"]
    assert labels_in(names, "sub-") == (["01", "A+1"], ["sub-Doe_John", "sub-"])


def test_list_folder_hides_hidden_and_follows_links_to_folders(tmp_path):
    make_tree(tmp_path, {".git/x": "", "b/": None, "._scan.nii.gz": "", "a.json": {}})
    (tmp_path / "to-b").symlink_to(tmp_path / "b")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    listing = list_folder(tmp_path)
    assert listing.folders == ("b", "to-b")
    assert listing.files == ("a.json", "dangling")


def test_io_error_while_listing(tmp_path, monkeypatch):
    def broken(path):
        raise OSError(116, os.strerror(116))

    monkeypatch.setattr("os.scandir", broken)
    with pytest.raises(AppError, match="failed: Stale file handle") as caught:
        list_folder(tmp_path)
    assert caught.value.exit_code == ExitCode.IO_FAILURE


class TestSessionFiles:
    def test_without_sessions(self, tmp_path):
        make_tree(
            tmp_path,
            {
                "sub-1/mr-anat/a.nii": "",
                "sub-1/mr/anat/b.nii": "",
                "sub-1/mr/anat/deeper/c.nii": "",
                "sub-1/derivatives/d.nii": "",
                "sub-1/sourcedata/e.nii": "",
                "sub-1/.heudiconv/f.nii": "",
                "sub-1/ses-2/mr-anat/g.nii": "",
                "sub-1/sub-1_scans.tsv": "",
                "sub-2/mr-anat/h.nii": "",
            },
        )
        found = session_files(tmp_path, PurePosixPath("sub-1"))
        assert {str(folder): names for folder, names in found.items()} == {
            "sub-1": ("sub-1_scans.tsv",),
            "sub-1/mr-anat": ("a.nii",),
            "sub-1/mr": (),
            "sub-1/mr/anat": ("b.nii",),
        }

    def test_with_session(self, tmp_path):
        make_tree(tmp_path, {"sub-1/ses-2/mr-anat/g.nii": "", "sub-1/mr-anat/a.nii": "", "x": ""})
        found = session_files(tmp_path, PurePosixPath("sub-1/ses-2"))
        assert {str(folder): names for folder, names in found.items()} == {
            "sub-1": (),
            "sub-1/ses-2": (),
            "sub-1/ses-2/mr-anat": ("g.nii",),
        }

    def test_folder_that_links_to_its_parent_ends(self, tmp_path):
        make_tree(tmp_path, {"sub-1/mr-anat/a.nii": ""})
        (tmp_path / "sub-1/mr-anat/loop").symlink_to(tmp_path / "sub-1")
        found = session_files(tmp_path, PurePosixPath("sub-1"))
        assert list(found) == [
            PurePosixPath(p) for p in ("sub-1", "sub-1/mr-anat", "sub-1/mr-anat/loop")
        ]


class TestCheckRoot:
    def test_returns_the_listing(self, tmp_path):
        make_tree(tmp_path, {**water_and_fat("sub-1/mr-quant/sub-1"), "MEGRE.json": {}})
        listing = check_root(tmp_path)
        assert listing.folders == ("sub-1",)
        assert listing.files == ("MEGRE.json",)

    def test_absent(self, tmp_path):
        error = refusal(tmp_path / "nothing")
        assert error.exit_code == ExitCode.INPUT_MISSING
        assert error.message == f"The dataset {tmp_path / 'nothing'} does not exist."
        assert "docker run -v" in error.hint
        assert "apptainer run --bind" in error.hint

    def test_file(self, tmp_path):
        make_tree(tmp_path, {"data.zip": "x"})
        error = refusal(tmp_path / "data.zip")
        assert error.exit_code == ExitCode.INPUT_MISSING
        assert "is a file, not a folder" in error.message

    def test_empty(self, tmp_path):
        error = refusal(tmp_path)
        assert error.exit_code == ExitCode.INPUT_MISSING
        assert error.message == f"The dataset {tmp_path} is empty."
        assert "has to be mounted" in error.hint

    def test_unreadable(self, tmp_path, not_root):
        root = make_tree(tmp_path / "data", {"sub-1/": None})
        root.chmod(0)
        error = refusal(root)
        root.chmod(0o700)
        assert error.exit_code == ExitCode.INPUT_MISSING
        assert "Permission denied" in error.message

    def test_participant_given_instead_of_dataset(self, tmp_path):
        make_tree(tmp_path, water_and_fat("sub-07/mr-quant/sub-07"))
        error = refusal(tmp_path / "sub-07")
        assert error.exit_code == ExitCode.INVALID_DATASET
        assert f"Give the dataset, {tmp_path}," in error.hint
        assert "--participant-label 07" in error.hint

    def test_session_given_instead_of_dataset(self, tmp_path):
        make_tree(tmp_path, water_and_fat("sub-07/ses-1/mr-quant/sub-07_ses-1"))
        error = refusal(tmp_path / "sub-07/ses-1")
        assert f"Give the dataset, {tmp_path}," in error.hint

    def test_project_given_instead_of_its_dataset(self, tmp_path):
        make_tree(
            tmp_path,
            {**water_and_fat("data/mids/sub-1/mr-quant/sub-1"), "dataset_description.json": {}},
        )
        error = refusal(tmp_path)
        assert error.exit_code == ExitCode.INVALID_DATASET
        assert error.hint == f"There is a dataset inside: give {tmp_path / 'data/mids'}."

    def test_tutorial_tree_without_participants(self, tmp_path):
        make_tree(tmp_path, {"mr-anat/anon_megre.nii.gz": None, "mr-quant/anon_t2.nii.gz": None})
        error = refusal(tmp_path)
        assert error.exit_code == ExitCode.INVALID_DATASET
        assert "early muscle-BIDS tutorials" in error.hint
        assert "sub-01/mr-quant/" in error.hint

    def test_participants_without_prefix(self, tmp_path):
        make_tree(tmp_path, {"Sub01/a": ""})
        assert "must be named sub-<label>; this one has Sub01" in refusal(tmp_path).hint

    def test_something_else(self, tmp_path):
        make_tree(tmp_path, {"holiday.jpg": ""})
        error = refusal(tmp_path)
        assert error.message == (
            f"{tmp_path} holds no sub-* folders, so it is not a MIDS or BIDS dataset."
        )
        assert "docs/input.md" in error.hint
