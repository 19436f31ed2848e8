"""Read the tables and settings that lie beside the code that uses them."""

import csv
import json
from importlib.resources import files
from typing import Any


def package_text(package: str, name: str) -> str:
    """Return the text of a file of a package; callers name their own ``__package__``."""
    return (files(package) / name).read_text(encoding="utf-8")


def package_rows(package: str, name: str) -> list[dict[str, str]]:
    """Return the rows of a TSV file, one dictionary each, by column."""
    return list(csv.DictReader(package_text(package, name).splitlines(), delimiter="\t"))


def package_json(package: str, name: str) -> Any:
    """Return the content of a JSON file."""
    return json.loads(package_text(package, name))


def package_yaml(package: str, name: str) -> Any:
    """Return the content of a YAML file."""
    import yaml

    return yaml.safe_load(package_text(package, name))
