"""One field declares one option."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_app.options.kinds import BLOCK, PATH, SWITCH, whole_number
from bids_app.options.option import Heading, Option, argument, options_of

_COUNT = whole_number(1)
_FRUIT = Heading("fruit", level="group")


@dataclass(frozen=True)
class _Basket:
    folder: Path = field(metadata=argument("where it stands", written=True))
    few_apples: int = _FRUIT.option(3, "how many (default: {default})", kind=_COUNT, metavar="N")
    ripe: bool = _FRUIT.option(
        False, "only ripe ones", flags=("-r", "--ripe"), level="both", scientific=True
    )
    pears: Mapping[str, Any] = _FRUIT.option({}, "of each kind")


def test_fields_become_options() -> None:
    assert options_of(_Basket) == (
        Option("folder", PATH, "where it stands", in_file=False, written=True),
        Option(
            "few_apples", _COUNT, "how many (default: 3)", "fruit", ("--few-apples",), "N", "group"
        ),
        Option(
            "ripe", SWITCH, "only ripe ones", "fruit", ("-r", "--ripe"), None, "both",
            scientific=True,
        ),
        Option("pears", BLOCK, "of each kind", "fruit", (), None, "group"),
    )  # fmt: skip
    assert [option.flag for option in options_of(_Basket)[1:3]] == ["--few-apples", "--ripe"]


def test_defaults_are_the_fields_own() -> None:
    first, second = _Basket(Path("a")), _Basket(Path("b"))
    assert (first.few_apples, first.ripe, first.pears) == (3, False, {})
    assert first.pears is not second.pears
