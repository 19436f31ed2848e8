"""How the values of options are written: as text after a flag, and in a YAML file.

Converters raise :class:`ValueError`, whose text (if any) says what to write instead.
"""

import re
from argparse import BooleanOptionalAction
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pipelines.errors import quoted

# What names of folders, studies and models are made of.
NAME = r"[A-Za-z0-9_-]+"

_MEMORY_UNITS = {"MB": 1e-3, "GB": 1.0, "TB": 1e3}
# More than any computer has.
_MOST_MEMORY_GB = 1e9

# What 32 bits hold: libraries take seeds and counts up to it.
_HIGHEST = 2**31 - 1


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes
    ----------
    from_file : callable
        Converts what the YAML file holds.
    from_text : callable or None
        Converts one text after the flag; None if the flag takes none.
    action : str, type or None
        What argparse does with the flag; None if the option stands only in the file.
    choices : tuple of str
        All values there are; empty if there is no such list.
    lowest : int or None
        Of whole numbers.
    prefix : str
        What labels may begin with.
    """

    from_file: Callable[[Any], Any]
    from_text: Callable[[str], Any] | None = None
    action: Any = "store"
    choices: tuple[str, ...] = ()
    lowest: int | None = None
    prefix: str = ""


def _single(
    from_text: Callable[[str], Any], in_file: type = str, hint: str = "", **more: Any
) -> Kind:
    """Return a kind of single values, which the file holds as the flag does."""

    def from_file(value: Any) -> Any:
        if type(value) is not in_file:  # not isinstance: True would be a number
            raise ValueError(hint)
        return from_text(str(value))

    return Kind(from_file, from_text, **more)


def whole_number(lowest: int) -> Kind:
    """Return the kind of whole numbers from `lowest` on, as far as 32 bits hold them."""
    wanted = f"a whole number of at least {lowest}"

    def from_text(text: str) -> int:
        digits = text.lstrip("0") or "0"
        if text.isdecimal() and len(digits) > len(str(_HIGHEST)):
            number = _HIGHEST + 1  # int() refuses thousands of digits
        else:
            number = int(digits) if text.isdecimal() else -1
        if number > _HIGHEST:
            raise ValueError(f"{quoted(text)} is more than {_HIGHEST}")
        if number < lowest:
            raise ValueError(f"{quoted(text)} is not {wanted}")
        return number

    return _single(from_text, int, f"Write {wanted}, without quotes.", lowest=lowest)


def choice(names: tuple[str, ...]) -> Kind:
    """Return the kind of one name of several; argparse explains a wrong one itself."""

    def from_file(value: Any) -> Any:
        if value not in names:
            raise ValueError(f"Choose one of: {', '.join(names)}.")
        return value

    return Kind(from_file, str, choices=names)


def labels(prefix: str) -> Kind:
    """Return the kind of labels that may begin with `prefix`; @FILE names a list of them."""

    def from_file(value: Any) -> tuple[str, ...]:
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(v, str) for v in values):
            raise ValueError("Write labels in quotes: YAML reads 01 as a number.")
        return tuple(values)

    return Kind(from_file, str, action="extend", prefix=prefix)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("Write true or false, without quotes.")
    return value


def _memory(text: str) -> float:
    """Convert ``16GB`` to gigabytes; a bare number is refused: tools disagree about its meaning."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([MGT]B)\s*", text, flags=re.IGNORECASE)
    amount = 0.0 if match is None else float(match[1]) * _MEMORY_UNITS[match[2].upper()]
    if not 0 < amount <= _MOST_MEMORY_GB:
        raise ValueError(
            f"{quoted(text)} is not an amount of memory with a unit, such as 16GB or 800MB"
        )
    return amount


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text):
        raise ValueError(f"{quoted(text)} is not auto, cpu, cuda or cuda:N")
    return text


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (equals and name and folder):
        raise ValueError(f"{quoted(text)} is not of the form NAME=PATH")
    return name, Path(folder)


def _named_folders(value: Any) -> dict[str, Path]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("Write one line 'NAME: PATH' per folder, indented below the setting.")
    return {str(name): Path(folder) for name, folder in value.items()}


def _file_of_study(text: str) -> tuple[str, Path]:
    """Read ``NAME=PATH``, or a path alone, which has the empty name and applies to all studies."""
    name, equals, path = text.partition("=")
    if equals and re.fullmatch(NAME, name):
        if not path:
            raise ValueError(f"{quoted(text)} is not of the form NAME=PATH")
        return name, Path(path)
    if not text:
        raise ValueError("The path is empty")
    return "", Path(text)


def _files_of_studies(value: Any) -> dict[str, Path]:
    if isinstance(value, dict) and all(isinstance(path, str) for path in value.values()):
        return {str(name): Path(path) for name, path in value.items()}
    if not isinstance(value, str):
        raise ValueError("Write one file, or one line 'NAME: FILE' per study, indented below it.")
    return dict([_file_of_study(value)])


def _block(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Write one line 'name: value' per choice, indented below the setting.")
    return {str(name): item for name, item in value.items()}


def _cluster(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Write 'jobs: N' and the options of SLURMCluster, indented below it.")
    try:
        whole_number(1).from_file(value.get("jobs"))
    except ValueError as error:
        raise ValueError("It needs 'jobs: N', the number of jobs to start.") from error
    return _block(value)


SWITCH = Kind(_boolean, action="store_true")
SWITCH_BOTH_WAYS = replace(SWITCH, action=BooleanOptionalAction)
COUNT = replace(whole_number(0), from_text=None, action="count")
TEXT = _single(str)
# A name, or a path where a file or folder of that name exists.
NAME_OR_PATH = _single(str)
PATH = _single(Path)
NAMED_FOLDERS = Kind(_named_folders, _named_folder, action="extend")
# A file for all studies, under an empty name, and one for each of some studies.
FILES_OF_STUDIES = Kind(_files_of_studies, _file_of_study, action="extend")
# Values of both are paths by name.
BY_NAME = (NAMED_FOLDERS, FILES_OF_STUDIES)
MEMORY = _single(_memory)
DEVICE = _single(_device)
# These stand only in the file.
BLOCK = Kind(_block, action=None)
CLUSTER = Kind(_cluster, action=None)

_KIND_OF_TYPE: Mapping[Any, Kind] = {
    bool: SWITCH,
    str: TEXT,
    Path: PATH,
    Mapping[str, Path]: NAMED_FOLDERS,
    Mapping[str, Any]: BLOCK,
}


def kind_of_type(declared: Any) -> Kind:
    """Return the kind that goes with the declared type of a field, which may also be None."""
    if get_origin(declared) in (Union, UnionType):
        (declared,) = (part for part in get_args(declared) if part is not NoneType)
    if get_origin(declared) is Literal:
        return choice(get_args(declared))
    if declared not in _KIND_OF_TYPE:
        raise TypeError(f"An option of type {declared} needs a kind, e.g. kind=whole_number(0).")
    return _KIND_OF_TYPE[declared]
