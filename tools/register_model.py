#!/usr/bin/env python3
"""Fill in the checksums of a model in a registry file, after its files changed.

``tools/register_model.py NAME [--registry FILE] [--openvino]``

NAME is an entry of FILE (the registry that comes with the software unless given) with a ``path``.
With ``--openvino`` its networks are converted first and shipped with it, which saves every first
run the conversion. Only run this on files whose origin you know: a registered checkpoint is
loaded without asking.
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.files import sha256
from pipelines.segmentation.catalogue.model_archive import find_checkpoints, find_results_folder
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.catalogue.trust import CONVERTED_FOLDER, checksums_of_read

OWN = Path(__file__).resolve().parents[1] / "pipelines" / "segmentation" / "registry.json"


def main() -> None:
    """Update the registry file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("--registry", type=Path, default=OWN)
    parser.add_argument("--openvino", action="store_true", help="convert and ship the networks")
    options = parser.parse_args()
    content = json.loads(options.registry.read_text(encoding="utf-8"))
    entry = next(model for model in content["models"] if model["name"] == options.name)
    folder = find_results_folder(options.registry.parent / entry["path"])
    shutil.rmtree(folder / CONVERTED_FOLDER, ignore_errors=True)
    if options.openvino:
        convert(f"{options.name}={folder}", folder, options.registry)
    entry["files"] = checksums_of_read(folder, find_checkpoints(folder))
    for file in sorted((folder / CONVERTED_FOLDER).glob("*")):
        entry["files"][file.relative_to(folder).as_posix()] = sha256(file)
    options.registry.write_text(as_text(content), encoding="utf-8")
    for name, checksum in entry["files"].items():
        print(checksum, name)


def convert(model: str, folder: Path, registry_file: Path) -> None:
    """Write the OpenVINO form of every fold into the model folder."""
    from pipelines.segmentation.inference.openvino_conversion import convert_to_folder

    registry = read_registry(None if registry_file == OWN else registry_file)
    # The old checksums are about to be replaced; what is converted is what lies in the folder.
    name = model.partition("=")[0]
    unchecked = registry.without_checksums(name)
    files = open_model(model, unchecked, cache_dir=folder, trust_model=True)
    convert_to_folder(files, folder / CONVERTED_FOLDER)


def as_text(content: object) -> str:
    """Return JSON with lists of plain values on one line."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    plain = r'(?:"[^"]*"|-?[\d.]+)'
    flat = re.compile(rf"\[\s+({plain}(?:,\s+{plain})*)\s+\]")
    text = flat.sub(lambda m: "[" + re.sub(r",\s+", ", ", m[1]) + "]", text)
    nested = re.compile(r"\[\s+(\[[^\]]*\](?:,\s+\[[^\]]*\])*)\s+\]")
    return nested.sub(lambda m: "[" + re.sub(r"\],\s+\[", "], [", m[1]) + "]", text) + "\n"


if __name__ == "__main__":
    main()
