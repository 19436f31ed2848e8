"""An option, made from one field of a dataclass of settings."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, TypeVar

from bids_app.options.kinds import Kind, kind_of_type

T = TypeVar("T")
Level = Literal["participant", "group", "both"]


@dataclass(frozen=True)
class Option:
    """All that parser, YAML check, descriptor and documentation know of a setting.

    Attributes
    ----------
    name : str
        Name of the field, and key in the YAML file.
    kind : Kind
        How its values are written.
    explanation : str
        Help text.
    heading : str
        Heading in ``--help``; empty for the positional arguments.
    flags : tuple of str
        Its spellings on the command line, the usual one first unless a letter comes before it.
    metavar : str or None
        What stands for the value in ``--help``.
    level : {'participant', 'group', 'both'}
        Level that reads it; the participant level refuses flags of the group level.
    in_file : bool
        Whether it may stand in the YAML file.
    written : bool
        Whether it is a folder that the app makes and writes to; other paths are only read.
    scientific : bool
        Whether it changes numbers, so that results with and without it cannot stand together.
    """

    name: str
    kind: Kind
    explanation: str
    heading: str = ""
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    level: Level = "both"
    in_file: bool = True
    written: bool = False
    scientific: bool = False

    @property
    def flag(self) -> str:
        """The spelling for messages and descriptors: a long flag if there is one."""
        return next((flag for flag in self.flags if flag.startswith("--")), self.flags[0])


class Heading:
    """Declares the options that stand under one heading of ``--help``."""

    def __init__(self, title: str, level: Level = "both") -> None:
        self._usual = {"heading": title, "level": level}

    def option(self, default: T, explanation: str, **more: Any) -> T:
        """Declare a field that is an option; `more` are attributes of :class:`Option`.

        ``{default}`` in the explanation stands for the default. The kind is needed only where the
        type of the field does not tell it.
        """
        about = {**self._usual, "explanation": explanation, **more}
        start = (
            {"default_factory": default.copy} if isinstance(default, dict) else {"default": default}
        )
        declared: T = field(**start, metadata=about)
        return declared


def argument(explanation: str, *, written: bool = False) -> Mapping[str, Any]:
    """Return the metadata of a field that is a positional argument and not in the file."""
    return {"explanation": explanation, "written": written, "in_file": False}


def options_of(settings: type) -> tuple[Option, ...]:
    """Return the options that the fields of a dataclass declare, in their order."""
    return tuple(_option(declared) for declared in fields(settings))


def _option(declared: Field[Any]) -> Option:
    about = dict(declared.metadata)
    kind = about.pop("kind", None) or kind_of_type(declared.type)
    if about.get("heading") and kind.action is not None:
        about.setdefault("flags", (f"--{declared.name.replace('_', '-')}",))
    if declared.default is not MISSING:
        explanation = about["explanation"].replace("{default}", str(declared.default))
        about["explanation"] = explanation
    return Option(declared.name, kind, **about)
