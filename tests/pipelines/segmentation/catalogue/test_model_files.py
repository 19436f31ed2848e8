"""Which models may be loaded: found, complete, unchanged, trusted, understood."""

import hashlib
import json
import pickle
import zipfile

import pytest

from pipelines.anatomy.vocabulary import Label
from pipelines.errors import ModelError
from pipelines.files import sha256
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from tests.pipelines.segmentation.tiny_models import LABELS, dataset, plans

CHECKPOINT = "fold_0/checkpoint_final.pth"
LABEL_MAP = "value\tlabel\tmuscle\tside\n1\ta\tsoleus\tleft\n2\tb\tn/a\tboth\n"


def fake_model(folder, **description):
    """A results folder whose checkpoint is never loaded."""
    target = folder / "nnUNetTrainer__nnUNetPlans__2d"
    (target / "fold_0").mkdir(parents=True)
    (target / CHECKPOINT).write_bytes(b"not a real checkpoint")
    for name, content in {"plans.json": plans(), "dataset.json": dataset(), **description}.items():
        (target / name).write_text(json.dumps(content))
    return target


def register(file, folder, **changes):
    """Write a registry file that trusts a folder; returns the registry."""
    files = ["dataset.json", "plans.json", CHECKPOINT]
    entry = {
        "name": "discs",
        "version": "3",
        "title": "Discs",
        "region": "thigh",
        "format": "nnunetv2",
        "labels": str(file.parent / "labels.tsv"),
        "channels": ["water", "fat"],
        "licence": "MIT",
        "attribution": "us",
        "path": str(folder),
        "files": {name: sha256(folder / name) for name in files},
        **changes,
    }
    (file.parent / "labels.tsv").write_text(LABEL_MAP)
    file.write_text(json.dumps({"models": [entry]}))
    return read_registry(file)


def open_trusted(model, tmp_path, **options):
    return open_model(
        str(model), read_registry(), cache_dir=tmp_path / "cache", trust_model=True, **options
    )


def test_folder_is_understood(tmp_path):
    folder = fake_model(tmp_path)
    files = open_trusted(folder, tmp_path)
    assert files.folder == folder
    assert files.name == folder.name
    assert files.plan.configuration == "2d"
    assert files.channels == (("water",), ("fat",))
    assert files.labels == (
        Label(1, "rectus_femoris", "rectus_femoris", "both"),
        Label(2, "gracilis", "gracilis", "both"),
    )
    assert files.region == "thigh"
    assert files.orientation == "RAS"
    checkpoint = hashlib.sha256(b"not a real checkpoint").hexdigest()
    assert files.checksums[CHECKPOINT] == checkpoint
    assert len(files.checksum) == 64
    assert pickle.loads(pickle.dumps(files)) == files


def test_one_checksum_covers_every_file(tmp_path):
    first = open_trusted(fake_model(tmp_path / "a"), tmp_path).checksum
    folder = fake_model(tmp_path / "b")
    assert open_trusted(folder, tmp_path).checksum == first
    (folder / "plans.json").write_text((folder / "plans.json").read_text() + "\n")
    assert open_trusted(folder, tmp_path).checksum != first


def test_parent_folders_will_do(tmp_path):
    folder = fake_model(tmp_path / "nnUNet_results" / "Dataset001_Discs")
    assert open_trusted(tmp_path / "nnUNet_results", tmp_path).folder == folder


def test_several_models_below_a_folder_are_listed(tmp_path):
    fake_model(tmp_path / "m" / "Dataset001_Discs")
    fake_model(tmp_path / "m" / "Dataset002_More")
    with pytest.raises(ModelError, match=r"several models: Dataset001_Discs/.*, Dataset002_More/"):
        open_trusted(tmp_path / "m", tmp_path)


