"""The command line: parse it, run the level, return the exit code.

Nothing heavy is imported here, so that ``--help`` and mistakes answer at once.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.options.kinds import BY_NAME, NAME_OR_PATH, NAMED_FOLDERS
from bids_app.options.option import Option
from bids_app.options.parser import asks_for_list, build_list_parser, build_parser, print_error
from bids_app.options.paths import absolute_path
from bids_app.options.settings import OPTIONS, Settings
from bids_app.running.signals import INTERRUPTED, unwind_on_signals
from bids_app.running.streams import drop_output, open_closed_streams


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
    open_closed_streams()
    try:
        with as_app_errors():
            return int(_answer(arguments))
    except AppError as error:
        print_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return int(ExitCode.TRY_AGAIN)


def _answer(arguments: list[str]) -> ExitCode:
    """Do what the arguments ask for."""
    try:
        if asks_for_list(arguments):
            code = _list(arguments)
        else:
            settings = parse_settings(arguments)
            _limit_threads(settings)
            code = _run(settings)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        drop_output()
        return ExitCode.OK
    except OSError:
        drop_output()
        raise
    return code


def _run(settings: Settings) -> ExitCode:
    """Run the level that was asked for."""
    if settings.analysis_level == "group":
        from bids_app.group.level import run_group_level as run_level
    else:
        from bids_app.participant.level import run_participant_level as run_level
    from bids_app.running.logged_run import end_by_force

    with unwind_on_signals(end_by_force):
        return run_level(settings)


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
    given = vars(build_parser().parse_args(argv))
    chosen = _from_file(given)
    for option in OPTIONS:
        if option.name in given:
            chosen[option.name] = _from_flags(option, given[option.name])
        if option.name in chosen:
            chosen[option.name] = _complete(option, chosen[option.name])
    _check_level(given)
    settings = Settings(**chosen)
    _check_folders(settings)
    return settings


def _from_file(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the YAML file, if there is one."""
    if "config_file" not in given:
        return {}
    from bids_app.options.config_file import read_config_file

    return read_config_file(absolute_path(given["config_file"], "--config-file"))


def _from_flags(option: Option, value: Any) -> Any:
    """Return paths by name; one given twice would silently leave one of them out."""
    if option.kind not in BY_NAME:
        return value
    paths: dict[str, Path] = {}
    for name, path in value:
        if name in paths:
            raise _two_of_one_name(option, name, (paths[name], path))
        paths[name] = path
    return paths


def _two_of_one_name(option: Option, name: str, paths: tuple[Path, Path]) -> AppError:
    both = f"{paths[0]} and {paths[1]}"
    if option.kind is NAMED_FOLDERS:
        return AppError(
            f"{option.flag} names two folders {name!r}: {both}.",
            ExitCode.USAGE,
            "Give every folder a name of its own.",
        )
    whose = f"study {name!r}" if name else "all studies"
    return AppError(
        f"{option.flag} names two files for {whose}: {both}.",
        ExitCode.USAGE,
        "Join them, or write NAME=FILE for a file of one study.",
    )


def _complete(option: Option, value: Any) -> Any:
    """Make paths absolute, and labels bare and sorted."""
    if option.kind.prefix:
        from bids_app.dataset.labels import parse_labels

        files = [f"@{_path(option, Path(v[1:]))}" if v.startswith("@") else v for v in value]
        return tuple(parse_labels(files, option.kind.prefix))
    if option.kind in BY_NAME:
        return {name: _path(option, path) for name, path in value.items()}
    if option.kind is NAME_OR_PATH:
        _path(option, Path(value))  # it stays as it is: a name, unless there is such a path
    return _path(option, value) if isinstance(value, Path) else value


def _path(option: Option, given: Path) -> Path:
    links = ExitCode.CANNOT_CREATE if option.written else ExitCode.INPUT_MISSING
    return absolute_path(given, option.flag if option.flags else option.name.upper(), links)


def _check_level(given: Mapping[str, Any]) -> None:
    """Refuse flags that the level would silently ignore."""
    if given["analysis_level"] == "group":
        return
    misplaced = [o.flag for o in OPTIONS if o.level == "group" and o.name in given]
    if misplaced:
        raise AppError(
            f"{misplaced[0]} belongs to the group level.",
            ExitCode.USAGE,
            "Run the participant level first, then: run.py BIDS_DIR OUTPUT_DIR group [options].",
        )


def _check_folders(settings: Settings) -> None:
    """Refuse folders that would mix inputs with results."""
    # Not Path.resolve, which gives up on links that go round in circles.
    bids_dir, output_dir = (
        Path(os.path.realpath(folder)) for folder in (settings.bids_dir, settings.output_dir)
    )
    if output_dir == bids_dir:
        raise AppError(
            f"The output folder is the dataset itself: {output_dir}.",
            ExitCode.USAGE,
            f"Use for instance {output_dir / 'derivatives' / 'MyoMIDS'}.",
        )
    if _is_dataset_of_others(output_dir) and not _has_participants(bids_dir):
        raise AppError(
            f"{bids_dir} has no participants, and {output_dir} is a dataset: the two seem to be "
            "exchanged.",
            ExitCode.USAGE,
            "The order is: run.py BIDS_DIR OUTPUT_DIR {participant,group} [options].",
        )
    if settings.work_dir is not None and Path(os.path.realpath(settings.work_dir)).is_relative_to(
        bids_dir
    ):
        raise AppError(
            f"The work folder {settings.work_dir} lies inside the dataset.",
            ExitCode.USAGE,
            "Choose a --work-dir outside of it, on a disk with space.",
        )


def _is_dataset_of_others(folder: Path) -> bool:
    """Tell whether a folder holds participants and nothing of ours."""
    return _has_participants(folder) and not (folder / "logs").is_dir()


def _has_participants(folder: Path) -> bool:
    return next(folder.glob("sub-*"), None) is not None


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


def _list(arguments: Sequence[str]) -> ExitCode:
    """Answer ``--list`` without the positional arguments."""
    from bids_app.options.listing import listing

    options = build_list_parser().parse_args(arguments)
    paths = {
        option.name: _path(option, given)
        for option in OPTIONS
        if isinstance(given := getattr(options, option.name, None), Path)
    }
    text = listing(
        options.list,
        as_json=options.json,
        registry=paths.get("model_registry"),
        diagnosis_models=paths.get("diagnosis_model"),
    )
    print(text)
    return ExitCode.OK
