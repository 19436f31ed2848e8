#!/usr/bin/env python3
"""Write the Boutiques descriptor from the parser of the command line, so that it cannot drift.

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

from bids_app.options.parser import build_parser
from bids_app.version import __version__

REPOSITORY = Path(__file__).resolve().parents[1]

# Nipoppy wants the descriptor inside the folder of its pipeline, which names the version.
TARGETS = (
    REPOSITORY / "descriptors" / "boutiques" / "myomids.json",
    REPOSITORY / "descriptors" / "nipoppy" / f"myomids-{__version__}" / "descriptor.json",
)
EXIT_CODES = REPOSITORY / "docs" / "exit-codes.md"

# These answer a question about the software and process nothing.
_NOT_FOR_JOBS = {"help", "version", "list", "json"}
# Made by the app if they do not exist, which Boutiques does not allow a File.
_MADE_BY_THE_APP = {"output_dir", "work_dir"}


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
    parser = build_parser()
    inputs = [i for a in _actions(parser) for i in _inputs(a)]
    keys = " ".join(str(i["value-key"]) for i in inputs)
    exclusive = [
        _exclusive(a) for a in _actions(parser) if isinstance(a, argparse.BooleanOptionalAction)
    ]
    return {
        "name": "MyoMIDS",
        "tool-version": __version__,
        "schema-version": "0.5",
        "description": " ".join((parser.description or "").split()),
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


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield what a job may set, positional arguments first."""
    actions = [a for a in parser._actions if a.dest not in _NOT_FOR_JOBS]
    yield from sorted(actions, key=lambda a: bool(a.option_strings))


def _inputs(action: argparse.Action) -> Iterator[dict[str, Any]]:
    """Describe one argument; a switch that can be turned off is two flags, ``-v`` also ``-vv``."""
    if isinstance(action, argparse.BooleanOptionalAction):
        for flag in action.option_strings:
            yield _flag(action, flag, _identifier(flag))
    elif isinstance(action, argparse._CountAction):
        flag = action.option_strings[0]
        yield _flag(action, flag, action.dest)
        yield _flag(action, f"{flag}{flag[-1]}", f"{action.dest}_most")
    elif action.nargs == 0:
        yield _flag(action, _long_flag(action), action.dest)
    else:
        yield _valued(action)


def _flag(action: argparse.Action, flag: str, identifier: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": flag.lstrip("-").replace("-", " "),
        "description": _description(action),
        "type": "Flag",
        "optional": True,
        "value-key": f"[{identifier.upper()}]",
        "command-line-flag": flag,
    }


def _valued(action: argparse.Action) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": action.dest,
        "name": action.dest.replace("_", " "),
        "description": _description(action),
        "type": "String",
        "optional": bool(action.option_strings),
        "value-key": f"[{action.dest.upper()}]",
    }
    if action.option_strings:
        entry["command-line-flag"] = _long_flag(action)
    if action.nargs == "+":
        entry |= {"list": True, "min-list-entries": 1}
    if action.choices is not None:
        entry["value-choices"] = list(action.choices)
    elif action.type is Path and action.dest not in _MADE_BY_THE_APP:
        entry["type"] = "File"
    elif action.metavar == "N":
        entry |= {"type": "Number", "integer": True, "minimum": 0}
    return entry


def _exclusive(action: argparse.Action) -> dict[str, Any]:
    return {
        "id": f"{action.dest}_or_not",
        "name": f"{action.dest.replace('_', ' ')} or not",
        "members": [_identifier(flag) for flag in action.option_strings],
        "mutually-exclusive": True,
    }


def _error_codes() -> Iterator[dict[str, Any]]:
    """Read the table of exit codes that people read."""
    row = re.compile(r"\| (?P<code>\d+) \| `(?P<name>\w+)` \| (?P<when>[^|]+) \|")
    for line in EXIT_CODES.read_text(encoding="utf-8").splitlines():
        match = row.match(line)
        if match and match["code"] != "0":
            description = f"{match['name']}: {match['when'].strip().replace('`', '')}"
            yield {"code": int(match["code"]), "description": description}


def _description(action: argparse.Action) -> str:
    return (action.help or action.dest).replace("%%", "%")


def _long_flag(action: argparse.Action) -> str:
    return next(o for o in action.option_strings if o.startswith("--"))


def _identifier(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


if __name__ == "__main__":
    main()
