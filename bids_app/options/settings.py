"""One frozen object holds every choice of a run: defaults < YAML file < flags.

It is saved in ``logs/`` with every run, and its scientific part decides whether an existing
result can stand beside a new one.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bids_app.errors import AppError, ExitCode
from pipelines.package_data import package_json

AnalysisLevel = Literal["participant", "group"]
FatFractionUnits = Literal["auto", "fraction", "percent", "permille"]
ExecutorName = Literal["local", "dask"]
HarmonizationName = Literal["paper", "dither", "ranks"]
AsymmetryOrder = Literal["scale_first", "sides_first"]
ProfileName = Literal["paper", "fast", "weights", "quick"]

# The input dataset in BIDS URIs; folders given with --derivatives have their own names there.
INPUT_NAME = "raw"

# What names of folders and models are made of.
_NAME = r"[A-Za-z0-9_-]+"

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
    executor : {'local', 'dask'}
        Whether tasks run on this machine or on a Dask cluster.
    dask_scheduler : str or None
        Address of the scheduler of an existing Dask cluster.
    dask_cluster : Mapping of str to object
        Description of a cluster of SLURM jobs to start for this run: ``jobs``, and the options of
        ``dask_jobqueue.SLURMCluster``.
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
    study : Mapping of str to Path
        Datasets with score tables (``phenotype/*.tsv``) to gather beside our own results.
    muscle_map : Path or None
        Further names of muscles: a TSV file with the columns ``source_name`` and
        ``muscle``.
    harmonization : {'paper', 'dither', 'ranks'} or None
        How scores of several scales are made comparable; None is ``paper``, or what the applied
        model was trained with.
    asymmetry_order : {'scale_first', 'sides_first'} or None
        Whether scores are brought to 0-100 before or after sides are compared; None is
        ``scale_first``, or what the applied model was trained with.
    scale_thresholds : Path or None
        Fat fractions at which the grades of each scale begin, for ``dither``.
    harmonization_options : Mapping of str to object
        Rarer choices of the harmonization, e.g. ``coverage``.
    train : str or None
        Name of the diagnosis model to train.
    profile : {'paper', 'fast', 'weights', 'quick'}
        Training protocol.
    training : Mapping of str to object
        Numbers of the protocol that differ from the profile's, e.g. ``trials``.
    diagnosis_model : Path or None
        Folder of a trained diagnosis model to apply.
    readers : Path or None
        Ranked answers of readers to compare the trained model with.
    interactions : str or None
        Diagnosis whose interactions of features are explained.
    minimum_samples : int or None
        Diagnoses with fewer samples are not trained on; None takes the profile's number.
    seed : int
        Seed of everything random at the group level.
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
    executor: ExecutorName = "local"
    dask_scheduler: str | None = None
    dask_cluster: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"
    model: str | None = None
    model_registry: Path | None = None
    trust_model: bool = False
    derivatives: Mapping[str, Path] = field(default_factory=dict)
    fat_fraction_units: FatFractionUnits = "auto"
    fat_spectrum: str | None = None
    correct_t1: bool = False
    erode: bool = True
    study: Mapping[str, Path] = field(default_factory=dict)
    muscle_map: Path | None = None
    harmonization: HarmonizationName | None = None
    asymmetry_order: AsymmetryOrder | None = None
    scale_thresholds: Path | None = None
    harmonization_options: Mapping[str, Any] = field(default_factory=dict)
    train: str | None = None
    profile: ProfileName = "paper"
    training: Mapping[str, Any] = field(default_factory=dict)
    diagnosis_model: Path | None = None
    readers: Path | None = None
    interactions: str | None = None
    minimum_samples: int | None = None
    seed: int = 0
    stop_on_first_crash: bool = False
    overwrite: bool = False
    dry_run: bool = False
    reports_only: bool = False
    resource_monitor: bool = False
    verbosity: int = 0

    def __post_init__(self) -> None:
        self._check_names()
        self._check_diagnosis()
        self._check_executor()

    def _check_names(self) -> None:
        """Refuse names that could not stand in a BIDS URI or would mean two things."""
        for option, folders in (("derivatives", self.derivatives), ("study", self.study)):
            for name in folders:
                if name == INPUT_NAME or not re.fullmatch(_NAME, name):
                    raise AppError(
                        f"{name!r} cannot be the name of a folder in --{option}.",
                        ExitCode.USAGE,
                        f"Use letters, digits, '-' and '_'; {INPUT_NAME!r} is the input dataset.",
                    )
        twice = sorted(self.derivatives.keys() & self.study.keys())
        if twice:
            raise AppError(
                f"--derivatives and --study both name a folder {twice[0]!r}.",
                ExitCode.USAGE,
                "Give every folder a name of its own.",
            )

    def _check_diagnosis(self) -> None:
        if self.train is not None and not re.fullmatch(_NAME, self.train):
            raise AppError(
                f"{self.train!r} cannot be the name of a model.",
                ExitCode.USAGE,
                "Use letters, digits, '-' and '_'.",
            )
        if self.readers is not None and self.train is None:
            raise AppError(
                "--readers compares with a model in training.", ExitCode.USAGE, "Add --train NAME."
            )
        if self.diagnosis_model is None:
            if self.interactions is not None and self.train is None:
                raise AppError(
                    "--interactions needs a model.",
                    ExitCode.USAGE,
                    "Add --train NAME or --diagnosis-model PATH.",
                )
            return
        if self.train is not None:
            raise AppError(
                "--train and --diagnosis-model exclude each other.",
                ExitCode.USAGE,
                "Train first, then apply models/NAME in a second run.",
            )
        fixed = ("harmonization", "asymmetry_order", "scale_thresholds", "harmonization_options")
        given = [name for name in fixed if getattr(self, name)]
        if given:
            raise AppError(
                f"--{given[0].replace('_', '-')} cannot be chosen with --diagnosis-model.",
                ExitCode.USAGE,
                "Scores are harmonized as the model was trained; leave the option out.",
            )

    def _check_executor(self) -> None:
        clusters = [bool(self.dask_scheduler), bool(self.dask_cluster)]
        if self.executor != "dask":
            if any(clusters):
                raise AppError("A Dask cluster is used with --executor dask.", ExitCode.USAGE)
            return
        if sum(clusters) != 1:
            raise AppError(
                "--executor dask needs one cluster.",
                ExitCode.USAGE,
                "Give --dask-scheduler ADDRESS, or describe a SLURM cluster below dask_cluster in "
                "the configuration file (docs/many-participants.md), not both.",
            )
        if self.work_dir is None:
            raise AppError(
                "--executor dask needs --work-dir.",
                ExitCode.USAGE,
                "Choose a folder on a disk that all workers share.",
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
    return tuple(package_json("pipelines.water_fat.separation", "spectra.json"))


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
