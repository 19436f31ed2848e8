"""Values of settings as they stand in files that keep them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def identity(value: Any) -> Any:
    """Leave out where folders lie: their names tell them apart."""
    return sorted(value) if isinstance(value, Mapping) else value


def plain_value(value: Any) -> Any:
    """Return a value as YAML and JSON know it."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {key: plain_value(item) for key, item in value.items()}
    return value
