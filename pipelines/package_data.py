"""Read the tables and settings that lie beside the code that uses them."""

import csv
import json
from importlib.resources import files
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def package_text(package: str, name: str) -> str:
    """Return the text of a file of a package; callers name their own ``__package__``."""
    return (files(package) / name).read_text(encoding="utf-8")


def package_rows(package: str, name: str) -> list[dict[str, str]]:
    """Return the rows of a TSV file, one dictionary each, by column."""
    return list(csv.DictReader(package_text(package, name).splitlines(), delimiter="\t"))


def package_table(package: str, name: str) -> "pd.DataFrame":
    """Return a TSV file as a table of numbers whose first column is the index."""
    import pandas as pd

    return pd.read_csv(StringIO(package_text(package, name)), sep="\t", index_col=0)


def package_json(package: str, name: str) -> Any:
    """Return the content of a JSON file."""
    return json.loads(package_text(package, name))


def package_yaml(package: str, name: str) -> Any:
    """Return the content of a YAML file."""
    import yaml

    return yaml.safe_load(package_text(package, name))
