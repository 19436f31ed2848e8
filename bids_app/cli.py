"""The command line: parse it, run the level, return the exit code.

Nothing heavy is imported here, so that ``--help`` and mistakes answer at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from bids_app.errors import AppError, ExitCode
from bids_app.settings import (
    AnalysisLevel,
    FatFractionUnits,
    Settings,
    fat_spectra,
    parse_device,
    parse_memory,
    read_config_file,
)
from bids_app.version import __version__

T = TypeVar("T")

_DESCRIPTION = """\
MyoMIDS: from ORMIR-MIDS muscle Dixon scans to per-muscle fat fractions, quality checks and a
readable report. Research software, not a medical device."""

_EPILOG = """\
Exit codes are listed in docs/exit-codes.md. Put the three positional arguments first:
options that take several values, such as --participant-label, would swallow them."""


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
        if any(a == "--list" or a.startswith("--list=") for a in arguments):
            return _list(arguments)
        settings = parse_settings(arguments)
        _limit_threads(settings)
        return int(_run(settings))
    except AppError as error:
        _print_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("myomids: interrupted. Run the same command again to resume.", file=sys.stderr)
        return int(ExitCode.TRY_AGAIN)


def _run(settings: Settings) -> ExitCode:
    """Run the level that was asked for."""
    if settings.analysis_level == "group":
        raise AppError(
            "The group level is not part of this version.",
            ExitCode.UNAVAILABLE,
            "It still lacks harmonization of scores, training and diagnosis. The per-muscle "
            "tables of the participant level are complete: see *_desc-muscles_stats.tsv.",
        )
    from bids_app.participant import run_participant_level

    return run_participant_level(settings)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line; every default is left to :class:`Settings`."""
    parser = _Parser(
        prog="run.py",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("bids_dir", type=Path, help="dataset in MIDS or BIDS form")
    parser.add_argument("output_dir", type=Path, help="folder for the results (made if missing)")
    parser.add_argument(
        "analysis_level", choices=get_args(AnalysisLevel), help="level of the analysis"
    )
    _add_selection(parser)
    _add_method(parser)
    _add_resources(parser)
    _add_running(parser)
    return parser


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
    from bids_app.labels import parse_labels

    given = vars(build_parser().parse_args(argv))
    from_file = read_config_file(given["config_file"]) if "config_file" in given else {}
    chosen: dict[str, Any] = {**from_file, **given}
    if "derivatives" in chosen:
        chosen["derivatives"] = dict(chosen["derivatives"])
    for key, prefix in (("participant_label", "sub-"), ("session_label", "ses-")):
        if key in chosen:
            chosen[key] = tuple(parse_labels(chosen[key], prefix))
    for field in fields(Settings):
        value = chosen.get(field.name)
        if isinstance(value, Path):
            chosen[field.name] = value.expanduser().absolute()
    if "derivatives" in chosen:
        chosen["derivatives"] = {k: v.absolute() for k, v in chosen["derivatives"].items()}
    settings = Settings(**chosen)
    _check_folders(settings)
    return settings


def _add_selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to process")
    group.add_argument(
        "--participant-label",
        "--participant_label",
        nargs="+",
        metavar="LABEL",
        help="participants, with or without sub-; @FILE reads one label per line",
    )
    group.add_argument(
        "--session-label",
        "--session_label",
        "--session-id",
        nargs="+",
        metavar="LABEL",
        help="sessions, with or without ses-; @FILE reads one label per line",
    )
    group.add_argument(
        "--bids-filter-file", type=Path, metavar="JSON", help="narrow which scans are used"
    )
    group.add_argument(
        "--skip-bids-validation",
        action="store_true",
        help="skip the structural check of the selected participants",
    )


def _add_method(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("method")
    group.add_argument(
        "--model",
        metavar="NAME_OR_PATH",
        help="segmentation model: a name from --list models, an nnU-Net folder or exported zip "
        "(default: the first of --list models)",
    )
    group.add_argument(
        "--model-registry", type=Path, metavar="JSON", help="registry file of models you trust"
    )
    group.add_argument(
        "--trust-model",
        action="store_true",
        help="load a checkpoint that no registry knows; it can execute code",
    )
    group.add_argument(
        "--derivatives",
        nargs="+",
        type=_named_folder,
        metavar="NAME=PATH",
        help="use the label maps (*_dseg.nii.gz) of these folders instead of segmenting",
    )
    group.add_argument(
        "--fat-fraction-units",
        choices=get_args(FatFractionUnits),
        help="units of fat fraction maps in the input (default: auto)",
    )
    group.add_argument(
        "--fat-spectrum",
        choices=fat_spectra(),
        help="fat spectrum for raw echoes (default: ismrm-6)",
    )
    group.add_argument(
        "--correct-t1",
        action=argparse.BooleanOptionalAction,
        help="correct raw echoes for T1 weighting (needs repetition time and flip angle)",
    )
    group.add_argument(
        "--erode",
        action=argparse.BooleanOptionalAction,
        help="read fat fractions from masks eroded by one voxel (default: --erode)",
    )


def _add_resources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("resources")
    group.add_argument("--nprocs", type=_count, metavar="N", help="sessions side by side")
    group.add_argument("--omp-nthreads", type=_count, metavar="N", help="threads per session")
    group.add_argument(
        "--mem", type=_argument(parse_memory), metavar="SIZE", help="memory to use, e.g. 16GB"
    )
    group.add_argument(
        "--device",
        type=_argument(parse_device),
        metavar="DEVICE",
        help="auto, cpu, cuda or cuda:N (default: auto)",
    )
    group.add_argument(
        "--resource-monitor",
        action="store_true",
        help="print wall time and peak memory of every step",
    )
    group.add_argument(
        "-w", "--work-dir", type=Path, help="folder for caches and scratch (default: temporary)"
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("running")
    group.add_argument("--config-file", type=Path, metavar="YAML", help="settings; flags win")
    group.add_argument(
        "--stop-on-first-crash", action="store_true", help="end the run at the first failed session"
    )
    group.add_argument("--overwrite", action="store_true", help="recompute existing results")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would run on which files and write nothing",
    )
    group.add_argument(
        "--reports-only", action="store_true", help="write the pages again from existing results"
    )
    group.add_argument(
        "--list",
        choices=("models", "muscles", "scales"),
        help="list what MyoMIDS knows and exit; add --json for machines",
    )
    group.add_argument("--json", action="store_true", help="with --list: print JSON")
    group.add_argument("--version", action="version", version=f"MyoMIDS {__version__}")
    group.add_argument(
        "-v", dest="verbosity", action="count", help="say more (-v) or everything (-vv)"
    )


class _Parser(argparse.ArgumentParser):
    """Usage errors in the same form as every other error of MyoMIDS."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        hint = "See run.py --help."
        if "analysis_level" in message or "required" in message:
            hint = "The order is: run.py BIDS_DIR OUTPUT_DIR participant [options]."
        _print_error(AppError(message, ExitCode.USAGE, hint))
        sys.exit(int(ExitCode.USAGE))


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Make a parser that raises ValueError usable as an argparse type with its own message."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (equals and name and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=PATH")
    return name, Path(folder)


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
    from bids_app.machine import plan_workers

    threads = str(plan_workers(settings.nprocs, settings.omp_nthreads, settings.mem).threads)
    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    ):
        os.environ[variable] = threads


def _list(arguments: Sequence[str]) -> int:
    """Answer ``--list`` without the positional arguments."""
    from bids_app.listing import listing

    parser = _Parser(prog="run.py", allow_abbrev=False)
    parser.add_argument("--list", choices=("models", "muscles", "scales"), required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model-registry", type=Path)
    options = parser.parse_args(arguments)
    print(listing(options.list, as_json=options.json, registry=options.model_registry))
    return int(ExitCode.OK)


def _print_error(error: AppError) -> None:
    """Print what is wrong, what to do, and the exit code as the last line."""
    print(f"myomids: error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"myomids: hint: {error.hint}", file=sys.stderr)
    code = ExitCode(error.exit_code)
    print(f"myomids: exit code {int(code)} ({code.name})", file=sys.stderr)
