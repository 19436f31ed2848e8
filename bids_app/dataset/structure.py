"""A light check of the input, limited to the selected sessions; not the BIDS validator.

MIDS trees are not valid BIDS by design, so only that is checked which could lead to wrong results
or to data that is silently left out:

- ``sub-*`` and ``ses-*`` folders have labels of letters, digits and ``+``;
- a file names the participant, and the session if it names one, in whose folder it lies;
- ``dataset_description.json``, where there is one, is a JSON object.

A missing description, and participants missing from ``participants.tsv``, are only worth a
warning: MIDS converters write neither.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from bids_app.dataset.file_names import parse_name
from bids_app.dataset.labels import enumerate_labels
from bids_app.dataset.sessions import Dataset
from bids_app.dataset.tree import PARTICIPANT_PREFIX, SESSION_PREFIX, labels_in, list_folder
from bids_app.errors import LIST_ITEM, AppError, ExitCode, as_app_errors
from bids_app.files.reading import read_text
from bids_app.files.sidecars import read_json_file
from bids_app.session_id import SessionId
from pipelines.errors import escaped
from pipelines.text_table import read_text_rows

# How many problems one message lists.
_MOST_LISTED = 10


def check_structure(dataset: Dataset, sessions: Iterable[SessionId]) -> list[str]:
    """Check the selected sessions of a dataset.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    sessions : iterable of SessionId
        What :meth:`bids_app.dataset.sessions.Dataset.select` returned.

    Returns
    -------
    list of str
        Warnings.

    Raises
    ------
    AppError
        ``INVALID_DATASET`` with the problems found.
    """
    chosen = list(sessions)
    participants = list(dict.fromkeys(session.participant for session in chosen))
    problems, warnings = _check_description(dataset.root)
    if set(participants) == set(dataset.participants()):
        problems += [_bad_label(dataset.root / name) for name in dataset.misnamed]
    for participant in participants:
        folder = dataset.root / f"{PARTICIPANT_PREFIX}{participant}"
        with suppress(AppError):  # what cannot be read is said when the session is processed
            _, misnamed = labels_in(list_folder(folder).folders, SESSION_PREFIX)
            problems += [_bad_label(folder / name) for name in misnamed]
    for session in chosen:
        with suppress(AppError):
            problems += _misplaced(dataset, session)
    if problems:
        more = len(problems) - _MOST_LISTED
        end = f"; and {more} more" if more > 0 else ""
        listed = "".join(LIST_ITEM + escaped(problem) for problem in problems[:_MOST_LISTED])
        raise AppError(
            f"The dataset {dataset.root} has {len(problems)} problem(s):{listed}{end}",
            ExitCode.INVALID_DATASET,
            "Mend them, or run with --skip-bids-validation to use the folders as they are named.",
        )
    return warnings + _check_participants_table(dataset.root, participants)


def _bad_label(folder: Path) -> str:
    return f"{folder} is not used: after {folder.name[:4]} only letters, digits and '+' are allowed"


def _misplaced(dataset: Dataset, session: SessionId) -> Iterator[str]:
    """Find images whose names contradict the folders they lie in."""
    for image in dataset.images(session):
        named = parse_name(type(image)(image.name)).entities
        for entity, prefix, label in (
            ("subject", PARTICIPANT_PREFIX, session.participant),
            ("session", SESSION_PREFIX, session.session),
        ):
            if named.get(entity, label) != label:
                found = f"{prefix}{named[entity]}"
                place = f"the folder of {session.name}"
                yield f"{dataset.root / image} is named {found} but lies in {place}"


def _check_description(root: Path) -> tuple[list[str], list[str]]:
    """Return the problems and warnings about ``dataset_description.json``."""
    path = root / "dataset_description.json"
    if not path.exists():
        return [], [f"{root} has no dataset_description.json; MIDS converters write none."]
    try:
        content = read_json_file(path)
    except AppError as error:
        return [error.message.removesuffix(".")], []
    if not isinstance(content, dict):
        return [f"{path} holds no JSON object"], []
    if content.get("DatasetType") == "derivative":
        return [], [f"{path} says that this is a derivative dataset, not scans."]
    return [], []


def _check_participants_table(root: Path, participants: list[str]) -> list[str]:
    """Return warnings about selected participants that ``participants.tsv`` does not list."""
    path = root / "participants.tsv"
    if not path.exists():
        return []
    try:
        with as_app_errors():
            rows = read_text_rows(read_text(path), str(path))
    except AppError as error:
        return [error.message]
    listed = {row.get("participant_id", "").removeprefix(PARTICIPANT_PREFIX) for _, row in rows}
    absent = [participant for participant in participants if participant not in listed]
    if not absent:
        return []
    return [f"{path} does not list the participant(s) {enumerate_labels(absent)}."]
