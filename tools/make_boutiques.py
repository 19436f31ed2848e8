#!/usr/bin/env python3
"""Write the Boutiques descriptor from the table of options, so that it cannot drift.

``tools/make_boutiques.py [--check]``

Run it after an option was added or changed, or a version released. ``--check`` writes nothing and
ends with code 1 if a descriptor in the repository is out of date.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bids_app.options.kinds import COUNT, PATH, SWITCH, SWITCH_BOTH_WAYS
from bids_app.options.option import Option
from bids_app.options.parser import DESCRIPTION
from bids_app.options.settings import OPTIONS
from bids_app.version import __version__

REPOSITORY = Path(__file__).resolve().parents[1]

# Nipoppy wants the descriptor inside the folder of its pipeline, which names the version.
TARGETS = (
    REPOSITORY / "descriptors" / "boutiques" / "myomids.json",
    REPOSITORY / "descriptors" / "nipoppy" / f"myomids-{__version__}" / "descriptor.json",
)
EXIT_CODES = REPOSITORY / "docs" / "exit-codes.md"


def main() -> None:
    """Write or check the descriptors."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    text = json.dumps(descriptor(), indent=2) + "\n"
    for path in TARGETS:
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            sys.exit(f"{path.relative_to(REPOSITORY)} is out of date: run tools/make_boutiques.py.")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def descriptor() -> dict[str, Any]:
    """Return the descriptor as a JSON object."""
    inputs = [entry for option in OPTIONS for entry in _inputs(option)]
    keys = " ".join(str(i["value-key"]) for i in inputs)
    exclusive = [_exclusive(o) for o in OPTIONS if o.kind is SWITCH_BOTH_WAYS]
    return {
        "name": "MyoMIDS",
        "tool-version": __version__,
        "schema-version": "0.5",
        "description": " ".join(DESCRIPTION.split()),
        "command-line": f"myomids {keys}",
        "container-image": {"type": "docker", "image": f"myomids:{__version__}"},
        "inputs": inputs,
        "groups": exclusive,
        "output-files": [
            {
                "id": "results",
                "name": "Derivative dataset",
                "description": "Tables, maps, label images and reports; see docs/outputs.md.",
                "path-template": "[OUTPUT_DIR]",
                "optional": False,
            }
        ],
        "error-codes": list(_error_codes()),
        "suggested-resources": {"cpu-cores": 2, "ram": 6, "walltime-estimate": 600},
        "tags": {"domain": ["neuromuscular", "mri", "bids-app"]},
        "custom": {"BIDSApplicationVersion": __version__},
    }


def _inputs(option: Option) -> Iterator[dict[str, Any]]:
    """Describe one option; a switch that can be turned off is two flags, ``-v`` also ``-vv``."""
    if option.kind is SWITCH_BOTH_WAYS:
        for flag in _both_ways(option):
            yield _flag(option, flag, _identifier(flag))
    elif option.kind is COUNT:
        yield _flag(option, option.flag, option.name)
        yield _flag(option, f"{option.flag}{option.flag[-1]}", f"{option.name}_most")
    elif option.kind is SWITCH:
        yield _flag(option, option.flag, option.name)
    elif option.kind.action is not None:
        yield _valued(option)


def _flag(option: Option, flag: str, identifier: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": flag.lstrip("-").replace("-", " "),
        "description": option.explanation,
        "type": "Flag",
        "optional": True,
        "value-key": f"[{identifier.upper()}]",
        "command-line-flag": flag,
    }


def _valued(option: Option) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": option.name,
        "name": option.name.replace("_", " "),
        "description": option.explanation,
        "type": "String",
        "optional": bool(option.flags),
        "value-key": f"[{option.name.upper()}]",
    }
    if option.flags:
        entry["command-line-flag"] = option.flag
    if option.kind.action == "extend":
        entry |= {"list": True, "min-list-entries": 1}
    if option.kind.choices:
        entry["value-choices"] = list(option.kind.choices)
    elif option.kind is PATH and not option.written:  # a File must exist
        entry["type"] = "File"
    elif option.kind.lowest is not None:
        entry |= {"type": "Number", "integer": True, "minimum": option.kind.lowest}
    return entry


def _exclusive(option: Option) -> dict[str, Any]:
    return {
        "id": f"{option.name}_or_not",
        "name": f"{option.name.replace('_', ' ')} or not",
        "members": [_identifier(flag) for flag in _both_ways(option)],
        "mutually-exclusive": True,
    }


def _both_ways(option: Option) -> tuple[str, str]:
    return option.flag, f"--no-{option.flag.removeprefix('--')}"


def _error_codes() -> Iterator[dict[str, Any]]:
    """Read the table of exit codes that people read."""
    row = re.compile(r"\| (?P<code>\d+) \| `(?P<name>\w+)` \| (?P<when>[^|]+) \|")
    for line in EXIT_CODES.read_text(encoding="utf-8").splitlines():
        match = row.match(line)
        if match and match["code"] != "0":
            description = f"{match['name']}: {match['when'].strip().replace('`', '')}"
            yield {"code": int(match["code"]), "description": description}


def _identifier(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


if __name__ == "__main__":
    main()
