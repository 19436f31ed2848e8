"""Name and write every output file; nothing else in the app does.

A session's files are written to a staging folder inside the output folder and moved into place
together, so that a failed or killed session leaves nothing half-written. A marker, put in place
last, says that the session is complete, what it was made from, and which files belong to it. A list
of the files being moved lets the next run clear a session that was killed on the way.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bids_app.errors import AppError, ExitCode
from bids_app.reading import checksum

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.geometry import Affine, Array

DATATYPE = "mr-quant"

# Files of ours that the BIDS standard has no place for.
BIDSIGNORE = ("mr-*", "*.html", "logs", "figures", "group_*", "models", "CITATION.md")

COMPLETE_SESSIONS = "logs/complete"
FAILED_SESSIONS = "logs/failed"
_STAGING = "logs/staging"
_MOVING = "logs/moving"


class ResultId(Protocol):
    """Names files that appear and are replaced together: a session's, or the group level's."""

    @property
    def name(self) -> str:
        """Unique among the results of an output folder; part of file names."""


@dataclass(frozen=True)
class GroupId:
    """The result of the group level as a whole."""

    name: str = "group"


@dataclass(frozen=True)
class SessionId:
    """A participant's session; `session` is None in datasets without sessions."""

    participant: str
    session: str | None = None

    @property
    def name(self) -> str:
        """``sub-01`` or ``sub-01_ses-1``."""
        return f"sub-{self.participant}" + (f"_ses-{self.session}" if self.session else "")

    @property
    def folder(self) -> Path:
        """``sub-01`` or ``sub-01/ses-1``, relative to a dataset."""
        folder = Path(f"sub-{self.participant}")
        return folder / f"ses-{self.session}" if self.session else folder

    @property
    def report(self) -> Path:
        """The report page, relative to the output folder."""
        return Path(f"{self.name}.html")

    @property
    def figures(self) -> Path:
        """Folder of the report's figures, relative to the output folder."""
        return Path(f"sub-{self.participant}") / "figures"


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
    return path.with_name(path.name.removesuffix(".nii.gz").removesuffix(".tsv") + ".json")


