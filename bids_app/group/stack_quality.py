"""The quality checks of our own results, read back from the sidecars of their stacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bids_app.errors import AppError, ExitCode
from bids_app.files.derivatives import StackNames, sidecar
from bids_app.files.reading import checksum
from bids_app.files.sidecars import read_json_file
from bids_app.group.own_results import OwnResult, damaged
from pipelines.quality import spoils_numbers

_CHECKS = "QualityChecks"
_LEVELS = ("pass", "warn", "fail")


@dataclass(frozen=True)
class StackQuality:
    """The checks of one stack that did not pass: name and text of each."""

    stack: str
    known: bool  # whether any check is stored
    failed: tuple[tuple[str, str], ...]
    warned: tuple[tuple[str, str], ...]

    @property
    def failed_names(self) -> tuple[str, ...]:
        """Names of the failed checks."""
        return tuple(dict.fromkeys(name for name, _ in self.failed))

    @property
    def spoilt(self) -> tuple[str, ...]:
        """Names of the failed checks that leave wrong numbers behind."""
        return tuple(filter(spoils_numbers, self.failed_names))


def read_quality(result: OwnResult) -> list[StackQuality]:
    """Read the checks of every stack of a session that has a per-muscle table.

    Raises
    ------
    AppError
        ``BAD_DATA`` if a sidecar is damaged or was changed since its session was complete.
    """
    return [_of_stack(result, stack) for stack in result.stacks]


def _of_stack(result: OwnResult, stack: str) -> StackQuality:
    names = StackNames(result.session, stack)
    found: list[tuple[str, str, str]] = []
    known = False
    for image in (names.fat_fraction, names.labels):
        path = result.root / sidecar(image)
        if not path.is_file():
            continue
        listed = result.marker.get("Files", {}).get(sidecar(image).as_posix())
        if listed is not None and checksum(path) != listed:
            raise damaged(path, "was changed since its session was complete")
        content = read_json_file(path)
        if isinstance(content, dict) and _CHECKS in content:
            known = True
            found += [_light(check, str(path)) for check in _listed(content[_CHECKS], str(path))]
    return StackQuality(stack, known, _of_level(found, "fail"), _of_level(found, "warn"))


def _of_level(found: Sequence[tuple[str, str, str]], level: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, own, text in found if own == level)


def _listed(checks: Any, source: str) -> list[Any]:
    if not isinstance(checks, list):
        raise _no_checks(source)
    return checks


def _light(check: Any, source: str) -> tuple[str, str, str]:
    """Return name, level and text of a stored check."""
    if not isinstance(check, dict) or check.get("level") not in _LEVELS or "name" not in check:
        raise _no_checks(source)
    return str(check["name"]), str(check["level"]), str(check.get("text", ""))


def _no_checks(source: str) -> AppError:
    return AppError(
        f"{source}: {_CHECKS} is no list of quality checks.",
        ExitCode.BAD_DATA,
        "Compute the session again with the participant level and --overwrite.",
    )
