"""``myomids-docker BIDS_DIR OUTPUT_DIR {participant,group} [options]``."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bids_app.cli import parse_settings
from bids_app.errors import AppError, ExitCode
from bids_app.options.parser import asks_for_list, build_parser, print_error
from bids_app.options.settings import Settings
from bids_app.version import __version__
from bids_app.wrapper.engine import connect, run_container
from bids_app.wrapper.forwarding import Forwarded, forward, keep_text, note_settings
from bids_app.wrapper.mounts import plan_mounts

_OWN = ("image", "gpus", "network")


def main(argv: Sequence[str] | None = None) -> int:
    """Run MyoMIDS in its container."""
    # A polite request to end is treated like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except AppError as error:
        print_error(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        print("myomids-docker: interrupted", file=sys.stderr)
        return int(ExitCode.TRY_AGAIN)


def _run(argv: Sequence[str]) -> int:
    if not hasattr(signal, "SIGKILL"):
        raise AppError(
            "myomids-docker does not run on Windows.",
            ExitCode.UNAVAILABLE,
            "Use it inside WSL, or docker run as docs/containers.md shows.",
        )
    parser = _parser()
    keep_text(parser)
    listing = asks_for_list(argv)
    if listing:
        _need_no_folders(parser)
    given = parser.parse_args(argv)
    forwarded = forward(parser, given, own=_OWN, names=_model_names(given))
    # The app checks its arguments again; here they are checked before anything is made.
    settings = None if listing else parse_settings(forwarded.arguments)
    with ExitStack() as stack:
        if settings is not None:
            _add_files(forwarded, settings, stack)
        make_folders = settings is not None and not settings.dry_run
        mounts = plan_mounts(forwarded.read, forwarded.written, make_folders=make_folders)
        gpus = "gpus" in given or (settings is not None and settings.device.startswith("cuda"))
        network = getattr(given, "network", "none")
        _check_network(settings, network)
        image = getattr(given, "image", _default_image(gpus=gpus))
        client = connect()
        stack.callback(client.close)
        return run_container(client, image, forwarded.arguments, mounts, gpus=gpus, network=network)


def _parser() -> argparse.ArgumentParser:
    """Return the parser of ``run.py`` with the options of the container."""
    parser = build_parser()
    parser.prog = "myomids-docker"
    group = parser.add_argument_group("container (docs/containers.md)")
    group.add_argument(
        "--image", help=f"image to run (default: {_default_image(gpus=False)}, with GPUs -cuda)"
    )
    group.add_argument(
        "--gpus", action="store_true", help="let it see the GPUs; --device cuda does so too"
    )
    group.add_argument(
        "--network", metavar="NAME", help="network of the engine (default: none, it is offline)"
    )
    return parser


def _default_image(*, gpus: bool) -> str:
    return f"myomids:{__version__}-cuda" if gpus else f"myomids:{__version__}"


def _need_no_folders(parser: argparse.ArgumentParser) -> None:
    """Let ``--list`` stand alone, as it does for ``run.py``."""
    for action in [a for a in parser._actions if not a.option_strings]:
        parser._remove_action(action)


def _model_names(given: argparse.Namespace) -> frozenset[str]:
    """Return the names of models, which win over folders of the same name."""
    from bids_app.errors import from_pipeline
    from pipelines.errors import PipelineError
    from pipelines.segmentation.catalogue.registry import read_registry

    extra = Path(given.model_registry).expanduser() if "model_registry" in given else None
    try:
        return frozenset(read_registry(extra).models)
    except PipelineError as error:
        raise from_pipeline(error) from error


def _add_files(forwarded: Forwarded, settings: Settings, stack: ExitStack) -> None:
    """Add the paths that the configuration file names, and a work folder if there is none."""
    if settings.config_file is not None:
        from bids_app.options.config_file import read_config_file

        note_settings(read_config_file(settings.config_file), settings.config_file, forwarded)
    if settings.work_dir is None and not settings.dry_run:
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="myomids-"))
        forwarded.arguments.append(f"--work-dir={temporary}")
        forwarded.note(Path(temporary), written=True)


def _check_network(settings: Settings | None, network: str) -> None:
    if settings is not None and settings.executor == "dask" and network == "none":
        raise AppError(
            "A container without network cannot reach a Dask scheduler.",
            ExitCode.USAGE,
            "Add --network host.",
        )


if __name__ == "__main__":
    sys.exit(main())
