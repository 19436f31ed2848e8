"""What of a command line goes into the container, and which files of this machine it names.

Both follow from the table of options, so a new option needs no change here: its kind tells whether
an argument is a path, holds one (``NAME=PATH``, ``@FILE``) or may be one.
"""

import argparse
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_app.errors import AppError, ExitCode
from bids_app.options.kinds import FILES_OF_STUDIES, NAME, NAME_OR_PATH, NAMED_FOLDERS, PATH
from bids_app.options.option import Option
from bids_app.options.settings import OPTIONS


@dataclass
class Forwarded:
    """Arguments of ``run.py`` for the container, and the paths they name, all absolute."""

    arguments: list[str] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)

    def note(self, path: Path, *, written: bool) -> None:
        """Note a path that the app writes to, or only reads."""
        (self.written if written else self.read).append(path)


def keep_text(parser: argparse.ArgumentParser) -> None:
    """Make a parser check its arguments as ever, but return them as they were typed."""
    for action in parser._actions:
        if callable(action.type):
            action.type = _checked(action.type)


def _checked(convert: Callable[[str], Any]) -> Callable[[str], str]:
    def keep(text: str) -> str:
        convert(text)
        return text

    return keep


def forward(
    parser: argparse.ArgumentParser,
    given: argparse.Namespace,
    *,
    own: Collection[str] = (),
    names: Collection[str] = (),
) -> Forwarded:
    """Write what a parser with :func:`keep_text` returned as a command line, with absolute paths.

    `own` are destinations that are not for the app; `names` are names of models, which win over
    paths of the same name.
    """
    result = Forwarded()
    options = {option.name: option for option in OPTIONS}
    for action in sorted(parser._actions, key=lambda action: bool(action.option_strings)):
        if action.dest in own or action.dest not in given:
            continue
        value = getattr(given, action.dest)
        option = options.get(action.dest)
        if option is not None and isinstance(value, str):
            value = _absolute(value, option, names, result)
        elif option is not None and isinstance(value, list):
            value = [_absolute(item, option, names, result) for item in value]
        result.arguments += _written(action, value)
    return result


def note_settings(values: Mapping[str, Any], config_file: Path, result: Forwarded) -> None:
    """Note the paths in a configuration file; relative ones would mean other folders inside."""
    for option in OPTIONS:
        value = values.get(option.name)
        for path in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(path, Path):
                continue
            if not path.is_absolute():
                raise AppError(
                    f"{config_file} names {str(path)!r}, which depends on the current folder.",
                    ExitCode.USAGE,
                    "Write the whole path, beginning with '/', or give it as a flag.",
                )
            result.note(path, written=option.written)


def _written(action: argparse.Action, value: Any) -> list[str]:
    """Write the value of one action as it could stand on a command line."""
    if not action.option_strings:
        return [value]
    flag = max(action.option_strings, key=len)
    if isinstance(action, argparse.BooleanOptionalAction):
        return [action.option_strings[0 if value else -1]]
    if action.nargs == 0:
        return [flag] * int(value)
    if isinstance(value, list):
        return [flag, *value]
    return [f"{flag}={value}"]


def _absolute(argument: str, option: Option, names: Collection[str], result: Forwarded) -> str:
    """Make a path absolute, note it, and return the argument with it."""
    prefix, text = _path_in(argument, option, names)
    if not text:
        return argument
    path = Path(text).expanduser().absolute()
    if ".." in path.parts:
        path = path.resolve()
    result.note(path, written=option.written)
    return f"{prefix}{path}"


def _path_in(argument: str, option: Option, names: Collection[str]) -> tuple[str, str]:
    """Split an argument into what stands before its path, and the path (empty: it has none)."""
    name, equals, after = argument.partition("=")
    of_study = option.kind is FILES_OF_STUDIES and bool(equals and re.fullmatch(NAME, name))
    if option.kind is NAMED_FOLDERS or of_study:
        return name + equals, after
    if option.kind in (PATH, FILES_OF_STUDIES):
        return "", argument
    if option.kind.prefix and argument.startswith("@"):
        return "@", argument[1:]
    if option.kind is NAME_OR_PATH and argument not in names:
        if equals and not os.path.lexists(argument):
            return name + equals, after
        if os.path.lexists(argument):
            return "", argument
    return "", ""
