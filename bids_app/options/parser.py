"""The options of the command line; every default is left to the settings.

Nothing heavy is imported here, so that ``--help`` and mistakes answer at once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar, get_args

from bids_app.errors import AppError, ExitCode
from bids_app.options.settings import (
    AnalysisLevel,
    AsymmetryOrder,
    ExecutorName,
    FatFractionUnits,
    HarmonizationName,
    ProfileName,
    fat_spectra,
    parse_device,
    parse_memory,
)
from bids_app.version import __version__

T = TypeVar("T")

_DESCRIPTION = """\
MyoMIDS: from ORMIR-MIDS muscle Dixon scans to per-muscle fat fractions, quality checks and a
readable report. Research software, not a medical device."""

_EPILOG = """\
Exit codes are listed in docs/exit-codes.md. Put the three positional arguments first:
options that take several values, such as --participant-label, would swallow them."""


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line; every default is left to :class:`Settings`."""
    parser = Parser(
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
    _add_group_level(parser)
    _add_resources(parser)
    _add_running(parser)
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to process")
    group.add_argument(
        "--participant-label",
        "--participant_label",
        nargs="+",
        action="extend",
        metavar="LABEL",
        help="participants, with or without sub-; @FILE reads one label per line",
    )
    group.add_argument(
        "--session-label",
        "--session_label",
        "--session-id",
        nargs="+",
        action="extend",
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
        action="extend",
        type=_named_folder,
        metavar="NAME=PATH",
        help="participant: use the label maps (*_dseg.nii.gz) of these folders instead of "
        "segmenting; group: gather the results in these folders instead of OUTPUT_DIR",
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


def _add_group_level(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("group level (docs/group.md)")
    group.add_argument(
        "--study",
        nargs="+",
        action="extend",
        type=_named_folder,
        metavar="NAME=PATH",
        help="datasets with score tables (phenotype/*.tsv) to gather too; may be repeated",
    )
    group.add_argument(
        "--muscle-map", type=Path, metavar="TSV", help="further names of muscles in score tables"
    )
    group.add_argument(
        "--harmonization",
        choices=get_args(HarmonizationName),
        help="how scores of several scales are made comparable (default: paper)",
    )
    group.add_argument(
        "--asymmetry-order",
        choices=get_args(AsymmetryOrder),
        help="compare sides after or before scores are scaled (default: scale_first)",
    )
    group.add_argument(
        "--scale-thresholds",
        type=Path,
        metavar="TSV",
        help="fat fractions at which grades begin, for --harmonization dither",
    )
    group.add_argument("--train", metavar="NAME", help="train the diagnosis model models/NAME")
    group.add_argument(
        "--profile",
        choices=get_args(ProfileName),
        help="training protocol (default: paper); single numbers below training: in the YAML",
    )
    group.add_argument(
        "--diagnosis-model",
        type=Path,
        metavar="PATH",
        help="diagnosis model to apply, also at the participant level; with --list models: a "
        "model or folder of models to list",
    )
    group.add_argument(
        "--readers", type=Path, metavar="TSV", help="ranked answers of readers to compare with"
    )
    group.add_argument(
        "--interactions", metavar="DIAGNOSIS", help="explain interactions for this diagnosis"
    )
    group.add_argument(
        "--minimum-samples",
        type=_whole_number(2),
        metavar="N",
        help="leave diagnoses with fewer samples out of training (default: the profile's, 30)",
    )
    group.add_argument(
        "--seed", type=_whole_number(0), metavar="N", help="seed of everything random (default: 0)"
    )


def _add_resources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("resources")
    group.add_argument("--nprocs", type=_whole_number(1), metavar="N", help="sessions side by side")
    group.add_argument(
        "--omp-nthreads", type=_whole_number(1), metavar="N", help="threads per session"
    )
    group.add_argument(
        "--mem", type=_argument(parse_memory), metavar="SIZE", help="memory to use, e.g. 16GB"
    )
    group.add_argument(
        "--executor",
        choices=get_args(ExecutorName),
        help="run on this machine or on a Dask cluster (default: local)",
    )
    group.add_argument(
        "--dask-scheduler", metavar="ADDRESS", help="scheduler of a Dask cluster, tcp://HOST:PORT"
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


class Parser(argparse.ArgumentParser):
    """Usage errors in the same form as every other error of MyoMIDS."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and what to do, and end the program."""
        self.print_usage(sys.stderr)
        hint = "See run.py --help."
        if "analysis_level" in message or "required" in message:
            hint = "The order is: run.py BIDS_DIR OUTPUT_DIR {participant,group} [options]."
        print_error(AppError(message, ExitCode.USAGE, hint))
        sys.exit(int(ExitCode.USAGE))


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Make a parser that raises ValueError usable as an argparse type with its own message."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def _whole_number(lowest: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {lowest}")
        return int(text)

    return convert


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (equals and name and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=PATH")
    return name, Path(folder)


def asks_for_list(arguments: Sequence[str]) -> bool:
    """Tell whether ``--list`` is among the arguments, which then needs no folders."""
    return any(a == "--list" or a.startswith("--list=") for a in arguments)


def print_error(error: AppError) -> None:
    """Print what is wrong, what to do, and the exit code as the last line."""
    print(f"myomids: error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"myomids: hint: {error.hint}", file=sys.stderr)
    code = ExitCode(error.exit_code)
    print(f"myomids: exit code {int(code)} ({code.name})", file=sys.stderr)
