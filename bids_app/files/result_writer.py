"""Write the files of one session, or of the group level, together or not at all.

They are written to a staging folder inside the output folder and moved into place together, so that
a failed or killed session leaves nothing half-written. A marker, put in place last, says that the
session is complete, what it was made from, and which files belong to it. A list of the files being
moved lets the next run clear a session that was killed on the way.
"""

import errno
import fcntl
import gzip
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bids_app.errors import AppError, ExitCode, HeldElsewhereError
from bids_app.files.containment import require_inside
from bids_app.files.markers import (
    COMPLETE_SESSIONS,
    FAILED_SESSIONS,
    MOVING,
    ResultId,
    files_of,
    log_file,
)
from bids_app.files.reading import checksum
from bids_app.files.tables import table_parts
from pipelines.files import write_json

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.arrays import Affine, Array

_STAGING = "logs/staging"
# Higher levels take several times as long for a few percent.
_TABLE_COMPRESSION = 3
_IMAGE_COMPRESSION = 1  # as nibabel saves


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
        """Write a compressed NIfTI image; its affine is sform and qform in scanner space."""
        import nibabel as nib

        image = nib.Nifti1Image(data, affine)
        image.set_sform(affine, code="scanner")
        image.set_qform(affine, code="scanner")
        image.header.set_xyzt_units("mm", "sec")
        # Opened here, so that a full disk leaves no file open: its space would stay taken.
        with (
            self._path(name).open("wb") as stream,
            gzip.GzipFile("", "wb", _IMAGE_COMPRESSION, stream, mtime=0) as packed,
        ):
            image.to_stream(packed)

    def table(self, name: Path, frame: "pd.DataFrame") -> None:
        """Write a TSV table, compressed if its name ends so; missing values become ``n/a``."""
        path = self._path(name)
        if name.suffix == ".gz":
            # Without a time in it, so that the same table gives the same file.
            with (
                path.open("wb") as stream,
                gzip.GzipFile("", "wb", _TABLE_COMPRESSION, stream, mtime=0) as packed,
            ):
                packed.writelines(part.encode("utf-8") for part in table_parts(frame))
        else:
            with path.open("w", encoding="utf-8", newline="\n") as text:
                text.writelines(table_parts(frame))

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

    def commit(self, made_from: Mapping[str, Any], *, add: bool = False) -> None:
        """Move every file into place, drop files of an earlier result, write the marker.

        Parameters
        ----------
        made_from : Mapping
            Version, settings and inputs, stored in the marker.
        add : bool
            Add to the earlier result: what is not written again stays as it is.
        """
        marker = log_file(self._output_dir, COMPLETE_SESSIONS, self._session)
        moving = log_file(self._output_dir, MOVING, self._session)
        old = files_of(self._output_dir, COMPLETE_SESSIONS, self._session)
        checksums = dict(old) if add else {}
        for name in (*self._written, *map(Path, old)):
            require_inside(self._output_dir, self._output_dir / name)
        # Everything that needs space on the disk comes first: a full one changes nothing.
        for name in self._written:
            checksums[name.as_posix()] = checksum(self._staging / name)
            (self._output_dir / name).parent.mkdir(parents=True, exist_ok=True)
        marker.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._staging / marker.name, {**made_from, "Files": checksums})
        write_json(moving, {"Files": {**old, **checksums}})
        if not add:
            marker.unlink(missing_ok=True)
        for name in self._written:
            (self._staging / name).replace(self._output_dir / name)
        for stale in old.keys() - checksums.keys():
            (self._output_dir / stale).unlink(missing_ok=True)
        (self._staging / marker.name).replace(marker)
        moving.unlink()
        log_file(self._output_dir, FAILED_SESSIONS, self._session).unlink(missing_ok=True)

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
    with _open_lock(output_dir, session) as handle:
        try:
            # The kernel frees the lock when the process ends, however it ends.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeldElsewhereError(
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
        _clear(output_dir, session)
        try:
            yield SessionWriter(output_dir, session)
        finally:
            _clear(output_dir, session)


def clear_unfinished(output_dir: Path, session: ResultId) -> None:
    """Clear what a killed process staged of a session, unless another run holds it now."""
    if not (output_dir / _STAGING / session.name).exists():
        return
    with suppress(AppError, OSError), session_writer(output_dir, session):
        pass


def _open_lock(output_dir: Path, session: ResultId) -> BinaryIO:
    """Open the lock of a result, which is a file of this folder and nothing else."""
    for folder in ("logs/locks", _STAGING):
        require_inside(output_dir, output_dir / folder / session.name)
    lock = output_dir / "logs" / "locks" / f"{session.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(lock, flags, 0o666), "r+b", buffering=0)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _is_link(lock) from error
        raise


def _is_link(path: Path) -> AppError:
    return AppError(
        f"{path} is a link, which MyoMIDS never makes there.",
        ExitCode.CANNOT_CREATE,
        "See where the folder came from; remove the link, or choose another output folder.",
    )


def _clear(output_dir: Path, session: ResultId) -> None:
    """Remove staged files, and those in place of a result that was not completed."""
    staging = output_dir / _STAGING / session.name
    if staging.is_symlink():
        raise _is_link(staging)
    shutil.rmtree(staging, ignore_errors=True)
    moving = log_file(output_dir, MOVING, session)
    if not moving.exists():
        return
    # What a marker lists is complete: the earlier result, or the new one.
    complete = files_of(output_dir, COMPLETE_SESSIONS, session)
    for name in files_of(output_dir, MOVING, session).keys() - complete.keys():
        require_inside(output_dir, output_dir / name).unlink(missing_ok=True)
    moving.unlink()
