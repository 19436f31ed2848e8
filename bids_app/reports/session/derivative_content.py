"""Read what a session page shows back from the derivative files of the session.

The page is always made this way, right after processing and with ``--reports-only``, so that it
can hold nothing that the files do not. Of the JSON sidecars it uses, beside ``QualityChecks``:

- fat fraction map: ``FatFractionMethod`` (a phrase), ``Notes`` (sentences), ``Sources`` (BIDS
  URIs) and of ``SourceScan`` what ``report.yaml`` lists under ``scan``;
- label image: ``SegmentationModel`` (``Name``, ``Version``, ``SHA256``) or ``LabelSource`` (a
  phrase);
- per-muscle table: ``Description`` of each column;
- all: the keys that ``report.yaml`` lists under ``settings``.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.dataset.tree import natural_key
from bids_app.errors import AppError, ExitCode
from bids_app.files.derivatives import DATATYPE, StackNames, diagnosis_files, sidecar
from bids_app.files.images import load_labels, load_volume
from bids_app.files.provenance import RunInfo
from bids_app.files.reading import read_text
from bids_app.files.sidecars import read_json_file
from bids_app.reports.session.content import (
    Failure,
    LabelEntry,
    OutputFile,
    SessionContent,
    StackContent,
)
from bids_app.session_id import SessionId
from pipelines.errors import DataError
from pipelines.geometry import to_canonical
from pipelines.text_table import read_own_table, read_text_rows

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.arrays import Array

_COMPUTE_AGAIN = "Compute the session again with --overwrite."


def read_session_content(
    folder: Path,
    session: SessionId,
    run: RunInfo,
    failures: Sequence[Failure] = (),
    answers_folder: Path | None = None,
) -> SessionContent:
    """Read the derivatives of a session.

    Parameters
    ----------
    folder : Path
        Root of the derivative dataset, or of the staging folder with the same layout.
    session : SessionId
        The session.
    run : RunInfo
        How the results were made.
    failures : Sequence of Failure
        What could not be done.
    answers_folder : Path, optional
        Where the answers of a diagnosis model lie, if not with the rest.

    Returns
    -------
    SessionContent
        One stack per fat fraction map; other files may be absent.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if there is neither a result nor a failure; ``BAD_DATA`` or
        ``IO_FAILURE`` if a file is damaged or cannot be read.
    """
    names = [StackNames(session, entities) for entities in _stacks(folder, session)]
    if not names and not failures:
        raise AppError(
            f"{folder} holds no fat fraction map of {session.name}.",
            ExitCode.INPUT_MISSING,
            "Process the session first, without --reports-only.",
        )
    stacks = [_read_stack(folder, name) for name in names]
    answers = _read_answers(answers_folder or folder, session)
    return SessionContent(session.participant, session.session, run, stacks, failures, answers)


def _read_answers(folder: Path, session: SessionId) -> "dict[str, pd.DataFrame]":
    """Read the answers of a diagnosis model, if there are any."""
    return {
        table: content
        for table, path in diagnosis_files(session).items()
        if (folder / path).is_file() and (content := _read_table(folder / path)) is not None
    }


def _stacks(folder: Path, session: SessionId) -> list[str]:
    """Return the entities of every stack that has a fat fraction map."""
    start, end = f"{session.name}_", "FF.nii.gz"
    found = [
        path.name.removeprefix(start).removesuffix(end).rstrip("_")
        for path in (folder / session.folder / DATATYPE).glob(f"{start}*{end}")
    ]
    return sorted(found, key=natural_key)


def _read_stack(folder: Path, names: StackNames) -> StackContent:
    files = {
        "fat_fraction": names.fat_fraction,
        "labels": names.labels,
        "lookup": names.lookup,
        "stats": names.stats,
        "profile": names.profile,
    }
    there = {kind: folder / name for kind, name in files.items() if (folder / name).is_file()}
    volume = load_volume(there["fat_fraction"])
    fat_fraction, affine, _ = to_canonical(volume.data, volume.affine)
    stats = _read_table(there.get("stats"))
    labels = None
    # Where no muscle was found the table has no row, and the label image is blank.
    if "labels" in there and (stats is None or len(stats)):
        labels = _read_labels(there["labels"], fat_fraction.shape)
    return StackContent(
        name=names.entities,
        fat_fraction=fat_fraction,
        affine=affine,
        labels=labels,
        lookup=_read_lookup(there["lookup"]) if "lookup" in there else {},
        stats=stats,
        profile=_read_table(there.get("profile")),
        sidecars=_read_sidecars(there),
        files=[OutputFile(files[kind].as_posix(), kind) for kind in there],
    )


def _read_labels(path: Path, shape: tuple[int, ...]) -> "Array":
    volume = load_labels(path)
    labels, _, _ = to_canonical(volume.data, volume.affine)
    if labels.shape != shape:
        raise AppError(
            f"{path} has another shape than its fat fraction map: {labels.shape} and {shape}.",
            ExitCode.BAD_DATA,
            _COMPUTE_AGAIN,
        )
    return labels


def _read_sidecars(there: Mapping[str, Path]) -> dict[str, Mapping[str, Any]]:
    paths = {kind: sidecar(path) for kind, path in there.items() if kind != "lookup"}
    return {kind: _read_sidecar(path) for kind, path in paths.items() if path.is_file()}


def _read_sidecar(path: Path) -> Mapping[str, Any]:
    content = read_json_file(path)
    if not isinstance(content, dict):
        raise AppError(f"{path} holds no JSON object.", ExitCode.BAD_DATA, _COMPUTE_AGAIN)
    return content


def _read_lookup(path: Path) -> dict[int, LabelEntry]:
    try:
        return {
            int(row["index"]): LabelEntry(
                int(row["index"]),
                row["name"],
                row["abbreviation"],
                row["color"],
                row["muscle"],
                row["side"],
            )
            for _, row in read_text_rows(read_text(path), str(path))
        }
    except (KeyError, ValueError, DataError) as error:
        raise AppError(
            f"{path} is not a look-up table of muscles: {error!r}.",
            ExitCode.BAD_DATA,
            _COMPUTE_AGAIN,
        ) from error


def _read_table(path: Path | None) -> "pd.DataFrame | None":
    if path is None:
        return None
    try:
        return read_own_table(io.StringIO(read_text(path)))
    except ValueError as error:
        raise AppError(
            f"{path} is not a table: {error}.", ExitCode.BAD_DATA, _COMPUTE_AGAIN
        ) from error
