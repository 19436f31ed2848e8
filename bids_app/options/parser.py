"""The command line, made from the table of options; every default is left to the settings.

Nothing heavy is imported here, so that ``--help`` and mistakes answer at once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from typing import Any, NoReturn

from bids_app.errors import LIST_ITEM, AppError, ExitCode
from bids_app.options.option import Option
from bids_app.options.settings import OPTIONS
from bids_app.options.spellings import usual_spellings
from bids_app.version import __version__
from pipelines.errors import escaped

DESCRIPTION = """\
MyoMIDS: from ORMIR-MIDS muscle Dixon scans to per-muscle fat fractions, quality checks and a
readable report. Research software, not a medical device."""

_EPILOG = """\
Exit codes are listed in docs/exit-codes.md. Put the three positional arguments first:
options that take several values, such as --participant-label, would swallow them."""

# Options that --list reads too.
_FOR_LISTS = ("model_registry", "diagnosis_model")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line; every default is left to the settings."""
    parser = _Parser(
        prog="run.py",
        description=DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    on_command_line = [option for option in OPTIONS if option.kind.action is not None]
    for heading, options in groupby(on_command_line, key=attrgetter("heading")):
        group = parser.add_argument_group(heading) if heading else parser
        for option in options:
            _add(group, option)
    about = parser.add_argument_group("about MyoMIDS")
    _add_list(about)
    about.add_argument("--version", action="version", version=f"MyoMIDS {__version__}")
    return parser


def build_list_parser() -> argparse.ArgumentParser:
    """Build the parser of a command line with ``--list``, which needs no folders."""
    parser = _Parser(prog="run.py", allow_abbrev=False)
    _add_list(parser)
    for option in OPTIONS:
        if option.name in _FOR_LISTS:
            _add(parser, option)
    return parser


def asks_for_list(arguments: Sequence[str]) -> bool:
    """Tell whether ``--list`` is among the arguments."""
    return any(a == "--list" or a.startswith("--list=") for a in arguments)


def _add_list(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--list",
        choices=("models", "muscles", "scales"),
        help="list what MyoMIDS knows and exit; add --json for machines",
    )
    parser.add_argument("--json", action="store_true", help="with --list: print JSON")


def _add(parser: argparse._ActionsContainer, option: Option) -> None:
    """Add an option to a parser or to one of its groups."""
    kind = option.kind
    details: dict[str, Any] = {"action": kind.action, "help": option.explanation}
    if option.flags:
        details["dest"] = option.name
    if option.metavar is not None:
        details["metavar"] = option.metavar
    if kind.from_text is not None:
        details["type"] = _with_message(kind.from_text)
    if kind.choices:
        details["choices"] = kind.choices
    if kind.action == "extend":
        details["nargs"] = "+"
    parser.add_argument(*(option.flags or (option.name,)), **details)


def _with_message(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse print the message of a converter."""

    def converted(text: str) -> Any:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return converted


class _Parser(argparse.ArgumentParser):
    """Takes other apps' spellings; usage errors have the form of every other error of MyoMIDS."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Parse arguments after turning every known option into our spelling."""
        given = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(usual_spellings(given), namespace)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and what to do, and end the program."""
        hint = "See run.py --help."
        if "analysis_level" in message or "required" in message:
            hint = "The order is: run.py BIDS_DIR OUTPUT_DIR {participant,group} [options]."
        print_error(AppError(message, ExitCode.USAGE, hint))
        sys.exit(int(ExitCode.USAGE))


def print_error(error: AppError) -> None:
    """Print what is wrong, what to do, and the exit code as the last line."""
    # A message may hold a list; no other line of it is ours.
    message = LIST_ITEM.join(escaped(part) for part in error.message.split(LIST_ITEM))
    code = ExitCode(error.exit_code)
    with suppress(OSError):  # nobody reads it
        print(f"myomids: error: {message}", file=sys.stderr)
        if error.hint:
            print(f"myomids: hint: {escaped(error.hint)}", file=sys.stderr)
        print(f"myomids: exit code {int(code)} ({code.name})", file=sys.stderr, flush=True)
