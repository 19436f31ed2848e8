"""What every run does around its work: check the output folder, keep a log, name the exit code."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from bids_app.errors import AppError, ExitCode, as_app_errors
from bids_app.files.derivatives import prepare_output
from bids_app.files.provenance import write_dataset_files
from bids_app.options.settings import Settings
from bids_app.running.logs import LOGGER, log_error, new_run_id, start_logging
from bids_app.running.work_folder import remove_scratch
from pipelines.files import write_text


def run_logged(settings: Settings, work: Callable[[Path], ExitCode]) -> ExitCode:
    """Do the work of a level with a log and the settings of the run in ``OUTPUT_DIR/logs``.

    Parameters
    ----------
    settings : Settings
        Choices of the run.
    work : callable
        Takes the path of the log file; its errors end the run.

    Returns
    -------
    ExitCode
        Of the work, or of the error that ended it; the last line of the log names it.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` if not even a log can be written.
    """
    prepare_output(settings.output_dir)
    run_id = new_run_id()
    log_file = settings.output_dir / "logs" / f"run-{run_id}.log"
    start_logging(settings.verbosity, log_file)
    try:
        with as_app_errors():
            write_dataset_files(settings)
            _save_settings(settings, run_id)
            return work(log_file)
    except AppError as error:
        return log_error(error)
    except Exception:
        LOGGER.debug("unforeseen error", exc_info=True)
        defect = AppError(
            f"The run ended with an unforeseen error; {log_file} has its traceback.",
            ExitCode.FAILURE,
            "This is a defect of MyoMIDS: please report it with the log file.",
        )
        return log_error(defect)
    except KeyboardInterrupt:
        return _interrupted()


def end_by_force() -> None:
    """Tidy up for a run that was told to end and does not come to it."""
    for worker in multiprocessing.active_children():
        worker.kill()
    remove_scratch()
    _interrupted()


def _interrupted() -> ExitCode:
    return log_error(
        AppError("Interrupted.", ExitCode.TRY_AGAIN, "Run the same command again to resume.")
    )


def _save_settings(settings: Settings, run_id: str) -> None:
    import yaml

    path = settings.output_dir / "logs" / f"settings-{run_id}.yaml"
    write_text(path, yaml.safe_dump(settings.as_dict(), sort_keys=False))
