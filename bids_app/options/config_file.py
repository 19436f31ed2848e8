"""Settings from a YAML file, checked and converted as the table of options says."""

import difflib
from pathlib import Path
from typing import Any

from bids_app.errors import AppError, ExitCode
from bids_app.options.bounded_yaml import parse_yaml
from bids_app.options.settings import OPTIONS
from pipelines.errors import quoted, shortened
from pipelines.files import open_file

# Far more than settings need; PyYAML takes some seconds for as much.
_MOST_BYTES = 200_000


def read_config_file(path: Path) -> dict[str, Any]:
    """Read settings from a YAML file whose keys are the long flags with underscores.

    Parameters
    ----------
    path : Path
        YAML file.

    Returns
    -------
    dict
        Values of the types that :class:`~bids_app.options.settings.Settings` has.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if the file cannot be read; ``USAGE`` if it is no YAML mapping or larger
        than settings are, names an unknown setting, holds a value of the wrong kind or a key twice.
    """
    content = _parsed(_text_of(path), path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise AppError(
            f"{path} must hold 'key: value' lines, not a {type(content).__name__}.", ExitCode.USAGE
        )
    return {str(key): _convert(str(key), value, path) for key, value in content.items()}


def _text_of(path: Path) -> str:
    try:
        with open_file(path) as stream:
            content = stream.read(_MOST_BYTES + 1)
        if len(content) <= _MOST_BYTES:
            return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(
            f"The configuration file {path} cannot be read: {error}.",
            ExitCode.INPUT_MISSING,
            "Check the path given to --config-file; in a container, mount its folder.",
        ) from error
    raise AppError(
        f"{path} holds more than {_MOST_BYTES // 1000} kB, which is no file of settings.",
        ExitCode.USAGE,
        "Keep settings only; a long list of labels can be a file: participant_label: '@FILE'.",
    )


def _parsed(text: str, path: Path) -> Any:
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise AppError(
            f"{path} is not valid YAML: {error}.",
            ExitCode.USAGE,
            "Write 'key: value' lines; docs/usage.md has an example.",
        ) from error


def _convert(key: str, value: Any, path: Path) -> Any:
    """Convert one YAML value to the type its setting has."""
    options = {option.name: option for option in OPTIONS}
    if key in options and not options[key].in_file:
        hint = "Give it on the command line."
        raise AppError(f"{path} cannot set {key!r}.", ExitCode.USAGE, hint)
    if key not in options:
        known = sorted(option.name for option in OPTIONS if option.in_file)
        near = difflib.get_close_matches(shortened(key), known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known settings: {known}."
        raise AppError(f"{path} names an unknown setting {quoted(key)}.", ExitCode.USAGE, hint)
    try:
        return options[key].kind.from_file(value)
    except ValueError as error:
        message = f"{path}: {key} cannot be {_shown(value)}."
        raise AppError(message, ExitCode.USAGE, str(error)) from error


def _shown(value: Any) -> str:
    """Return what a message shows of a value: of a long one, the beginning."""
    return shortened(repr(value))
