"""The table of options: one frozen object holds every choice of a run.

To add an option, add one field to :class:`Settings`: its type, heading, default and help text, and
whatever of :class:`~bids_app.options.option.Option` differs from the usual. ``--help``, the check
of the YAML file, the levels, the mounts of the container and ``logs/settings-*.yaml`` follow by
themselves; ``tools/make_boutiques.py`` and ``tools/make_options_table.py`` write the descriptors
and the table in ``docs/usage.md``. Then read ``settings.<name>`` where the choice matters. What
two options say about each other is checked in ``__post_init__``.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bids_app.errors import AppError, ExitCode
from bids_app.options.kinds import (
    CLUSTER,
    COUNT,
    DEVICE,
    FILES_OF_STUDIES,
    MEMORY,
    NAME,
    NAME_OR_PATH,
    SWITCH_BOTH_WAYS,
    choice,
    labels,
    whole_number,
)
from bids_app.options.option import Heading, Option, argument, options_of
from bids_app.options.plain import identity, plain_value
from pipelines.package_data import package_json

# The input dataset in BIDS URIs; folders given with --derivatives have their own names there.
INPUT_NAME = "raw"

# Read without the numerical code that uses them.
_FAT_SPECTRA = tuple(package_json("pipelines.water_fat.separation", "spectra.json"))

_SELECTION = Heading("what to process")
_METHOD = Heading("method", level="participant")
_GROUP_LEVEL = Heading("group level (docs/group.md)", level="group")
_RESOURCES = Heading("resources")
_RUNNING = Heading("running")


@dataclass(frozen=True)
class Settings:
    """Everything a person can choose about a run: defaults < YAML file < flags."""

    bids_dir: Path = field(metadata=argument("dataset in MIDS or BIDS form"))
    output_dir: Path = field(
        metadata=argument("folder for the results (made if missing)", written=True)
    )
    analysis_level: Literal["participant", "group"] = field(
        metadata=argument("level of the analysis")
    )

    participant_label: tuple[str, ...] = _SELECTION.option(
        (),
        "participants, with or without sub-; @FILE reads one label per line",
        kind=labels("sub-"),
        flags=("--participant-label", "--participant_label"),
        metavar="LABEL",
    )
    session_label: tuple[str, ...] = _SELECTION.option(
        (),
        "sessions, with or without ses-; @FILE reads one label per line",
        kind=labels("ses-"),
        flags=("--session-label", "--session_label", "--session-id"),
        metavar="LABEL",
    )
    bids_filter_file: Path | None = _SELECTION.option(
        None, "narrow which scans are used", metavar="JSON", level="participant"
    )
    skip_bids_validation: bool = _SELECTION.option(
        False, "skip the structural check of the selected participants", level="participant"
    )

    model: str | None = _METHOD.option(
        None,
        "segmentation model: a name from --list models, an nnU-Net folder or exported zip "
        "(default: the first of --list models)",
        kind=NAME_OR_PATH,
        metavar="NAME_OR_PATH",
        scientific=True,
    )
    model_registry: Path | None = _METHOD.option(
        None, "registry file of models you trust", metavar="JSON"
    )
    trust_model: bool = _METHOD.option(
        False, "load a checkpoint that no registry knows; it can execute code"
    )
    derivatives: Mapping[str, Path] = _METHOD.option(
        {},
        "participant: use the label maps (*_dseg.nii.gz) of these folders instead of "
        "segmenting; group: gather the results in these folders instead of OUTPUT_DIR",
        metavar="NAME=PATH",
        level="both",
        scientific=True,
    )
    fat_fraction_units: Literal["auto", "fraction", "percent", "permille"] = _METHOD.option(
        "auto", "units of fat fraction maps in the input (default: {default})", scientific=True
    )
    fat_spectrum: str | None = _METHOD.option(
        None,
        "fat spectrum for raw echoes (default: ismrm-6)",
        kind=choice(_FAT_SPECTRA),
        scientific=True,
    )
    correct_t1: bool = _METHOD.option(
        False,
        "correct raw echoes for T1 weighting (needs repetition time and flip angle)",
        kind=SWITCH_BOTH_WAYS,
        scientific=True,
    )
    erode: bool = _METHOD.option(
        True,
        "read fat fractions from masks eroded by one voxel (default: --erode)",
        kind=SWITCH_BOTH_WAYS,
        scientific=True,
    )

    quality_verdicts: Path | None = _GROUP_LEVEL.option(
        None,
        "sessions that people keep or exclude (default: quality_verdicts.tsv beside results)",
        metavar="TSV",
        level="both",
    )
    include_failed: bool = _GROUP_LEVEL.option(
        False, "take in stacks whose quality checks failed, marked", level="both"
    )
    combine: Literal["best", "mean"] = _GROUP_LEVEL.option(
        "best",
        "take the best scan of a muscle in a session, or the mean of all (default: {default})",
        level="both",
    )
    study: Mapping[str, Path] = _GROUP_LEVEL.option(
        {},
        "datasets with score tables (phenotype/*.tsv, *.csv) to gather too; may be repeated",
        metavar="NAME=PATH",
    )
    muscle_map: Mapping[str, Path] = _GROUP_LEVEL.option(
        {},
        "further names of muscles in score tables; with NAME= in one study only",
        kind=FILES_OF_STUDIES,
        metavar="[NAME=]TSV",
    )
    diagnosis_map: Mapping[str, Path] = _GROUP_LEVEL.option(
        {},
        "diagnoses that count as others: spellings, groups; with NAME= in one study only",
        kind=FILES_OF_STUDIES,
        metavar="[NAME=]TSV",
    )
    harmonization: Literal["paper", "dither", "ranks"] | None = _GROUP_LEVEL.option(
        None,  # what the applied model was trained with
        "how scores of several scales are made comparable (default: paper)",
    )
    asymmetry_order: Literal["scale_first", "sides_first"] | None = _GROUP_LEVEL.option(
        None,  # what the applied model was trained with
        "compare sides after or before scores are scaled (default: scale_first)",
    )
    scale_thresholds: Path | None = _GROUP_LEVEL.option(
        None, "fat fractions at which grades begin, for --harmonization dither", metavar="TSV"
    )
    harmonization_options: Mapping[str, Any] = _GROUP_LEVEL.option(
        {}, "rarer choices of the harmonization, such as coverage"
    )
    train: str | None = _GROUP_LEVEL.option(
        None, "train the diagnosis model models/NAME", metavar="NAME"
    )
    profile: Literal["paper", "fast", "weights", "quick"] = _GROUP_LEVEL.option(
        "paper",
        "training protocol (default: {default}); single numbers below training: in the YAML",
    )
    training: Mapping[str, Any] = _GROUP_LEVEL.option(
        {}, "numbers of the protocol that differ from the profile's, such as trials"
    )
    diagnosis_model: Path | None = _GROUP_LEVEL.option(
        None,
        "diagnosis model to apply, also at the participant level; with --list models: a "
        "model or folder of models to list",
        metavar="PATH",
        level="both",
    )
    readers: Path | None = _GROUP_LEVEL.option(
        None, "ranked answers of readers to compare with", metavar="TSV"
    )
    interactions: str | None = _GROUP_LEVEL.option(
        None, "explain interactions for this diagnosis", metavar="DIAGNOSIS"
    )
    minimum_samples: int | None = _GROUP_LEVEL.option(
        None,
        "leave diagnoses with fewer samples out of training (default: the profile's, 30)",
        kind=whole_number(2),
        metavar="N",
    )
    seed: int = _GROUP_LEVEL.option(
        0, "seed of everything random (default: {default})", kind=whole_number(0), metavar="N"
    )

    nprocs: int | None = _RESOURCES.option(
        None, "sessions side by side", kind=whole_number(1), metavar="N"
    )
    omp_nthreads: int | None = _RESOURCES.option(
        None, "threads per session", kind=whole_number(1), metavar="N"
    )
    mem: float | None = _RESOURCES.option(  # gigabytes
        None, "memory to use, e.g. 16GB", kind=MEMORY, metavar="SIZE"
    )
    executor: Literal["local", "dask"] = _RESOURCES.option(
        "local", "run on this machine or on a Dask cluster (default: {default})"
    )
    dask_scheduler: str | None = _RESOURCES.option(
        None, "scheduler of a Dask cluster, tcp://HOST:PORT", metavar="ADDRESS"
    )
    dask_cluster: Mapping[str, Any] = _RESOURCES.option(
        {},
        "SLURM jobs to start for this run: jobs, and options of dask_jobqueue.SLURMCluster",
        kind=CLUSTER,
    )
    device: str = _RESOURCES.option(
        "auto",
        "auto, cpu, cuda or cuda:N (default: {default})",
        kind=DEVICE,
        metavar="DEVICE",
        level="participant",
    )
    resource_monitor: bool = _RESOURCES.option(
        False, "print wall time and peak memory of every step", level="participant"
    )
    work_dir: Path | None = _RESOURCES.option(
        None,
        "folder for caches and scratch (default: temporary)",
        flags=("-w", "--work-dir"),
        written=True,
    )

    config_file: Path | None = _RUNNING.option(
        None, "settings; flags win", metavar="YAML", in_file=False
    )
    stop_on_first_crash: bool = _RUNNING.option(
        False, "end the run at the first failed session", level="participant"
    )
    overwrite: bool = _RUNNING.option(False, "recompute existing results")
    dry_run: bool = _RUNNING.option(False, "say what would run on which files and write nothing")
    reports_only: bool = _RUNNING.option(False, "write the pages again from existing results")
    verbosity: int = _RUNNING.option(
        0, "say more (-v) or everything (-vv)", kind=COUNT, flags=("-v",)
    )

    def __post_init__(self) -> None:
        self._check_names()
        self._check_diagnosis()
        self._check_executor()

    def _check_names(self) -> None:
        """Refuse names that could not stand in a BIDS URI or would mean two things."""
        for option, folders in (("derivatives", self.derivatives), ("study", self.study)):
            for name in folders:
                if name == INPUT_NAME or not re.fullmatch(NAME, name):
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
        if self.train is not None and not re.fullmatch(NAME, self.train):
            raise AppError(
                f"{self.train!r} cannot be the name of a model.",
                ExitCode.USAGE,
                "Use letters, digits, '-' and '_'.",
            )
        if self.diagnosis_model is None:
            if self.readers is not None and self.train is None:
                raise AppError(
                    "--readers compares with a model.",
                    ExitCode.USAGE,
                    "Add --train NAME or --diagnosis-model PATH.",
                )
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
        return {key: plain_value(value) for key, value in asdict(self).items()}

    def scientific(self) -> dict[str, Any]:
        """Return the choices that change numbers, without the folders they were made in."""
        return {
            option.name: identity(getattr(self, option.name))
            for option in OPTIONS
            if option.scientific
        }


OPTIONS: tuple[Option, ...] = options_of(Settings)