def prepare_output(output_dir: Path) -> None:
    """Make the output folder and see that files can be written to it.

    Raises
    ------
    AppError
        ``CANNOT_CREATE`` with the reason.
    """
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output_dir):
            pass
    except OSError as error:
        raise AppError(
            f"The output folder {output_dir} cannot be written to: {error.strerror}.",
            ExitCode.CANNOT_CREATE,
            "Check its permissions and free space; in a container, mount it writable and run as "
            "its owner (docker run --user $(id -u):$(id -g)).",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file so that readers see the old or the new content, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        _set_default_mode(Path(temporary))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def table_text(frame: "pd.DataFrame") -> str:
    """Return a table as TSV text; missing values become ``n/a``."""
    text: str = frame.to_csv(
        sep="\t", index=False, na_rep="n/a", float_format="%.6g", lineterminator="\n"
    )
    return text


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_marker(output_dir: Path, session: ResultId) -> dict[str, Any] | None:
    """Return what a complete result was made from, or None if it is not complete."""
    path = _log_file(output_dir, COMPLETE_SESSIONS, session)
    try:
        marker = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(marker, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise AppError(
            f"The marker of a finished session is damaged: {path}.",
            ExitCode.IO_FAILURE,
            "Run again with --overwrite to recompute the session.",
        ) from error
    return marker


def replace_folder(new: Path, folder: Path) -> None:
    """Move a folder to its final place on the same disk, instead of one that may be there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".old-", dir=new.parent) as old:
        if folder.exists():
            folder.rename(Path(old) / folder.name)
        new.rename(folder)


def write_failure(output_dir: Path, session: SessionId, reason: Mapping[str, Any]) -> None:
    """Leave the reason of a failed session in ``logs/failed``."""
    write_json(_log_file(output_dir, FAILED_SESSIONS, session), reason)


class SessionWriter:
    """Collects the files of one session, or of the group level, and puts them in place together.

    Parameters
    ----------
    output_dir : Path
        Output folder.
    session : ResultId
        Whose files are written.
    """

    def __init__(self, output_dir: Path, session: ResultId) -> None:
        self._output_dir = output_dir
        self._session = session
        self._staging = output_dir / _STAGING / session.name
        self._written: list[Path] = []

    def image(self, name: Path, data: "Array", affine: "Affine") -> None:
        """Write a NIfTI image; the affine is stored as sform and qform in scanner space."""
        import nibabel as nib

        image = nib.Nifti1Image(data, affine)
        image.set_sform(affine, code="scanner")
        image.set_qform(affine, code="scanner")
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, self._path(name))

    def table(self, name: Path, frame: "pd.DataFrame") -> None:
        """Write a TSV table; missing values become ``n/a``."""
        self._path(name).write_text(table_text(frame), encoding="utf-8")

    def json(self, name: Path, content: Mapping[str, Any]) -> None:
        """Write a JSON file."""
        text = json.dumps(content, indent=2, allow_nan=False)
        self._path(name).write_text(text + "\n", encoding="utf-8")

    def text(self, name: Path, content: str) -> None:
        """Write a text file."""
        self._path(name).write_text(content, encoding="utf-8")

    @property
    def folder(self) -> Path:
        """Where the files lie until :meth:`commit`, under their names in the output folder."""
        return self._staging

    def commit(self, made_from: Mapping[str, Any]) -> None:
        """Move every file into place, drop files of an earlier result, write the marker.

        Parameters
        ----------
        made_from : Mapping
            Version, settings and inputs, stored in the marker.
        """
        marker = _log_file(self._output_dir, COMPLETE_SESSIONS, self._session)
        moving = _log_file(self._output_dir, _MOVING, self._session)
        old = _files_of(marker)
        checksums = {}
        # Everything that needs space on the disk comes first: a full one changes nothing.
        for name in self._written:
            _set_default_mode(self._staging / name)
            checksums[name.as_posix()] = checksum(self._staging / name)
            (self._output_dir / name).parent.mkdir(parents=True, exist_ok=True)
        marker.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._staging / marker.name, {**made_from, "Files": checksums})
        write_json(moving, {"Files": sorted(old | checksums.keys())})
        marker.unlink(missing_ok=True)
        for name in self._written:
            (self._staging / name).replace(self._output_dir / name)
        for stale in old - checksums.keys():
            (self._output_dir / stale).unlink(missing_ok=True)
        (self._staging / marker.name).replace(marker)
        moving.unlink()
        _log_file(self._output_dir, FAILED_SESSIONS, self._session).unlink(missing_ok=True)

    def _path(self, name: Path) -> Path:
        path = self._staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in self._written:
            self._written.append(name)
        return path


@contextmanager
def session_writer(output_dir: Path, session: ResultId) -> Iterator[SessionWriter]:
    """Hold a session for this process and clear what is unfinished of it on the way in and out.

    Yields
    ------
    SessionWriter
        Whose files appear only when its ``commit`` is called.

    Raises
    ------
    AppError
        ``TRY_AGAIN`` if another process is working on the session; ``IO_FAILURE`` if the file
        system of the output folder has no file locks.
    """
    lock = output_dir / "logs" / "locks" / f"{session.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            # The kernel frees the lock when the process ends, however it ends.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AppError(
                f"Another run is working on {session.name} in {output_dir}.",
                ExitCode.TRY_AGAIN,
                "Wait for it to end, then run the same command again.",
            ) from error
        except OSError as error:
            raise AppError(
                f"The file system of {output_dir} has no file locks: {error.strerror}.",
                ExitCode.IO_FAILURE,
                "Write to another disk, or have it mounted with locks (Lustre: -o flock).",
            ) from error
        _clear_unfinished(output_dir, session)
        try:
            yield SessionWriter(output_dir, session)
        finally:
            _clear_unfinished(output_dir, session)


def _log_file(output_dir: Path, kind: str, session: ResultId) -> Path:
    """Return the file that says something about a session, or another result, as a whole."""
    return output_dir / kind / f"{session.name}.json"


def _clear_unfinished(output_dir: Path, session: ResultId) -> None:
    """Remove staged files, and those in place of a result that was not completed."""
    shutil.rmtree(output_dir / _STAGING / session.name, ignore_errors=True)
    moving = _log_file(output_dir, _MOVING, session)
    if not moving.exists():
        return
    # With its marker, the earlier result is still untouched or the new one is complete.
    if not _log_file(output_dir, COMPLETE_SESSIONS, session).exists():
        for name in _files_of(moving):
            (output_dir / name).unlink(missing_ok=True)
    moving.unlink()


def _files_of(marker: Path) -> set[str]:
    """Return the files of a result; none if the file that lists them is missing or damaged."""
    try:
        return set(json.loads(marker.read_text(encoding="utf-8"))["Files"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return set()


def _set_default_mode(path: Path) -> None:
    """Give a temporary file the permissions that a plain new file would have."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
