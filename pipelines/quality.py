"""The form of a quality check: one light with its value and what it means.

Every step of the science reports its checks in this form; they are stored in the sidecar of the
file they judge and shown as lights in the report.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

CheckLevel = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One quality check.

    Attributes
    ----------
    name : str
        Stable snake_case identifier, e.g. ``noise_floor``.
    level : {'pass', 'warn', 'fail'}
        ``warn``: read with care; ``fail``: do not use without looking.
    text : str
        One sentence for a person: what was found and what to do.
    value : float or None
        The measured value, if there is a number.
    unit : str
        Unit of `value` (``%``, ``mm``, ``1``, ...).
    threshold : float or None
        The limit `value` was compared with.
    """

    name: str
    level: CheckLevel
    text: str
    value: float | None = None
    unit: str = ""
    threshold: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the check as a JSON-serializable dictionary."""
        return asdict(self)


# What these doubt has no value where they fail, so that no wrong number is left.
_EMPTYING = frozenset({"water_fat_decision"})


def spoils_numbers(name: str) -> bool:
    """Return whether wrong numbers are left in the tables of a stack where a check has failed."""
    return name not in _EMPTYING


_BAD_LAST: tuple[CheckLevel, ...] = ("pass", "warn", "fail")


def merge_checks(checks: Iterable[Check]) -> list[Check]:
    """Make one check of those of one name: the worst, with the texts of all that are not passed.

    Parameters
    ----------
    checks : iterable of Check
        E.g. of the water and of the fat image.

    Returns
    -------
    list of Check
        In the order in which names come first.
    """
    by_name: dict[str, list[Check]] = {}
    for check in checks:
        by_name.setdefault(check.name, []).append(check)
    return [_worst(same) for same in by_name.values()]


def _worst(checks: list[Check]) -> Check:
    worst = max(checks, key=lambda check: _BAD_LAST.index(check.level))
    texts = [check.text for check in checks if check.level != "pass"] or [worst.text]
    return replace(worst, text=" ".join(dict.fromkeys(texts)))
