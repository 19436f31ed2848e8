"""What the names of scans mean: ``scan_kinds.tsv``, one row per spelling.

A name's *suffix* is all that follows its last ``key-value`` pair: ``WATER`` in
``sub-01_acq-thigh_WATER``, ``megre_dix_fatfr`` in ``sub-01_stk-1_megre_dix_fatfr``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from pipelines.package_data import package_json, package_rows

# What a scan without a part- entity holds.
DEFAULT_PART = "mag"


@dataclass(frozen=True)
class FileName:
    """The parts of a file's name, and the folder of scans (e.g. ``mr-quant``) it lies in.

    Entities go by their long names: ``{"subject": "01", "acquisition": "thigh"}``.
    """

    entities: Mapping[str, str]
    suffix: str
    datatype: str | None
    extension: str


@dataclass(frozen=True)
class NameRule:
    """A row of ``scan_kinds.tsv``; without a kind, the note says why such images are left alone.

    The pattern is a suffix in lower case with ``_`` for ``-``; ``*`` and ``?`` stand for anything.
    """

    pattern: str
    kind: str | None
    part: str | None
    note: str


def normalize_suffix(suffix: str) -> str:
    """Bring a suffix to the form that patterns are written in."""
    return suffix.casefold().replace("-", "_")


@cache
def rule_for(suffix: str) -> NameRule | None:
    """Return the first rule whose pattern fits a suffix, or None for a name nobody uses."""
    normalized = normalize_suffix(suffix)
    return next((rule for rule in _rules() if fnmatchcase(normalized, rule.pattern)), None)


@cache
def kinds() -> tuple[str, ...]:
    """Return the kinds of scans there are, in table order."""
    return tuple(dict.fromkeys(rule.kind for rule in _rules() if rule.kind is not None))


def spellings(kind: str) -> tuple[str, ...]:
    """Return the suffixes that are read as a kind, in table order."""
    return tuple(rule.pattern for rule in _rules() if rule.kind == kind)


@cache
def entity_keys() -> dict[str, str]:
    """Return the key used in file names for each entity of ``mids_entities.json``.

    In the order in which entities stand in our file names, e.g. ``{"acquisition": "acq"}``.
    """
    keys = {}
    for entity in package_json(__package__, "mids_entities.json")["entities"]:
        match = re.search(r"([a-z]+)-\(", entity["pattern"])
        if match is not None:
            keys[entity["name"]] = match[1]
    return keys


@cache
def _rules() -> tuple[NameRule, ...]:
    rows = package_rows(__package__, "scan_kinds.tsv")
    return tuple(
        NameRule(
            row["pattern"],
            None if row["kind"] == "n/a" else row["kind"],
            None if row["part"] == "n/a" else row["part"],
            row["note"] or "",
        )
        for row in rows
    )
