"""Name every output file, and see that the output folder can be written to."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bids_app.errors import AppError, ExitCode
from bids_app.files.containment import refuse_links_out
from bids_app.session_id import SessionId

DATATYPE = "mr-quant"

# Files of ours that the BIDS standard has no place for.
BIDSIGNORE = (
    "mr-*",
    "*.html",
    "logs",
    "figures",
    "group_*",
    "quality_verdicts*",
    "models",
    "CITATION.md",
)


@dataclass(frozen=True)
class StackNames:
    """Names of the derivative files of one stack, relative to the output folder.

    Attributes
    ----------
    session : SessionId
        The session the stack belongs to.
    entities : str
        Entities that tell stacks of a session apart, e.g. ``acq-dixon_chunk-1``; empty if there
        is only one.
    """

    session: SessionId
    entities: str = ""

    def _name(self, ending: str) -> Path:
        middle = f"_{self.entities}" if self.entities else ""
        return self.session.folder / DATATYPE / f"{self.session.name}{middle}_{ending}"

    @property
    def fat_fraction(self) -> Path:
        """Fat fraction map, percent."""
        return self._name("FF.nii.gz")

    def map(self, ending: str) -> Path:
        """Return the name of a further map, e.g. for ``R2starmap``."""
        return self._name(f"{ending}.nii.gz")

    @property
    def labels(self) -> Path:
        """Label image of the muscles."""
        return self._name("desc-muscles_dseg.nii.gz")

    @property
    def lookup(self) -> Path:
        """Meaning of the label values."""
        return self._name("desc-muscles_dseg.tsv")

    @property
    def stats(self) -> Path:
        """Per-muscle table."""
        return self._name("desc-muscles_stats.tsv")

    @property
    def profile(self) -> Path:
        """Per-muscle and slice table."""
        return self._name("desc-muscles_profile.tsv")


# Answers of a diagnosis model for one session, by the table of the group level they resemble.
_DIAGNOSIS_ENDINGS = {
    "group_diagnosis": "desc-diagnosis_ranking.tsv",
    "group_flags": "desc-diagnosis_flags.tsv",
    "group_explanation": "desc-diagnosis_explanation.tsv",
}


def diagnosis_files(session: SessionId) -> dict[str, Path]:
    """Return the answers of a diagnosis model for a session, by table of the group level."""
    folder = session.folder / DATATYPE
    return {table: folder / f"{session.name}_{end}" for table, end in _DIAGNOSIS_ENDINGS.items()}


def sidecar(path: Path) -> Path:
    """Return the JSON sidecar of an image or table."""
    stem = path.name.removesuffix(".gz").removesuffix(".nii").removesuffix(".tsv")
    return path.with_name(f"{stem}.json")


def refuse_unwritable(output_dir: Path) -> None:
    """Refuse an output folder that could not be made or written to, without touching it.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` with the reason.
    """
    existing = next(path for path in (output_dir, *output_dir.parents) if path.exists())
    if not existing.is_dir():
        raise _cannot_write(output_dir, f"{existing} is no folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _cannot_write(output_dir, "Permission denied")
    refuse_links_out(output_dir)


def prepare_output(output_dir: Path) -> None:
    """Make the output folder and see that files can be written to it.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` with the reason, also if its folders are links to elsewhere.
    """
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        refuse_links_out(output_dir)
        with tempfile.TemporaryFile(dir=output_dir):
            pass
    except OSError as error:
        raise _cannot_write(output_dir, str(error.strerror)) from error


def _cannot_write(output_dir: Path, reason: str) -> AppError:
    return AppError(
        f"The output folder {output_dir} cannot be written to: {reason}.",
        ExitCode.CANNOT_CREATE,
        "Check its permissions and free space; in a container, mount it writable and run as "
        "its owner (docker run --user $(id -u):$(id -g)).",
    )
