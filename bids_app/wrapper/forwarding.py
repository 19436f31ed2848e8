"""What of a command line goes into the container, and which files of this machine it names.

Both are read off the parser of ``run.py``, so a new option needs no change here: an argument is a
path if its type makes it one, if it is the PATH of ``NAME=PATH``, or if it is ``@FILE``.
"""

import argparse
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_app.errors import AppError, ExitCode

# What the app writes to; everything else it only reads.
WRITTEN = frozenset({"output_dir", "work_dir"})


@dataclass
class Forwarded:
    """A command line for the container.

    Attributes
    ----------
    arguments : list of str
        Arguments of ``run.py`` with absolute paths.
    read, written : list of Path
        Files and folders they name, that the app reads from or writes to.
    """

    arguments: list[str] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)

    def add(self, flag: str, path: Path) -> None:
        """Add an option with a folder that the app writes to."""
        self.arguments.append(f"{flag}={path}")
        self.written.append(path)


class _Argument(str):
    """An argument as it was typed, that also knows what the parser understood."""

    __slots__ = ("meaning",)
    meaning: Any


def keep_text(parser: argparse.ArgumentParser) -> None:
    """Make a parser check its arguments as ever, but return them as they were typed."""
    for action in parser._actions:
        if callable(action.type):
            action.type = _typed(action.type)


def _typed(convert: Callable[[str], Any]) -> Callable[[str], _Argument]:
    def keep(text: str) -> _Argument:
        argument = _Argument(text)
        argument.meaning = convert(text)
        return argument

    return keep


def forward(
    parser: argparse.ArgumentParser,
    given: argparse.Namespace,
    *,
    own: Collection[str] = (),
    names: Collection[str] = (),
) -> Forwarded:
    """Write parsed arguments as a command line again, with absolute paths.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Parser prepared with :func:`keep_text`.
    given : argparse.Namespace
        What it returned.
    own : collection of str
        Destinations that are not for the app.
    names : collection of str
        Words that stand for something inside the app where a path could stand too: names of
        models.

    Returns
    -------
    Forwarded
    """
    result = Forwarded()
    for action in sorted(parser._actions, key=lambda action: bool(action.option_strings)):
        if action.dest in own or action.dest not in given:
            continue
        value = getattr(given, action.dest)
        if isinstance(value, str):
            value = _absolute(value, action, names, result)
        elif isinstance(value, list):
            value = [_absolute(item, action, names, result) for item in value]
        result.arguments += _written(action, value)
    return result


def paths_in_settings(values: Iterable[Any], config_file: Path) -> Iterator[Path]:
    """Yield the paths among the settings of a configuration file.

    Raises
    ------
    AppError
        ``USAGE`` if one is not absolute: inside the container it would mean another folder.
    """
    for value in values:
        for path in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(path, Path):
                continue
            if not path.is_absolute():
                raise AppError(
                    f"{config_file} names {str(path)!r}, which depends on the current folder.",
                    ExitCode.USAGE,
                    "Write the whole path, beginning with '/', or give it as a flag.",
                )
            yield path


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


def _absolute(
    argument: str, action: argparse.Action, names: Collection[str], result: Forwarded
) -> str:
    """Make a path absolute, note it, and return the argument with it."""
    prefix, text = _path_in(argument, action, names)
    if not text:
        return argument
    path = Path(text).expanduser().absolute()
    if ".." in path.parts:
        path = path.resolve()
    (result.written if action.dest in WRITTEN else result.read).append(path)
    return f"{prefix}{path}"


def _path_in(argument: str, action: argparse.Action, names: Collection[str]) -> tuple[str, str]:
    """Split an argument into what stands before its path, and the path (empty: it has none)."""
    meaning = getattr(argument, "meaning", None)
    if isinstance(meaning, Path):
        return "", argument
    name, equals, after = argument.partition("=")
    if isinstance(meaning, tuple) and any(isinstance(part, Path) for part in meaning):
        return name + equals, after
    if argument.startswith("@"):
        return "@", argument[1:]
    if "PATH" in str(action.metavar) and argument not in names:
        if equals and not os.path.lexists(argument):
            return name + equals, after
        if os.path.lexists(argument):
            return "", argument
    return "", ""
