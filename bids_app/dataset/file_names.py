"""Read the names of files with pybids and our entity file ``mids_entities.json``.

The only module that imports pybids; one name at a time, relative to the dataset.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.resources import as_file, files
from pathlib import Path, PurePosixPath
from typing import Any

from bids_app.dataset.naming import FileName


@lru_cache(maxsize=4096)
def parse_name(path: PurePosixPath) -> FileName:
    """Read the entities of a file from its path relative to the dataset."""
    with _without_settings_of_pybids():
        from bids.layout import parse_file_entities

    entities = dict(parse_file_entities(f"/{path}", config=_entity_config()))
    return FileName(
        suffix=entities.pop("suffix", ""),
        datatype=entities.pop("datatype", None),
        extension=entities.pop("extension", ""),
        entities=entities,
    )


@contextmanager
def _without_settings_of_pybids() -> Iterator[None]:
    """Keep pybids from reading ``pybids_config.json`` when it is imported.

    It looks in HOME, which may be missing or damaged, in the current folder and where
    ``PYBIDS_CONFIG`` says; nothing in there matters to us.
    """
    if "bids" in sys.modules:
        yield
        return
    before = {name: os.environ.pop(name, None) for name in ("HOME", "PYBIDS_CONFIG")}
    # The folder itself, not its name: it may be gone or not readable.
    here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    try:
        os.environ["HOME"] = str(Path(__file__).parent)
        os.chdir(os.environ["HOME"])
        yield
    finally:
        os.fchdir(here)
        os.close(here)
        del os.environ["HOME"]
        os.environ.update({name: text for name, text in before.items() if text is not None})


@cache
def _entity_config() -> Any:
    """Load our entity file as a pybids configuration."""
    with _without_settings_of_pybids():
        from bids.layout import Config

    with as_file(files(__package__) / "mids_entities.json") as path:
        return Config.load(str(path))
