"""Settings from a YAML file, converted to the types that :class:`Settings` has."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import yaml

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import (
    AsymmetryOrder,
    ExecutorName,
    FatFractionUnits,
    HarmonizationName,
    ProfileName,
    Settings,
    fat_spectra,
    parse_device,
    parse_memory,
)


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


# Settings that only make sense on the command line.
_NOT_IN_FILE = {"bids_dir", "output_dir", "analysis_level", "config_file"}


def read_config_file(path: Path) -> dict[str, Any]:
    """Read settings from a YAML file whose keys are the long flags with underscores.

    Parameters
    ----------
    path : Path
        YAML file.

    Returns
    -------
    dict
        Values converted to the types of :class:`Settings`.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if the file cannot be read; ``USAGE`` if it is no YAML mapping, names an
        unknown setting, holds a value of the wrong kind or a key twice.
    """
    import yaml

    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
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
    if key in _NOT_IN_FILE:
        hint = "Give it on the command line."
        raise AppError(f"{path} cannot set {key!r}.", ExitCode.USAGE, hint)
    known = {f.name for f in fields(Settings)} - _NOT_IN_FILE
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known settings: {sorted(known)}."
        raise AppError(f"{path} names an unknown setting {key!r}.", ExitCode.USAGE, hint)
    convert: Callable[[Any], Any] = _CONVERTERS.get(key, _text)
    try:
        return convert(value)
    except ValueError as error:
        message = f"{path}: {key} cannot be {value!r}."
        raise AppError(message, ExitCode.USAGE, str(error)) from error


# Each converter raises ValueError, whose text (if any) tells what to write instead.


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _whole_number(lowest: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise ValueError
        return value

    return convert


def _choice(choices: tuple[str, ...], hint: str = "") -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        if _text(value) not in choices:
            raise ValueError(hint)
        return str(value)

    return convert


def _labels(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str) for v in values):
        raise ValueError("Write labels in quotes: YAML reads 01 as a number.")
    return tuple(values)


def _folders(value: Any) -> dict[str, Path]:
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ValueError("Write one line 'NAME: PATH' per folder, indented below the setting.")
    return {str(name): Path(folder) for name, folder in value.items()}


def _cluster(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Write 'jobs: N' and the options of SLURMCluster, indented below it.")
    try:
        _whole_number(1)(value.get("jobs"))
    except ValueError as error:
        raise ValueError("It needs 'jobs: N', the number of jobs to start.") from error
    return {str(name): option for name, option in value.items()}


def _choices(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("Write one line 'name: value' per choice, indented below the setting.")
    return {str(name): choice for name, choice in value.items()}


def _path(value: Any) -> Path:
    return Path(_text(value))


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    **{f.name: _flag for f in fields(Settings) if f.type is bool},
    "participant_label": _labels,
    "session_label": _labels,
    "work_dir": _path,
    "bids_filter_file": _path,
    "model_registry": _path,
    "nprocs": _whole_number(1),
    "omp_nthreads": _whole_number(1),
    "verbosity": _whole_number(0),
    "mem": lambda value: parse_memory(_text(value)),
    "device": lambda value: parse_device(_text(value)),
    "derivatives": _folders,
    "study": _folders,
    "muscle_map": _path,
    "harmonization": _choice(get_args(HarmonizationName)),
    "asymmetry_order": _choice(get_args(AsymmetryOrder)),
    "scale_thresholds": _path,
    "harmonization_options": _choices,
    "profile": _choice(get_args(ProfileName)),
    "training": _choices,
    "diagnosis_model": _path,
    "readers": _path,
    "minimum_samples": _whole_number(2),
    "seed": _whole_number(0),
    "executor": _choice(get_args(ExecutorName)),
    "dask_cluster": _cluster,
    "fat_fraction_units": _choice(get_args(FatFractionUnits)),
    "fat_spectrum": _choice(fat_spectra(), f"Fat spectra: {', '.join(fat_spectra())}."),
}


def load_yaml(text: str) -> Any:
    """Read a YAML document.

    Parameters
    ----------
    text : str
        Its text.

    Returns
    -------
    object
        Plain Python values.

    Raises
    ------
    yaml.YAMLError
        If it is no YAML, or a key stands twice; the text names key and lines.
    """
    # S506 is about loaders that can make any object; this one makes what SafeLoader makes.
    return yaml.load(text, Loader=_UniqueKeys)
