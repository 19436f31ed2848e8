"""Compare label images with a reference: ``python -m bids_app.evaluation``.

Nothing heavy is imported here, so that ``--help`` and mistakes answer at once.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bids_app.errors import AppError, ExitCode
from bids_app.running.logs import LOGGER, log_error, log_exit_code, start_logging
from bids_app.version import __version__

if TYPE_CHECKING:
    from bids_app.evaluation.pairing import ScanImage
    from pipelines.segmentation.evaluation.case import Value


BIOMARKER_NAMES = ("FF", "T2", "MTR")

_DESCRIPTION = """\
Compare the muscle labels of two folders: Dice, surface distances, volumes and the errors of fat
fraction, T2 and MTR, per muscle and summarized with the statistics of Hostin et al. 2023."""

_EPILOG = """\
Writes evaluation_muscles.tsv, evaluation_summary.tsv (with JSON files that describe their columns)
and bland_altman_*.svg to OUTPUT_DIR. Definitions stand in docs/evaluation.md, exit codes in
docs/exit-codes.md. Put the three positional arguments first."""


@dataclass(frozen=True)
class Options:
    """What to compare; unless labels are given, the table beside each image says what they mean."""

    reference_dir: Path
    evaluated_dir: Path
    output_dir: Path
    maps: Mapping[str, str]  # folder or file name pattern, by biomarker
    reference_labels: str | None = None
    evaluated_labels: str | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and return its exit code, see ``docs/exit-codes.md``."""
    start_logging(0)
    try:
        _compare_folders(parse_options(sys.argv[1:] if argv is None else argv))
    except AppError as error:
        return int(log_error(error))
    except OSError as error:
        problem = AppError(f"Writing the results failed: {error}.", ExitCode.IO_FAILURE)
        return int(log_error(problem))
    return int(log_exit_code(ExitCode.OK))


def parse_options(argv: Sequence[str]) -> Options:
    """Turn arguments into checked options."""
    given = _build_parser().parse_args(argv)
    names = [name for name, _ in given.maps]
    if len(names) > len(set(names)):
        raise AppError("--map names a biomarker twice.", ExitCode.USAGE, "Give each one once.")
    options = Options(**{**vars(given), "maps": dict(given.maps)})
    for folder in (options.reference_dir, options.evaluated_dir):
        if options.output_dir.resolve() == folder.resolve():
            raise AppError(
                f"The output folder is an input folder: {folder}.",
                ExitCode.USAGE,
                "Choose a folder of its own for the results.",
            )
    return options


def _compare_folders(options: Options) -> None:
    """Compare the label images of two folders and write the tables and figures."""
    from bids_app.evaluation.outputs import write_evaluation
    from bids_app.evaluation.pairing import find_label_images, pair_label_images
    from bids_app.files.derivatives import prepare_output
    from pipelines.segmentation.evaluation.tables import agreement_table

    pairing = pair_label_images(
        find_label_images(options.reference_dir), find_label_images(options.evaluated_dir)
    )
    for path in pairing.unpaired:
        LOGGER.warning("%s has no counterpart; it is left out.", path)
    maps = _find_maps(options)
    prepare_output(options.output_dir)
    origin = {
        "Reference": str(options.reference_dir),
        "Evaluated": str(options.evaluated_dir),
        "Maps": dict(options.maps),
        "Unpaired": [str(path) for path in pairing.unpaired],
    }
    rows = _compare(options, pairing.pairs, maps)
    write_evaluation(options.output_dir, agreement_table(rows), origin)


def _compare(
    options: Options,
    pairs: Sequence[tuple["ScanImage", "ScanImage"]],
    maps: Mapping[str, Sequence["ScanImage"]],
) -> dict[str, list[dict[str, "Value"]]]:
    """Compare every pair; rows by case."""
    from bids_app.evaluation.cases import LabelledScan, compare_case
    from bids_app.evaluation.pairing import best_match, find_lookup

    def reference(image: Path) -> LabelledScan:
        chosen, option = options.reference_labels, "--reference-labels"
        return LabelledScan(image, find_lookup(image, options.reference_dir, chosen, option))

    def evaluated(image: Path) -> LabelledScan:
        chosen, option = options.evaluated_labels, "--evaluated-labels"
        return LabelledScan(image, find_lookup(image, options.evaluated_dir, chosen, option))

    cases = {}
    for truth, found in pairs:
        matches = {name: best_match(truth, candidates) for name, candidates in maps.items()}
        for name, match in matches.items():
            if match is None:
                LOGGER.warning("%s: no %s map; its errors are n/a.", truth.case, name)
        of_case = {name: match.path for name, match in matches.items() if match is not None}
        cases[truth.case] = compare_case(reference(truth.path), evaluated(found.path), of_case)
        LOGGER.info("%s: compared", truth.case)
    return cases


def _find_maps(options: Options) -> dict[str, list["ScanImage"]]:
    """Find the maps that were asked for; fat fraction maps beside the evaluated labels anyway."""
    from bids_app.evaluation.pairing import find_maps, maps_in

    maps = {name: find_maps(name, place) for name, place in options.maps.items()}
    if "FF" not in maps:
        beside = maps_in(options.evaluated_dir, "FF")
        if beside:
            return {**maps, "FF": beside}
        LOGGER.warning(
            "No fat fraction maps in %s: their errors and the split at 20 %% are left out. "
            "Name them with --map FF=FOLDER.",
            options.evaluated_dir,
        )
    return maps


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m bids_app.evaluation",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("reference_dir", type=Path, help="label images taken as true")
    parser.add_argument("evaluated_dir", type=Path, help="label images to judge")
    parser.add_argument("output_dir", type=Path, help="folder for the results (made if missing)")
    parser.add_argument(
        "--map",
        dest="maps",
        nargs="+",
        action="extend",
        default=[],
        type=_named_place,
        metavar="NAME=FOLDER_OR_PATTERN",
        help=f"maps of {', '.join(BIOMARKER_NAMES)} on the grid of the labels "
        "(default: FF=EVALUATED_DIR)",
    )
    for whose in ("reference", "evaluated"):
        parser.add_argument(
            f"--{whose}-labels",
            metavar="NAME_OR_TSV",
            help=f"what the values of the {whose} labels mean: a name from run.py --list muscles, "
            "or a table (default: the table beside each image)",
        )
    parser.add_argument("--version", action="version", version=f"MyoMIDS {__version__}")
    return parser


class _Parser(argparse.ArgumentParser):
    """Usage errors in the same form as every other error of MyoMIDS."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise AppError(message, ExitCode.USAGE, f"See {self.prog} --help.")


def _named_place(text: str) -> tuple[str, str]:
    name, _, place = text.partition("=")
    if name not in BIOMARKER_NAMES or not place:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form NAME=FOLDER_OR_PATTERN with NAME one of "
            f"{', '.join(BIOMARKER_NAMES)}"
        )
    return name, place


if __name__ == "__main__":
    sys.exit(main())
