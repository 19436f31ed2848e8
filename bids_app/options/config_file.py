"""Settings from a YAML file, checked and converted as the table of options says."""

import difflib
from pathlib import Path
from typing import Any

import yaml

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import OPTIONS


class _UniqueKeys(yaml.SafeLoader):
    """Refuses what YAML forbids and PyYAML allows: a key that stands twice in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[tuple[str, Any], int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            # A merge (<<) may stand several times; lists as keys are refused below.
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            first = seen.setdefault((key.tag, key.value), line)
            if first != line:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} in line {line} stands in line {first} already",
                    problem_mark=key.start_mark,
                )
        return super().construct_mapping(node, deep)


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
        ``INPUT_MISSING`` if the file cannot be read; ``USAGE`` if it is no YAML mapping, names an
        unknown setting, holds a value of the wrong kind or a key twice.
    """
    try:
        # S506 is about loaders that can make any object; this one makes what SafeLoader makes.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(
            f"The configuration file {path} cannot be read: {error}.",
            ExitCode.INPUT_MISSING,
            "Check the path given to --config-file; in a container, mount its folder.",
        ) from error
    except yaml.YAMLError as error:
        raise AppError(f"{path} is not valid YAML: {error}", ExitCode.USAGE) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise AppError(
            f"{path} must hold 'key: value' lines, not a {type(content).__name__}.", ExitCode.USAGE
        )
    return {str(key): _convert(str(key), value, path) for key, value in content.items()}


def _convert(key: str, value: Any, path: Path) -> Any:
    """Convert one YAML value to the type its setting has."""
    options = {option.name: option for option in OPTIONS}
    if key in options and not options[key].in_file:
        hint = "Give it on the command line."
        raise AppError(f"{path} cannot set {key!r}.", ExitCode.USAGE, hint)
    if key not in options:
        known = sorted(option.name for option in OPTIONS if option.in_file)
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known settings: {known}."
        raise AppError(f"{path} names an unknown setting {key!r}.", ExitCode.USAGE, hint)
    try:
        return options[key].kind.from_file(value)
    except ValueError as error:
        message = f"{path}: {key} cannot be {value!r}."
        raise AppError(message, ExitCode.USAGE, str(error)) from error
