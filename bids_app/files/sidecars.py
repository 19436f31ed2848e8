"""Read sidecar JSON files as real converters write them.

``X_patient.json`` and ``X_extra.json``, which can name the patient, are never opened: a sidecar
has the very suffix of its image.
"""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bids_app.errors import AppError, ExitCode
from bids_app.files.reading import open_input, read_text
from pipelines.files import parse_json
from pipelines.sidecar_fields import field_number

# MIDS stores echo times in milliseconds, BIDS in seconds. The last echo of a proton scan comes
# after 0.5 ms and before 0.5 s, so the longest echo time tells the unit.
_LAST_ECHO_LIMIT_S = 0.5
_LAST_ECHO_LIMIT_MS = 500.0
_FIRST_ECHO_LIMIT_MS = 0.01

# A sidecar has some kB; our summary of a cohort of 100,000 sessions lists inputs of some 25 MB.
_MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Metadata:
    """What the sidecars of a scan say.

    Attributes
    ----------
    fields : Mapping
        Values by name, the nearest file winning.
    sources : tuple of Path
        The files read, from the root of the dataset inwards.
    flags : tuple of str
        What was tolerated, one sentence each.
    """

    fields: Mapping[str, Any]
    sources: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class EchoTimes:
    """Echo times, and the unit in which the sidecar holds them."""

    milliseconds: tuple[float, ...]
    stored_unit: Literal["ms", "s"]


def read_json_file(path: Path) -> Any:
    """Read a JSON file; NaN and Infinity, which JSON does not have, become None.

    Raises
    ------
    AppError
        ``BAD_DATA`` with line and column if it is not JSON, with the size if it has more than
        64 MB; as :func:`bids_app.files.reading.read_bytes` if it cannot be read.
    """
    return _read_json(path)[0]


def read_metadata(sidecars: Sequence[Path], image: Path) -> Metadata:
    """Merge the sidecars of an image.

    Parameters
    ----------
    sidecars : sequence of Path
        From the root of the dataset inwards; later files override earlier ones.
    image : Path
        The image, for the flags.

    Raises
    ------
    AppError
        As :func:`read_json_file`; ``BAD_DATA`` for a file that holds neither an object nor a list.
    """
    fields: dict[str, Any] = {}
    flags = [] if sidecars else [f"{image.name} has no sidecar JSON."]
    for path in sidecars:
        content, not_finite = _read_json(path)
        if isinstance(content, list):
            flags.append(f"{path.name} lists DICOM tags instead of named fields; it is not used.")
            continue
        if not isinstance(content, dict):
            raise AppError(
                f"{path} holds no JSON object but {json.dumps(content)[:40]}.",
                ExitCode.BAD_DATA,
                'A sidecar looks like {"EchoTime": [1.2, 2.4]}.',
            )
        if not_finite:
            flags.append(f"{path.name} holds {not_finite} NaN or Infinity, read as unknown.")
        fields.update((key, value) for key, value in content.items() if value is not None)
    flags += _shared_folders(sidecars, image)
    return Metadata(fields, tuple(sidecars), tuple(flags))


def _shared_folders(sidecars: Sequence[Path], image: Path) -> list[str]:
    """Say which sidecars lie in one folder, where BIDS expects one."""
    by_folder: dict[Path, list[str]] = {}
    for path in sidecars:
        by_folder.setdefault(path.parent, []).append(path.name)
    return [
        f"Several sidecars of one folder describe {image.name}: {', '.join(names)}; all were read, "
        "and the last one wins."
        for names in by_folder.values()
        if len(names) > 1
    ]


def merge_echoes(echoes: Sequence[Metadata]) -> Metadata:
    """Join the metadata of files that hold one echo each: ``EchoTime`` becomes a list.

    An echo without ``EchoTime`` leaves a None in the list.
    """
    if len(echoes) == 1:
        return echoes[0]
    fields = {**echoes[0].fields, "EchoTime": [echo.fields.get("EchoTime") for echo in echoes]}
    sources = dict.fromkeys(path for echo in echoes for path in echo.sources)
    flags = dict.fromkeys(flag for echo in echoes for flag in echo.flags)
    return Metadata(fields, tuple(sources), tuple(flags))


def echo_times_ms(fields: Mapping[str, Any], name: str) -> EchoTimes:
    """Return the echo times of a scan in milliseconds, whether stored in ms (MIDS) or s (BIDS).

    Parameters
    ----------
    fields : Mapping
        Metadata of the scan.
    name : str
        The scan, for error messages.

    Raises
    ------
    AppError
        ``BAD_DATA`` if ``EchoTime`` is missing, not numeric, repeated, or plausible in neither
        unit.
    """
    stored = fields.get("EchoTime")
    values: list[Any] = stored if isinstance(stored, list) else [stored]
    problem = ""
    times: tuple[float, ...] = ()
    unit: Literal["ms", "s"] = "ms"
    if stored is None:
        problem = "is missing"
    elif not values or not all(_is_number(value) for value in values):
        problem = f"is not a list of numbers: {stored!r}"
    else:
        unit = "s" if max(values) < _LAST_ECHO_LIMIT_S else "ms"
        times = tuple(float(value) * (1000.0 if unit == "s" else 1.0) for value in values)
        if min(times) < _FIRST_ECHO_LIMIT_MS or max(times) > _LAST_ECHO_LIMIT_MS:
            problem = f"is plausible neither in milliseconds nor in seconds: {stored!r}"
        elif len(set(times)) < len(times):
            problem = f"repeats a value: {stored!r}"
    if problem:
        raise AppError(
            f"EchoTime of {name} {problem}.",
            ExitCode.BAD_DATA,
            f"Write EchoTime into the sidecar of {name}: one value per echo, in milliseconds "
            "(MIDS) or seconds (BIDS).",
        )
    return EchoTimes(times, unit)


def _is_number(value: object) -> bool:
    number = field_number(value)
    return number is not None and math.isfinite(number)


def _read_json(path: Path) -> tuple[Any, int]:
    """Read a JSON file; also count its NaN and Infinity."""
    hint = "Mend the file with a text editor, or convert the scan again."
    not_finite: list[str] = []

    def number(text: str) -> float | None:
        if math.isfinite(value := float(text)):
            return value
        not_finite.append(text)
        return None

    def whole(text: str) -> int | None:
        value = int(text)
        return value if number(text) is not None else None

    _refuse_too_large(path)
    try:
        content = parse_json(
            read_text(path), parse_constant=number, parse_float=number, parse_int=whole
        )
        # Half of a character stands there as an escape; nothing of ours could be written with it.
        json.dumps(content, ensure_ascii=False).encode("utf-8")
        return content, len(not_finite)
    except json.JSONDecodeError as error:
        raise AppError(
            f"{path} is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}.",
            ExitCode.BAD_DATA,
            hint,
        ) from error
    except UnicodeEncodeError as error:
        raise AppError(
            f"{path} cannot be used: a text in it holds half of a character.",
            ExitCode.BAD_DATA,
            hint,
        ) from error
    except ValueError as error:
        raise AppError(f"{path} cannot be used: {error}.", ExitCode.BAD_DATA, hint) from error


def _refuse_too_large(path: Path) -> None:
    """Refuse a file of a size that no sidecar has, before it is read."""
    with open_input(path) as stream:
        size = os.fstat(stream.fileno()).st_size
    if size > _MOST_BYTES:
        raise AppError(
            f"{path} has {size / 1e6:.1f} MB; a JSON file may have {_MOST_BYTES // 10**6} MB.",
            ExitCode.BAD_DATA,
            "A sidecar has some kB. Check how it was made, or convert the scan again.",
        )
