"""Read the tables and settings that lie beside the code that uses them."""

import csv
import json
from importlib.resources import files
from typing import Any


def read_text(package: str, name: str) -> str:
    """Return the text of a file of a package; callers name their own ``__package__``."""
    return (files(package) / name).read_text(encoding="utf-8")


def read_rows(package: str, name: str) -> list[dict[str, str]]:
    """Return the rows of a TSV file, one dictionary each, by column."""
    return list(csv.DictReader(read_text(package, name).splitlines(), delimiter="\t"))


def read_json(package: str, name: str) -> Any:
    """Return the content of a JSON file."""
    return json.loads(read_text(package, name))


def read_yaml(package: str, name: str) -> Any:
    """Return the content of a YAML file."""
    import yaml

    return yaml.safe_load(read_text(package, name))
