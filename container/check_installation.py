"""Check the app inside the image: its version, every module, the checksums of its weights.

``check_installation.py --version VERSION``, run while the image is built; a mismatch fails the
build. Any user can run it again in the finished image.
"""

import argparse
import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bids_app
import pipelines
from bids_app.version import __version__
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry


def main() -> None:
    """Run all checks; end with a message and code 1 at the first that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--version", default=__version__)
    expected = parser.parse_args().version
    if expected != __version__:
        sys.exit(f"The image shall be version {expected}, but the software is {__version__}.")
    for package in (bids_app, pipelines):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    registry = read_registry()
    bundled = [entry.name for entry in registry.models.values() if entry.bundled]
    if not bundled:
        sys.exit("The model registry names no model that comes with the software.")
    with tempfile.TemporaryDirectory() as cache:
        for name in bundled:
            # Raises ModelError naming the file whose SHA-256 is not the registered one.
            files = open_model(name, registry, cache_dir=Path(cache))
            print(f"{name} {files.version}: SHA-256 of all files {files.checksum}")


if __name__ == "__main__":
    main()
