"""The command line: parse it, run the level, return the exit code.

Nothing heavy is imported here, so that ``--help`` and mistakes answer at once.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from bids_app.errors import AppError, ExitCode
from bids_app.options.config_file import read_config_file
from bids_app.options.parser import Parser, asks_for_list, build_parser, print_error
from bids_app.options.settings import Settings

# Options that take NAME=PATH, several times.
_NAMED_FOLDERS = {"derivatives", "study"}

_GROUP_ONLY = (
    "study",
    "harmonization",
    "asymmetry_order",
    "scale_thresholds",
    "train",
    "profile",
    "readers",
    "interactions",
    "minimum_samples",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run MyoMIDS.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program name; ``sys.argv[1:]`` if None.

    Returns
    -------
    int
        Exit code, see ``docs/exit-codes.md``.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if asks_for_list(arguments):
            return _list(arguments)
        settings = parse_settings(arguments)
        _limit_threads(settings)
        return int(_run(settings))
    except AppError as error:
        print_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("myomids: interrupted. Run the same command again to resume.", file=sys.stderr)
        return int(ExitCode.TRY_AGAIN)


def _run(settings: Settings) -> ExitCode:
    """Run the level that was asked for."""
    if settings.analysis_level == "group":
        from bids_app.group.level import run_group_level

        return run_group_level(settings)
    from bids_app.participant.level import run_participant_level

    return run_participant_level(settings)


def parse_settings(argv: Sequence[str]) -> Settings:
    """Turn arguments into checked settings: defaults < YAML file < flags.

    Parameters
    ----------
    argv : sequence of str
        Arguments without the program name.

    Returns
    -------
    Settings
        Checked settings, with absolute folders.

    Raises
    ------
    AppError
        If the configuration file, a label list or the folders are unusable.
    SystemExit
        With 0 after ``--help`` or ``--version``, with 2 for a usage error.
    """
    from bids_app.dataset.labels import parse_labels

    given = vars(build_parser().parse_args(argv))
    from_file = read_config_file(given["config_file"]) if "config_file" in given else {}
    chosen: dict[str, Any] = {**from_file, **given}
    for key in _NAMED_FOLDERS & given.keys():
        chosen[key] = _as_mapping(given[key], key)
    for key, prefix in (("participant_label", "sub-"), ("session_label", "ses-")):
        if key in chosen:
            chosen[key] = tuple(parse_labels(chosen[key], prefix))
    for field in fields(Settings):
        value = chosen.get(field.name)
        if isinstance(value, Path):
            chosen[field.name] = value.expanduser().absolute()
    for key in _NAMED_FOLDERS & chosen.keys():
        chosen[key] = {k: v.expanduser().absolute() for k, v in chosen[key].items()}
    _check_level(given)
    settings = Settings(**chosen)
    _check_folders(settings)
    return settings


def _as_mapping(pairs: Sequence[tuple[str, Path]], option: str) -> dict[str, Path]:
    """Return folders by name; a name given twice would silently leave one of them out."""
    folders: dict[str, Path] = {}
    for name, folder in pairs:
        if name in folders:
            raise AppError(
                f"--{option} names two folders {name!r}: {folders[name]} and {folder}.",
                ExitCode.USAGE,
                "Give every folder a name of its own.",
            )
        folders[name] = folder
    return folders


def _check_level(given: Mapping[str, Any]) -> None:
    """Refuse flags that the level would silently ignore."""
    if given["analysis_level"] == "group":
        return
    misplaced = [key for key in _GROUP_ONLY if key in given]
    if misplaced:
        raise AppError(
            f"--{misplaced[0].replace('_', '-')} belongs to the group level.",
            ExitCode.USAGE,
            "Run the participant level first, then: run.py BIDS_DIR OUTPUT_DIR group [options].",
        )


def _check_folders(settings: Settings) -> None:
    """Refuse folders that would mix inputs with results."""
    bids_dir, output_dir = settings.bids_dir.resolve(), settings.output_dir.resolve()
    if output_dir == bids_dir:
        raise AppError(
            f"The output folder is the dataset itself: {output_dir}.",
            ExitCode.USAGE,
            f"Use for instance {output_dir / 'derivatives' / 'MyoMIDS'}.",
        )
    if settings.work_dir is not None and settings.work_dir.resolve().is_relative_to(bids_dir):
        raise AppError(
            f"The work folder {settings.work_dir} lies inside the dataset.",
            ExitCode.USAGE,
            "Choose a --work-dir outside of it, on a disk with space.",
        )


def _limit_threads(settings: Settings) -> None:
    """Set the thread counts of numerical libraries before any of them is loaded."""
    from bids_app.running.machine import plan_workers

    threads = str(plan_workers(settings.nprocs, settings.omp_nthreads, settings.mem).threads)
    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    ):
        os.environ[variable] = threads
    # Idle threads that spin cost several times the CPU time of the work on a shared machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _list(arguments: Sequence[str]) -> int:
    """Answer ``--list`` without the positional arguments."""
    from bids_app.options.listing import listing

    parser = Parser(prog="run.py", allow_abbrev=False)
    parser.add_argument("--list", choices=("models", "muscles", "scales"), required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model-registry", type=Path)
    parser.add_argument("--diagnosis-model", type=Path)
    options = parser.parse_args(arguments)
    text = listing(
        options.list,
        as_json=options.json,
        registry=options.model_registry,
        diagnosis_models=options.diagnosis_model,
    )
    print(text)
    return int(ExitCode.OK)
