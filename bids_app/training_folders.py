"""The folders of a training: the model it leaves, and what a killed run goes on with."""

import shutil
from pathlib import Path

from bids_app.derivatives import replace_folder, write_text
from bids_app.errors import AppError, ExitCode
from bids_app.group_files import MODELS
from bids_app.logs import LOGGER
from bids_app.reading import checksum, read_text
from bids_app.settings import Settings
from bids_app.version import __version__
from pipelines.diagnosis.model_folder import DESCRIPTION

# What --train leaves until model and tables are in place.
_CHECKPOINTS = Path("logs") / "training"
# Among it: which model is in place whose tables may not be.
_PLACED = "placed.txt"


def model_folder(settings: Settings) -> Path:
    """Return where the model that ``--train`` names is stored."""
    return settings.output_dir / MODELS / str(settings.train)


def checkpoint_folder(settings: Settings) -> Path:
    """Return where a training leaves what it has found; another version may search otherwise."""
    return _checkpoints(settings) / __version__


def refuse_existing_model(settings: Settings) -> None:
    """Refuse to replace a model, unless asked to or its training did not come to its end.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` with the name of the model.
    """
    folder = model_folder(settings)
    if not folder.exists() or settings.overwrite or _lacks_tables(settings):
        return
    raise AppError(
        f"There is a model {settings.train} already: {folder}.",
        ExitCode.CANNOT_CREATE,
        "Train under another name, or replace it with --overwrite.",
    )


def put_in_place(settings: Settings, staging: Path) -> None:
    """Move a trained model from the staging folder to ``models``.

    Until :func:`end_training` a run without ``--overwrite`` may replace it, so that one which was
    killed before its tables were in place is completed by the same command.
    """
    folder = model_folder(settings)
    new = staging / MODELS / folder.name
    write_text(_checkpoints(settings) / _PLACED, checksum(new / DESCRIPTION))
    replace_folder(new, folder)
    LOGGER.info("model stored: %s", folder)


def end_training(settings: Settings) -> None:
    """Forget the checkpoints: model and tables are in place."""
    shutil.rmtree(_checkpoints(settings), ignore_errors=True)


def _checkpoints(settings: Settings) -> Path:
    return settings.output_dir / _CHECKPOINTS / str(settings.train)


def _lacks_tables(settings: Settings) -> bool:
    """Tell whether the model in place is that of a run which did not come to its end."""
    note, description = _checkpoints(settings) / _PLACED, model_folder(settings) / DESCRIPTION
    there = note.is_file() and description.is_file()
    return there and read_text(note) == checksum(description)