def test_exported_zip_is_opened(tmp_path):
    folder = fake_model(tmp_path / "Dataset001_Discs")
    archive = tmp_path / "discs.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for path in folder.rglob("*.*"):
            stream.write(path, path.relative_to(tmp_path))
    files = open_trusted(archive, tmp_path)
    assert files.folder.is_relative_to(tmp_path / "cache")
    assert files.checksum == open_trusted(folder, tmp_path).checksum


def test_registered_archive_needs_no_other_trust(tmp_path):
    folder = fake_model(tmp_path / "Dataset001_Discs")
    archive = tmp_path / "discs.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        for path in folder.rglob("*.*"):
            stream.write(path, path.relative_to(tmp_path))
    registry = register(
        tmp_path / "ours.json", folder, files={}, path=None, archive_sha256=sha256(archive)
    )
    files = open_model(str(archive), registry, cache_dir=tmp_path / "cache")
    assert (files.name, files.version) == ("discs", "3")


def test_unknown_checkpoint_is_refused_with_its_checksum(tmp_path):
    folder = fake_model(tmp_path)
    with pytest.raises(ModelError) as caught:
        open_model(str(folder), read_registry(), cache_dir=tmp_path)
    assert sha256(folder / CHECKPOINT) in caught.value.message
    assert "in no model registry" in caught.value.message
    assert "--trust-model" in caught.value.hint
    assert "--model-registry" in caught.value.hint


def test_registered_checkpoint_is_recognized_by_its_checksum(tmp_path):
    folder = fake_model(tmp_path)
    registry = register(tmp_path / "ours.json", folder)
    files = open_model(str(folder), registry, cache_dir=tmp_path)
    assert (files.name, files.version) == ("discs", "3")
    assert files.labels == (Label(1, "a", "soleus", "left"), Label(2, "b", None, "both"))


def test_named_model_is_opened_from_its_registered_folder(tmp_path):
    folder = fake_model(tmp_path)
    registry = register(tmp_path / "ours.json", folder)
    assert open_model("discs", registry, cache_dir=tmp_path).folder == folder


def test_weight_of_adjacent_slices_comes_from_the_entry(tmp_path):
    folder = fake_model(tmp_path)
    plain = open_trusted(folder, tmp_path)
    assert plain.neighbour_weight == 0.0
    registry = register(tmp_path / "ours.json", folder, neighbour_weight=0.25)
    files = open_model("discs", registry, cache_dir=tmp_path)
    assert files.neighbour_weight == 0.25
    ours = open_model("thigh11", read_registry(), cache_dir=tmp_path)
    assert ours.neighbour_weight == 0.1


def test_registered_facts_with_files_from_elsewhere(tmp_path):
    folder = fake_model(tmp_path)
    registry = register(tmp_path / "ours.json", folder, path=None, files={})
    with pytest.raises(ModelError, match="in no model registry"):
        open_model(f"discs={folder}", registry, cache_dir=tmp_path)
    files = open_model(f"discs={folder}", registry, cache_dir=tmp_path, trust_model=True)
    assert files.name == "discs"
    assert files.folder == folder


@pytest.mark.parametrize("how", ["{folder}", "discs", "discs={folder}"])
def test_an_entry_must_list_every_file_that_is_read(tmp_path, how):
    folder = fake_model(tmp_path)
    (folder / "calibration.json").write_text("{}")
    listed = {CHECKPOINT: sha256(folder / CHECKPOINT)}
    registry = register(tmp_path / "ours.json", folder, files=listed)
    model = how.format(folder=folder)
    with pytest.raises(ModelError) as caught:
        open_model(model, registry, cache_dir=tmp_path)
    assert caught.value.message == (
        "The registry entry of model discs does not list the SHA-256 of calibration.json, "
        f"dataset.json, plans.json in {folder}, so nothing there is trusted: what stands beside a "
        "checkpoint decides what is done with it."
    )
    assert "tools/register_model.py" in caught.value.hint
    files = open_model(model, registry, cache_dir=tmp_path, trust_model=True)
    assert files.checksums["calibration.json"] == sha256(folder / "calibration.json")


