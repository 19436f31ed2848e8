#!/usr/bin/env python3
"""Write the tables of options in ``docs/usage.md`` from the options themselves.

``tools/make_options_table.py [--check]``

Run it after an option was added or changed. ``--check`` writes nothing and ends with code 1 if the
page is out of date.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bids_app.options.kinds import SWITCH_BOTH_WAYS
from bids_app.options.option import Option
from bids_app.options.settings import OPTIONS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "usage.md"
BEGIN = "<!-- written by tools/make_options_table.py -->\n"
END = "<!-- end of what it writes -->"


def main() -> None:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8")
    new = renewed(old)
    if check and new != old:
        sys.exit("docs/usage.md is out of date: run tools/make_options_table.py.")
    if not check:
        PAGE.write_text(new, encoding="utf-8")


def renewed(page: str) -> str:
    """Return a page with the tables between its two marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return "\n".join([before + BEGIN, *_lines(), END + after])


def _lines() -> Iterator[str]:
    """Yield the lines of one table for each heading of ``--help``."""
    options = [option for option in OPTIONS if option.heading]
    for heading, group in groupby(options, key=attrgetter("heading")):
        yield f"### {heading[0].upper()}{heading[1:]}\n"
        yield "| option | value | level | meaning |"
        yield "| --- | --- | --- | --- |"
        yield from (_row(option) for option in group)
        yield ""


def _row(option: Option) -> str:
    meaning = option.explanation.replace("*", r"\*")
    return f"| {_spelling(option)} | {_value(option)} | {option.level} | {meaning} |"


def _spelling(option: Option) -> str:
    if not option.flags:
        return f"`{option.name}:` (only in the file)"
    flags = option.flags
    if option.kind is SWITCH_BOTH_WAYS:
        flags = (*flags, option.flag.replace("--", "--no-", 1))
    return ", ".join(f"`{flag}`" for flag in flags)


def _value(option: Option) -> str:
    if option.kind.choices:
        return ", ".join(f"`{name}`" for name in option.kind.choices)
    if option.kind.from_text is None:
        return ""
    if option.kind.lowest is not None:
        return f"{option.metavar} ≥ {option.kind.lowest}"
    several = " ..." if option.kind.action == "extend" else ""
    return (option.metavar or option.name.upper()) + several


if __name__ == "__main__":
    main()
