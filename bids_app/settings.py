"""One frozen object holds every choice of a run: defaults < YAML file < flags.

It is saved in ``logs/`` with every run, and its scientific part decides whether an existing
result can stand beside a new one.
"""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from bids_app.errors import AppError, ExitCode

AnalysisLevel = Literal["participant", "group"]
FatFractionUnits = Literal["auto", "fraction", "percent", "permille"]

# The input dataset in BIDS URIs; folders given with --derivatives have their own names there.
INPUT_NAME = "raw"

_MEMORY_UNITS = {"MB": 1e-3, "GB": 1.0, "TB": 1e3}


@dataclass(frozen=True)
class Settings:
    """Everything a person can choose about a run.

    Attributes
    ----------
    bids_dir, output_dir : Path
        Input dataset and output folder.
    analysis_level : {'participant', 'group'}
        Level of the analysis.
    participant_label, session_label : tuple of str
        Labels to process without prefix; empty means all.
    work_dir : Path or None
        Folder for caches and scratch; None makes a temporary one.
    skip_bids_validation : bool
        Skip the structural check of the input.
    bids_filter_file : Path or None
        JSON file that narrows which scans are used.
    config_file : Path or None
        YAML file the settings were read from.
    nprocs, omp_nthreads : int or None
        Sessions side by side, and threads of each; None follows the machine.
    mem : float or None
        Memory the run may use, GB; None follows the machine.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    model : str or None
        Name in the model registry, or path of an nnU-Net folder or exported zip; None takes the
        registry's default.
    model_registry : Path or None
        Additional registry file with trusted models.
    trust_model : bool
        Load a checkpoint whose hash no registry knows.
    derivatives : Mapping of str to Path
        Folders with label maps to use instead of segmenting.
    fat_fraction_units : {'auto', 'fraction', 'percent', 'permille'}
        Units of fat fraction maps in the input.
    fat_spectrum : str or None
        Fat spectrum for separating water and fat of raw echoes; None takes the default.
    correct_t1 : bool
        Whether to correct that separation for the weighting by T1.
    erode : bool
        Whether fat fractions are read from eroded masks.
    stop_on_first_crash, overwrite, dry_run, reports_only, resource_monitor : bool
        How the run proceeds.
    verbosity : int
        0 (normal), 1 (verbose) or 2 (debug).
    """

    bids_dir: Path
    output_dir: Path
    analysis_level: AnalysisLevel
    participant_label: tuple[str, ...] = ()
    session_label: tuple[str, ...] = ()
    work_dir: Path | None = None
    skip_bids_validation: bool = False
    bids_filter_file: Path | None = None
    config_file: Path | None = None
    nprocs: int | None = None
    omp_nthreads: int | None = None
    mem: float | None = None
    device: str = "auto"
    model: str | None = None
    model_registry: Path | None = None
    trust_model: bool = False
    derivatives: Mapping[str, Path] = field(default_factory=dict)
    fat_fraction_units: FatFractionUnits = "auto"
    fat_spectrum: str | None = None
    correct_t1: bool = False
    erode: bool = True
    stop_on_first_crash: bool = False
    overwrite: bool = False
    dry_run: bool = False
    reports_only: bool = False
    resource_monitor: bool = False
    verbosity: int = 0

    def __post_init__(self) -> None:
        for name in self.derivatives:
            if name == INPUT_NAME or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise AppError(
                    f"{name!r} cannot be the name of a folder in --derivatives.",
                    ExitCode.USAGE,
                    f"Use letters, digits, '-' and '_'; {INPUT_NAME!r} is the input dataset.",
                )

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values for YAML or JSON."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def scientific(self) -> dict[str, Any]:
        """Return the choices that change numbers, without the folders they were made in."""
        return {
            "model": self.model,
            "fat_fraction_units": self.fat_fraction_units,
            "fat_spectrum": self.fat_spectrum,
            "correct_t1": self.correct_t1,
            "erode": self.erode,
            "derivatives": sorted(self.derivatives),
        }


def parse_memory(text: str) -> float:
    """Read an amount of memory such as ``16GB``.

    Parameters
    ----------
    text : str
        Number with the unit MB, GB or TB. A bare number is refused: tools disagree about what it
        means.

    Returns
    -------
    float
        Gigabytes.

    Raises
    ------
    ValueError
        If the unit is missing or the amount is not positive.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([MGT]B)\s*", text, flags=re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not an amount of memory with a unit, such as 16GB or 800MB")
    return float(match[1]) * _MEMORY_UNITS[match[2].upper()]


def parse_device(text: str) -> str:
    """Check the spelling of a device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise ValueError(f"{text!r} is not auto, cpu, cuda or cuda:N")
    return text


@cache
def fat_spectra() -> tuple[str, ...]:
    """Return the names of the fat spectra, read without the numerical code that uses them."""
    text = (files("pipelines.water_fat.separation") / "spectra.json").read_text(encoding="utf-8")
    return tuple(json.loads(text))


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
        unknown setting or holds a value of the wrong kind.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
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


# Settings that only make sense on the command line.
_NOT_IN_FILE = {"bids_dir", "output_dir", "analysis_level", "config_file"}
_PATHS = {"work_dir", "bids_filter_file", "model_registry"}
_FLAGS = {f.name for f in fields(Settings) if f.type is bool}
_LABELS = {"participant_label", "session_label"}
_COUNTS = {"nprocs", "omp_nthreads"}


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
    wrong = AppError(f"{path}: {key} cannot be {value!r}.", ExitCode.USAGE)
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise wrong
        return value
    if key in _COUNTS or key == "verbosity":
        lowest = 0 if key == "verbosity" else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise wrong
        return value
    if key in _LABELS:
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(v, str) for v in values):
            wrong.hint = "Write labels in quotes: YAML reads 01 as a number."
            raise wrong
        return tuple(values)
    if key == "derivatives":
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            wrong.hint = "Write one line 'NAME: PATH' per folder, indented below 'derivatives:'."
            raise wrong
        return {str(name): Path(folder) for name, folder in value.items()}
    if not isinstance(value, str):
        raise wrong
    return _convert_text(key, value, wrong)


def _convert_text(key: str, value: str, wrong: AppError) -> Any:
    """Convert a YAML string to the type its setting has."""
    if key in _PATHS:
        return Path(value)
    if key == "fat_spectrum" and value not in fat_spectra():
        wrong.hint = f"Fat spectra: {', '.join(fat_spectra())}."
        raise wrong
    if key == "fat_fraction_units" and value not in get_args(FatFractionUnits):
        raise wrong
    try:
        if key == "mem":
            return parse_memory(value)
        if key == "device":
            return parse_device(value)
    except ValueError as error:
        wrong.hint = str(error)
        raise wrong from error
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
