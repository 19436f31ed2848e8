"""The tool lists every file that is read of a model, so that its entry needs no other trust."""

import json
import sys
from pathlib import Path

import pytest

from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from tests.pipelines.segmentation.catalogue.test_model_files import fake_model, register
from tools.register_model import main


def test_an_entry_of_the_tool_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, registry_file = fake_model(tmp_path), tmp_path / "ours.json"
    (folder / "calibration.json").write_text("{}")
    register(registry_file, folder, files={})
    command = ["register_model.py", "discs", "--registry", str(registry_file)]
    monkeypatch.setattr(sys, "argv", command)
    main()
    listed = json.loads(registry_file.read_text())["models"][0]["files"]
    assert set(listed) == {
        "calibration.json",
        "dataset.json",
        "plans.json",
        "fold_0/checkpoint_final.pth",
    }
    files = open_model(str(folder), read_registry(registry_file), cache_dir=tmp_path)
    assert (files.name, files.checksums) == ("discs", listed)
