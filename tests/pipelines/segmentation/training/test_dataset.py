"""Folders of label maps, split by person and completed once."""

import nibabel as nib
import numpy as np
import pytest

from pipelines.errors import DataError
from pipelines.segmentation.training import dataset
from pipelines.segmentation.training.dataset import (
    complete_all,
    find_label_maps,
    load_thigh,
    read_thigh,
    save_thigh,
    split_by_subject,
    subject_of,
)


def write(path, data):
    nib.Nifti1Image(data, np.diag([2.0, 2.0, 20.0, 1.0])).to_filename(path)
    return path


@pytest.fixture
def maps(tmp_path):
    names = ("Training_Fat_THIGH_026_0000", "Training_Water_THIGH_026_0001", "sub-07_dseg")
    return [write(tmp_path / f"{name}.nii.gz", np.zeros((4, 4, 2), np.uint8)) for name in names]


def test_maps_are_found_in_order(maps, tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    assert find_label_maps(tmp_path) == sorted(maps)


def test_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="label map in"):
        find_label_maps(tmp_path)


def test_person_is_read_from_the_name(maps):
    assert [subject_of(path) for path in maps] == ["026", "026", "07"]
    assert subject_of(maps[0].with_name("left.nii.gz")) == "left"
    assert subject_of(maps[2], r"sub-(\d)") == "0"


def test_maps_of_one_person_stay_together(maps):
    split = split_by_subject(maps, ["026"])
    assert split.held_out == tuple(maps[:2])
    assert split.training == (maps[2],)


def test_unknown_person_is_an_error(maps):
    with pytest.raises(DataError, match="held-out people 99") as caught:
        split_by_subject(maps, ["99"])
    assert "026, 07" in caught.value.hint


def test_holding_out_everyone_is_an_error(maps):
    with pytest.raises(DataError, match="Every label map is held out"):
        split_by_subject(maps, ["026", "07"])


@pytest.mark.parametrize("values", [[0, 12], [0]])
def test_wrong_labels_are_an_error(tmp_path, values):
    data = np.resize(np.array(values, np.uint8), (6, 6, 3))
    with pytest.raises(DataError, match="not a volume of the labels 0-11"):
        read_thigh(write(tmp_path / "wrong.nii.gz", data), 0)


def test_completed_thighs_are_cached(maps, tmp_path, monkeypatch, simple_thigh):
    calls = []
    monkeypatch.setattr(
        dataset, "read_thigh", lambda path, seed: calls.append((path, seed)) or simple_thigh
    )
    maps[1].write_bytes(b"other content")
    progress = []
    jobs = {"paths": maps[:2], "seeds": (0, 1), "cache": tmp_path / "cache"}
    first = complete_all(**jobs, progress=lambda done, total: progress.append((done, total)))
    again = complete_all(**jobs)
    assert len(calls) == 4
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    np.testing.assert_array_equal(first[0].tissue, again[0].tissue)
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 4


def test_round_trip(simple_thigh, tmp_path):
    path = tmp_path / "thigh.npz"
    save_thigh(simple_thigh, path)
    loaded = load_thigh(path)
    for name in ("tissue", "pelvis", "depth", "level", "native"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(simple_thigh, name))
    assert loaded.midline == simple_thigh.midline
    assert loaded.tissue[:, :, 3].flags.c_contiguous
