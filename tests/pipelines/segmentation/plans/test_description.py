"""What dataset.json and description.json must say, and how mistakes are told."""

import json

import pytest

from pipelines.errors import ModelError
from pipelines.segmentation.plans import description
from tests.pipelines.segmentation import tiny_models as models


def write(folder, dataset=None, plans_content=None):
    (folder / "dataset.json").write_text(json.dumps(dataset or models.dataset()))
    (folder / "plans.json").write_text(json.dumps(plans_content or models.plans()))
    return folder


def test_description_is_read(tmp_path):
    dataset, content = description.read_plans(write(tmp_path))
    assert dataset["labels"] == models.LABELS
    assert list(content["configurations"]) == ["2d"]


@pytest.mark.parametrize("missing", ["dataset.json", "plans.json"])
def test_missing_file_is_named(tmp_path, missing):
    write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ModelError, match=rf"{missing} is missing in .*{tmp_path.name}"):
        description.read_plans(tmp_path)


def test_broken_json_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "plans.json").write_text("{")
    with pytest.raises(ModelError, match=r"plans\.json cannot be read"):
        description.read_plans(tmp_path)
    (tmp_path / "plans.json").write_text("[]")
    with pytest.raises(ModelError, match=r"plans\.json is not a JSON object"):
        description.read_plans(tmp_path)


def test_version_1_is_recognized_by_its_pickled_plans(tmp_path):
    (tmp_path / "plans.pkl").touch()
    with pytest.raises(ModelError, match="holds a model of nnU-Net v1") as caught:
        description.read_plans(tmp_path)
    assert "--derivatives" in caught.value.hint


def test_version_1_is_recognized_by_its_dataset(tmp_path):
    write(tmp_path, {"modality": {"0": "MRI"}, "labels": {"0": "background"}})
    with pytest.raises(ModelError, match=r"dataset\.json is written for nnU-Net v1"):
        description.read_plans(tmp_path)


def test_other_json_is_no_model(tmp_path):
    write(tmp_path, plans_content={"something": "else"})
    with pytest.raises(ModelError, match=r"plans\.json has no 'configurations'"):
        description.read_plans(tmp_path)


def test_channels_come_in_numerical_order():
    names = {str(i): f"c{i}" for i in (10, 2, 0, 1, 3, 4, 5, 6, 7, 8, 9)}
    assert description.channel_names({"channel_names": names}) == tuple(f"c{i}" for i in range(11))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"0": "noNorm_water", "1": "noNorm_fat"}, (("water",), ("fat",))),
        ({"0": "Dixon_Water"}, (("water",),)),
        ({"0": "IP", "1": "OP"}, (("in_phase",), ("opposed_phase",))),
        ({"0": "MRI"}, (("water", "in_phase", "t1", "opposed_phase", "fat"),)),
    ],
)
def test_channel_names_are_understood(names, expected):
    assert description.channel_kinds({"channel_names": names}, "dataset.json") == expected


@pytest.mark.parametrize("names", [{"0": "CT"}, {"0": "MRI", "1": "fat"}])
def test_unknown_channels_are_named(names):
    with pytest.raises(ModelError, match=rf"Channel '{names['0']}' of m/dataset.json is no known"):
        description.channel_kinds({"channel_names": names}, "m/dataset.json")


def test_regions_are_refused():
    with pytest.raises(ModelError, match=r"dataset trains regions \(whole\)"):
        description.model_label_values({"labels": {"background": 0, "whole": [1, 2]}}, "dataset")


def test_orientation_is_known_only_from_the_reorienting_reader():
    assert description.orientation({"image_reader_writer": "NibabelIOWithReorient"}) == "RAS"
    assert description.orientation({"image_reader_writer": "SimpleITKIO"}) is None


def test_missing_configuration_lists_those_there_are():
    with pytest.raises(ModelError, match="no configuration '3d_lowres'") as caught:
        description.merged_configuration(models.plans(), "3d_lowres", "m")
    assert caught.value.hint == "They have: 2d."


def test_a_configuration_cannot_inherit_from_itself():
    content = models.plans()
    content["configurations"]["2d_bs4"] = {"inherits_from": "2d_bs4", "batch_size": 4}
    with pytest.raises(ModelError, match="inherit from '2d_bs4' in a way that fails"):
        description.merged_configuration(content, "2d_bs4", "m")


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("dataset", {"channel_names": {"x": "water"}}, "'x' does not match"),
        ("dataset", {"channel_names": {"0": ["water"]}}, "channel_names/0: .* of type 'string'"),
        ("dataset", {"labels": {"gracilis": "1"}}, "labels/gracilis: '1' is not of type"),
        ("dataset", {"labels": {"gracilis": 10**9}}, "1000000000 is greater than the maximum"),
        ("plans", {"transpose_forward": [0, 1]}, r"transpose_forward: \[0, 1\] is too short"),
        ("plans", {"transpose_forward": [0, 0, 1]}, "non-unique elements"),
        ("plans", {"configurations": {"2d": 3}}, "configurations/2d: 3 is not of type 'object'"),
        ("plans", {"configurations": {"2d": {"inherits_from": []}}}, "inherits_from: .* of type"),
        (
            "plans",
            {"foreground_intensity_properties_per_channel": {"0": {"mean": 1e300}}},
            "0/mean: 1e\\+300 is greater than the maximum",
        ),
    ],
)
def test_types_and_bounds_are_checked_before_use(tmp_path, file, change, problem):
    contents = {"dataset": models.dataset(), "plans": models.plans()}
    contents[file] |= change
    write(tmp_path, contents["dataset"], contents["plans"])
    message = rf"{file}\.json does not describe a model that can be run: .*{problem}"
    with pytest.raises(ModelError, match=message):
        description.read_plans(tmp_path)


def test_what_is_no_number_counts_as_missing(tmp_path):
    content = models.plans()
    content["foreground_intensity_properties_per_channel"]["0"] = {"mean": float("nan")}
    _, read = description.read_plans(write(tmp_path, plans_content=content))
    assert read["foreground_intensity_properties_per_channel"]["0"] == {"mean": None}