def test_a_known_checkpoint_vouches_for_nothing_beside_it(tmp_path):
    folder = fake_model(tmp_path / "known")
    registry = register(tmp_path / "ours.json", folder)
    other = fake_model(tmp_path / "other")
    (other / "plans.json").write_text(json.dumps({**plans(), "plans_name": "changed"}))
    with pytest.raises(ModelError, match=r"plans\.json is not the file registered for model discs"):
        open_model(f"bolsterlee_leg16={other}", registry, cache_dir=tmp_path)


def test_an_archive_named_like_a_checkpoint_is_not_known(tmp_path):
    folder = fake_model(tmp_path)
    digest = sha256(folder / CHECKPOINT)
    registry = register(tmp_path / "ours.json", folder, files={}, archive_sha256=digest)
    with pytest.raises(ModelError, match="in no model registry"):
        open_model(str(folder), registry, cache_dir=tmp_path)


@pytest.mark.parametrize("name", ["plans.json", "dataset.json", CHECKPOINT])
def test_changed_file_is_named_with_both_checksums(tmp_path, name):
    folder = fake_model(tmp_path)
    registry = register(tmp_path / "ours.json", folder)
    expected = sha256(folder / name)
    (folder / name).write_text((folder / name).read_text() + " ")
    with pytest.raises(ModelError) as caught:
        open_model("discs", registry, cache_dir=tmp_path)
    assert caught.value.message == (
        f"{folder / name} is not the file registered for model discs 3: "
        f"SHA-256 expected {expected}, found {sha256(folder / name)}."
    )


def test_missing_registered_file_is_named(tmp_path):
    folder = fake_model(tmp_path)
    registry = register(
        tmp_path / "ours.json", folder, files={"fold_1/checkpoint_final.pth": "a" * 64}
    )
    with pytest.raises(ModelError, match=r"Model discs 3 lacks the file .*fold_1"):
        open_model("discs", registry, cache_dir=tmp_path)


def test_checkpoints_beside_the_registered_ones_are_refused(tmp_path):
    folder = fake_model(tmp_path)
    registry = register(tmp_path / "ours.json", folder)
    (folder / "fold_1").mkdir()
    (folder / "fold_1" / "checkpoint_final.pth").touch()
    with pytest.raises(ModelError, match=r"not registered for model discs: fold_1/checkpoint"):
        open_model("discs", registry, cache_dir=tmp_path)


def test_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ModelError, match="no model named 'thihg11', and no such file") as caught:
        open_model("thihg11", read_registry(), cache_dir=tmp_path)
    assert "thigh11" in caught.value.hint


def test_named_model_without_weights_says_how_to_get_them(tmp_path):
    with pytest.raises(ModelError, match="weights of model segai_thigh14 are not part") as caught:
        open_model("segai_thigh14", read_registry(), cache_dir=tmp_path)
    assert "--model segai_thigh14=PATH" in caught.value.hint
    assert "CC-BY-NC-SA-4.0" in caught.value.hint


def test_model_of_another_framework_says_what_to_do_instead(tmp_path):
    with pytest.raises(ModelError, match="musclemap_thigh28 is not an nnU-Net v2 model") as caught:
        open_model("musclemap_thigh28", read_registry(), cache_dir=tmp_path)
    assert "--derivatives" in caught.value.hint


def test_named_path_must_exist(tmp_path):
    with pytest.raises(ModelError, match=r"no file or folder .*nowhere"):
        open_model(f"segai_thigh14={tmp_path}/nowhere", read_registry(), cache_dir=tmp_path)


def test_missing_folder_of_a_registered_model(tmp_path):
    folder = fake_model(tmp_path)
    registry = register(tmp_path / "ours.json", folder, path="gone")
    with pytest.raises(ModelError, match=r"The folder of model discs is missing: .*gone"):
        open_model("discs", registry, cache_dir=tmp_path)


