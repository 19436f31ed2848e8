"""The model registry: complete, honest about what is missing, and free of torch."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from pipelines.anatomy.label_maps import read_label_map
from pipelines.errors import ModelError
from pipelines.files import schema_error, sha256
from pipelines.package_data import package_json
from pipelines.segmentation.catalogue.model_archive import CHECKPOINT
from pipelines.segmentation.catalogue.registry import ModelEntry, list_models, read_registry

KINDS = {"water", "fat", "in_phase", "opposed_phase", "t1"}
ENTRY = {
    "name": "ours",
    "version": "1",
    "title": "A model of this site",
    "region": "thigh",
    "format": "nnunetv2",
    "labels": "thigh11",
    "channels": ["water", ["fat", "t1"]],
    "licence": "CC-BY-4.0",
    "attribution": "us",
}


def write(path: Path, *entries: object, **more: object) -> Path:
    path.write_text(json.dumps({"models": list(entries), **more}))
    return path


def test_default_model_is_bundled_and_listed():
    registry = read_registry()
    assert registry.default == "thigh11"
    assert registry.models["thigh11"].bundled
    listed = {model.name: model for model in list_models()}
    assert listed["thigh11"].source == "included"
    assert listed["thigh11"].channels == "water or in_phase or opposed_phase or t1, fat"
    assert listed["segai_thigh14"].licence == "CC-BY-NC-SA-4.0"
    assert listed["musclemap_thigh28"].format == "label_map"


def test_every_public_model_of_known_labels_is_registered():
    assert set(read_registry().models) >= {
        "bolsterlee_leg16",
        "segai_thigh14",
        "totalsegmentator_total_mr50",
        "totalsegmentator_thigh_shoulder_mr18",
        "mrsegmentator40",
        "vibesegmentator72",
        "musegai_thigh13",
        "musclemap_wholebody99",
        "musclesense_thigh22",
        "qmritools_leg",
    }


@pytest.mark.parametrize("entry", read_registry().models.values(), ids=lambda e: e.name)
def test_every_entry_can_be_used(entry):
    assert read_label_map(entry.labels)
    assert entry.channels
    assert {kind for kinds in entry.channels for kind in kinds} <= KINDS
    assert entry.licence
    assert entry.attribution
    assert entry.obtain
    if not entry.bundled:
        assert entry.path is None


@pytest.mark.parametrize(
    "entry", [e for e in read_registry().models.values() if e.bundled], ids=lambda e: e.name
)
def test_bundled_models_are_complete_and_unchanged(entry):
    assert f"fold_0/{CHECKPOINT}" in entry.files
    assert {"plans.json", "dataset.json"} <= set(entry.files)
    for relative, expected in entry.files.items():
        found = sha256(entry.path / relative)
        assert found == expected, f"{relative}: run tools/register_model.py {entry.name}"


def test_our_own_registry_follows_the_schema_that_others_are_checked_with():
    schema = package_json("pipelines.segmentation.catalogue", "registry_entry.schema.json")
    for entry in package_json("pipelines.segmentation", "registry.json")["models"]:
        assert schema_error(entry, schema) is None, entry["name"]
    assert set(schema["properties"]) == {field.name for field in fields(ModelEntry)}


def test_site_registry_adds_models_with_paths_beside_it(tmp_path):
    path = write(tmp_path / "ours.json", {**ENTRY, "path": "weights"}, default="ours")
    registry = read_registry(path)
    assert registry.default == "ours"
    entry = registry.models["ours"]
    assert entry.path == tmp_path / "weights"
    assert entry.channels == (("water",), ("fat", "t1"))
    assert entry.normalization == "nnunet"
    assert "thigh11" in registry.models
    assert {m.name: m.source for m in list_models(path)}["ours"] == str(tmp_path / "weights")


def test_files_and_archives_are_found_by_checksum(tmp_path):
    path = write(
        tmp_path / "ours.json", {**ENTRY, "files": {"plans.json": "AB" * 32}, "archive_sha256": "c"}
    )
    registry = read_registry(path)
    assert registry.entry_of_file("ab" * 32).name == "ours"
    assert registry.entry_of_archive("c").name == "ours"
    # An archive is no file of a model: a copy of one named like a checkpoint is not known.
    assert registry.entry_of_file("c") is registry.entry_of_archive("ab" * 32) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"licence": ...},
            r"Entry 1 of the model registry .* \(ours\): 'licence' is a required property\.",
        ),
        ({"licens": "MIT"}, r"not allowed \('licens' was unexpected\)"),
        ({"format": "onnx"}, r"format: 'onnx' is not one of \['nnunetv2', 'label_map'\]"),
        ({"normalization": "own"}, r"normalization: 'own' is not one of"),
        ({"neighbour_weight": 1.5}, r"neighbour_weight: 1\.5 is greater than the maximum of 1"),
        ({"neighbour_weight": -0.1}, r"neighbour_weight: -0\.1 is less than the minimum of 0"),
        ({"orientation": "RAL"}, r"orientation: 'RAL' does not match"),
        ({"orientation": "XYZ"}, r"orientation: 'XYZ' does not match"),
        ({"channels": 3}, r"channels: 3 is not of type 'array'"),
        ({"spacing_mm": [1, "x"]}, r"spacing_mm/1: 'x' is not of type 'number'"),
        ({"files": {"plans.json": 1}}, r"files/plans\.json: 1 is not of type 'string'"),
    ],
)
def test_malformed_entries_are_named(tmp_path, change, message):
    entry = {key: value for key, value in {**ENTRY, **change}.items() if value is not ...}
    with pytest.raises(ModelError, match=message) as caught:
        read_registry(write(tmp_path / "ours.json", entry))
    assert "docs/models.md" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"ours\.json is not valid JSON"),
        ("[]", r"ours\.json has no list 'models'"),
        ('{"models": {}}', r"ours\.json has no list 'models'"),
        ('{"models": ["x"]}', r"Entry 1 of the model registry .*ours\.json is not an object"),
    ],
)
def test_unreadable_registries_are_named(tmp_path, text, message):
    path = tmp_path / "ours.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=message):
        read_registry(path)


def test_missing_registry_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.json cannot be read"):
        read_registry(tmp_path / "none.json")


def test_registry_and_model_files_do_not_import_torch(repository):
    code = (
        "import sys; import pipelines.segmentation.catalogue.model_files; "
        "import pipelines.segmentation.channels, "
        "pipelines.segmentation.sides.splitting, pipelines.segmentation.review.plausibility; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0
