"""Water and fat of one acquisition under different run numbers."""

import json

import pytest

from bids_app.dataset.filters import read_filter_file
from bids_app.dataset.series_pairing import run_hint
from bids_app.dataset.sessions import Dataset
from bids_app.session_id import SessionId
from tests.bids_app.mids_tree import make_tree

FOLDER = "sub-1/mr-quant"


def stacks(tmp_path, files, filters=None):
    """Return the stacks of a session with these images and the times in their sidecars."""
    content = {"dataset_description.json": {"Name": "x", "BIDSVersion": "1.9.0"}}
    for name, time in files.items():
        content[f"{FOLDER}/sub-1_{name}.nii.gz"] = None
        if time:
            content[f"{FOLDER}/sub-1_{name}.json"] = {"AcquisitionTime": time}
    root = make_tree(tmp_path / "data", content)
    chosen = None
    if filters:
        path = tmp_path / "filters.json"
        path.write_text(json.dumps(filters))
        chosen = read_filter_file(path)
    return Dataset(root).session(SessionId("1", None), chosen).stacks


def kinds(found):
    return [(stack.name, sorted(stack.scans)) for stack in found]


def test_one_time_makes_one_stack(tmp_path):
    found = stacks(tmp_path, {"run-1_WATER": "10:00:00", "run-2_FAT": "10:00:00"})
    assert kinds(found) == [("run-1", ["fat", "water"])]
    (note,) = found[0].notes
    assert "sub-1_run-1_WATER.nii.gz and sub-1_run-2_FAT.nii.gz" in note


def test_each_acquisition_gets_its_own_fat(tmp_path):
    files = {
        "run-1_WATER": "10:00:00",
        "run-2_FAT": "10:00:00",
        "run-3_WATER": "10:05:00",
        "run-4_FAT": "10:05:00",
    }
    found = stacks(tmp_path, files)
    assert [stack.scans["fat"].path.name for stack in found] == [
        "sub-1_run-2_FAT.nii.gz",
        "sub-1_run-4_FAT.nii.gz",
    ]


@pytest.mark.parametrize(
    "files",
    [
        {"run-1_WATER": "10:00:00", "run-2_FAT": "10:05:00"},
        {"run-1_WATER": None, "run-2_FAT": None},
        {"run-1_WATER": "10:00:00", "run-2_FAT": None},
        {"acq-a_run-1_WATER": "10:00:00", "acq-b_run-2_FAT": "10:00:00"},
        {"run-1_WATER": "10:00:00", "run-2_WATER": "10:00:00", "run-3_FAT": "10:00:00"},
    ],
)
def test_nothing_is_paired_that_may_not_belong_together(tmp_path, files):
    found = stacks(tmp_path, files)
    assert len(found) == len(files)
    assert not any(stack.notes for stack in found)


def test_the_filter_file_can_say_so(tmp_path):
    files = {"run-1_WATER": None, "run-2_FAT": None}
    found = stacks(tmp_path, files, {"water": {"run": "1"}, "fat": {"run": "2"}})
    assert kinds(found) == [("run-1", ["fat", "water"])]
    assert "filter file" in found[0].notes[0]


def test_complete_stacks_stay_as_they_are(tmp_path):
    files = {"run-1_WATER": "10:00:00", "run-1_FAT": "10:00:00", "run-2_FAT": "10:00:00"}
    assert kinds(stacks(tmp_path, files)) == [("run-1", ["fat", "water"]), ("run-2", ["fat"])]


def test_the_hint_is_a_filter_file_that_works(tmp_path):
    files = {"run-1_WATER": None, "run-2_FAT": None}
    found = stacks(tmp_path, files)
    hint = run_hint(found[0], found)
    assert "sub-1_run-2_FAT.nii.gz" in hint
    rule = json.loads(hint[hint.index("{") : hint.rindex("}") + 1])
    again = stacks(tmp_path / "again", files, rule)
    assert kinds(again) == [("run-1", ["fat", "water"])]
    assert run_hint(again[0], again) == ""