def test_folder_without_checkpoint(tmp_path):
    folder = fake_model(tmp_path)
    (folder / CHECKPOINT).unlink()
    with pytest.raises(ModelError, match=r"has no fold_\*/checkpoint_final\.pth") as caught:
        open_trusted(folder, tmp_path)
    assert "Git LFS" in caught.value.hint


def test_unfinished_training(tmp_path):
    folder = fake_model(tmp_path)
    (folder / CHECKPOINT).rename(folder / "fold_0" / "checkpoint_best.pth")
    with pytest.raises(ModelError, match="its training is not finished"):
        open_trusted(folder, tmp_path)


def test_checkpoint_of_version_1(tmp_path):
    folder = fake_model(tmp_path)
    (folder / CHECKPOINT).rename(folder / "fold_0" / "model_final_checkpoint.model")
    with pytest.raises(ModelError, match=r"holds a checkpoint of nnU-Net v1"):
        open_trusted(folder, tmp_path)


def test_folds_are_used_in_order_and_all_data_only_alone(tmp_path):
    folder = fake_model(tmp_path)
    for fold in ("fold_1", "fold_all"):
        (folder / fold).mkdir()
        (folder / fold / "checkpoint_final.pth").touch()
    names = [path.parent.name for path in open_trusted(folder, tmp_path).checkpoints]
    assert names == ["fold_0", "fold_1"]
    for fold in ("fold_0", "fold_1"):
        (folder / fold / "checkpoint_final.pth").unlink()
    names = [path.parent.name for path in open_trusted(folder, tmp_path).checkpoints]
    assert names == ["fold_all"]


def test_unknown_label_names_ask_for_a_label_map(tmp_path):
    folder = fake_model(
        tmp_path, **{"dataset.json": dataset({"background": 0, "disc": 1, "gracilis": 2})}
    )
    with pytest.raises(ModelError, match=r"Unknown label names in .*dataset.json: 'disc' \(1\)"):
        open_trusted(folder, tmp_path)
    path = tmp_path / "map.tsv"
    path.write_text(LABEL_MAP)
    files = open_trusted(folder, tmp_path, label_map=str(path))
    assert files.labels == (Label(1, "a", "soleus", "left"), Label(2, "b", None, "both"))
    assert files.region == "leg"


def test_classes_beyond_the_label_map_are_not_measured(tmp_path):
    labels = {**LABELS, "femur": 3, "other": 4, "ignore": 5}
    folder = fake_model(tmp_path, **{"dataset.json": dataset(labels)})
    path = tmp_path / "map.tsv"
    path.write_text(LABEL_MAP)
    files = open_trusted(folder, tmp_path, label_map=str(path))
    assert files.labels[2:] == (Label(3, "femur", None, "both"), Label(4, "other", None, "both"))


def test_label_map_of_another_model(tmp_path):
    path = tmp_path / "map.tsv"
    path.write_text("value\tlabel\tmuscle\tside\n77\tx\tsoleus\tleft\n")
    with pytest.raises(ModelError, match="No muscle of the label map has a value"):
        open_trusted(fake_model(tmp_path), tmp_path, label_map=str(path))


def test_registry_and_dataset_disagree_on_channels(tmp_path):
    folder = fake_model(tmp_path)
    registry = register(tmp_path / "ours.json", folder, channels=["water"])
    message = r"gives model discs 1 channels \(water\), its dataset.json 2 \(water, fat\)"
    with pytest.raises(ModelError, match=message):
        open_model("discs", registry, cache_dir=tmp_path)


def test_bad_plans_are_refused_before_anything_is_loaded(tmp_path):
    content = plans()
    architecture = content["configurations"]["2d"]["architecture"]
    architecture["network_class_name"] = "os.system"
    with pytest.raises(ModelError, match=r"name 'os\.system'"):
        open_trusted(fake_model(tmp_path, **{"plans.json": content}), tmp_path)
