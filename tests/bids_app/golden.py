"""Which files the group level leaves, for each way of running it (``golden_group_files.tsv``)."""

import csv
from pathlib import Path

_TABLE = Path(__file__).parent / "golden_group_files.tsv"


def group_files(way: str) -> list[str]:
    """Return the files of a way of running: those with a cross in its column."""
    with _TABLE.open(newline="") as stream:
        return [row["file"] for row in csv.DictReader(stream, delimiter="\t") if row[way] == "x"]
