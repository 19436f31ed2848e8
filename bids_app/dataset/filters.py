"""The BIDS filter file: a JSON file that narrows which scans are used.

For each kind of scan it names entities and the values wanted::

    {"water": {"acquisition": "dixon", "run": null, "suffix": "*"}}

``null`` wants the entity absent, ``"*"`` takes any value, a list takes any of its values. A
``suffix`` that is not read as that kind by itself makes it so, which helps where Dixon images
carry a name meant for something else: ``{"water": {"suffix": "T1w", "acquisition": "water"}}``.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bids_app.dataset.naming import FileName, entity_keys, kinds, normalize_suffix, rule_for
from bids_app.errors import AppError, ExitCode
from bids_app.files.sidecars import read_json_file

ANY: Literal["*"] = "*"

# What a filter can look at besides the entities of mids_entities.json.
_PARTS_OF_NAME = ("suffix", "datatype", "extension")

# Values wanted of one entity; None: absent; "*": any.
Wanted = tuple[str, ...] | Literal["*"] | None


@dataclass(frozen=True)
class Filters:
    """Wanted values by kind of scan and entity (long name, or a part of the name)."""

    wanted: Mapping[str, Mapping[str, Wanted]]

    def accepts(self, kind: str, name: FileName) -> bool:
        """Tell whether a scan of a kind is wanted; kinds without a filter all are."""
        conditions = self.wanted.get(kind, {})
        return all(_meets(name, key, want) for key, want in conditions.items())

    def renamed_kind(self, name: FileName) -> str | None:
        """Return the kind a filter gives to a scan whose own suffix says otherwise, if any."""
        rule = rule_for(name.suffix)
        own = rule.kind if rule is not None else None
        for kind, conditions in self.wanted.items():
            by_suffix = isinstance(conditions.get("suffix"), tuple)
            if kind != own and by_suffix and self.accepts(kind, name):
                return kind
        return None

    @property
    def names_run_of_both(self) -> bool:
        """Whether runs of water and of fat are named, which says that they belong together."""
        return all(
            isinstance(self.wanted.get(kind, {}).get("run"), tuple) for kind in ("water", "fat")
        )

    def fixed_entities(self, kind: str) -> set[str]:
        """Return the entities for which a filter of a kind names values."""
        return {key for key, want in self.wanted[kind].items() if isinstance(want, tuple)}


def read_filter_file(path: Path) -> Filters:
    """Read and check a BIDS filter file.

    Raises
    ------
    AppError
        ``USAGE`` if it names an unknown kind or entity or a value of the wrong type; as
        :func:`bids_app.files.sidecars.read_json_file` if it cannot be read.
    """
    content = read_json_file(path)
    if not isinstance(content, dict):
        raise _wrong(path, "must hold an object", '{"water": {"acquisition": "dixon"}}')
    filters = {}
    for kind, conditions in content.items():
        if kind not in kinds():
            raise _unknown(path, "kind of scan", kind, kinds())
        if not isinstance(conditions, dict):
            raise _wrong(path, f"{kind!r} must hold an object", '{"acquisition": "dixon"}')
        filters[kind] = {
            _entity(path, key): _wanted(path, f"{kind}: {key}", value)
            for key, value in conditions.items()
        }
    return Filters(filters)


def _entity(path: Path, key: str) -> str:
    """Return the long name of an entity given by its long or short name."""
    long_names = {short: name for name, short in entity_keys().items()}
    name = long_names.get(key, key)
    if name == "subject":
        raise _wrong(path, "cannot choose participants", "--participant-label")
    known = (*entity_keys(), *_PARTS_OF_NAME)
    if name not in known:
        raise _unknown(path, "entity", key, known)
    return name


def _wanted(path: Path, where: str, value: object) -> Wanted:
    if value is None:
        return None
    if value == ANY:
        return ANY
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(v, str | int) and not isinstance(v, bool) for v in values):
        raise _wrong(path, f"{where} must be text, a number, a list of them, null or '*'", "")
    return tuple(str(v) for v in values)


def _meets(name: FileName, key: str, wanted: Wanted) -> bool:
    """Tell whether one part of a name is as wanted; numbers compare by value (``run-01`` is 1)."""
    if wanted == ANY:
        return True
    value = getattr(name, key) if key in _PARTS_OF_NAME else name.entities.get(key)
    if wanted is None or value is None:
        return wanted is value
    if key == "suffix":
        return normalize_suffix(value) in map(normalize_suffix, wanted)
    if value.isdecimal():
        return int(value) in {int(want) for want in wanted if want.isdecimal()}
    return value in wanted


def _wrong(path: Path, problem: str, example: str) -> AppError:
    hint = f"For instance: {example}" if example else "docs/input.md describes the filter file."
    return AppError(f"The filter file {path} {problem}.", ExitCode.USAGE, hint)


def _unknown(path: Path, what: str, name: str, known: tuple[str, ...]) -> AppError:
    near = difflib.get_close_matches(name, known, n=1)
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    return AppError(
        f"The filter file {path} names an unknown {what} {name!r}.",
        ExitCode.USAGE,
        f"{suggestion}Known: {', '.join(known)}.",
    )
