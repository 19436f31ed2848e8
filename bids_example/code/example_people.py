"""The people of the example dataset, from ``example_people.json`` and ``example_muscles.tsv``."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_example.code.body import Body, MuscleSide, Scan
from pipelines.anatomy.vocabulary import SIDES

_FOLDER = Path(__file__).parent
_NO_SESSION = "n/a"


@dataclass(frozen=True)
class ExampleSession:
    """One scan of one person.

    Attributes
    ----------
    label : str or None
        Label after ``ses-``; None for a person scanned once.
    body : Body
        The person at that time.
    scan : Scan
        How they were imaged.
    """

    label: str | None
    body: Body
    scan: Scan


@dataclass(frozen=True)
class ExamplePerson:
    """One participant of the example dataset.

    Attributes
    ----------
    label : str
        Label after ``sub-``.
    description : str
        One line for the dataset's README.
    columns : Mapping of str to str or int
        Their values in ``participants.tsv``.
    files : Mapping of str to str
        What is stored under each file suffix: ``water``, ``fat`` or ``ff_permille``.
    sessions : tuple of ExampleSession
        In order of time.
    """

    label: str
    description: str
    columns: Mapping[str, str | int]
    files: Mapping[str, str]
    sessions: tuple[ExampleSession, ...]


def example_people() -> list[ExamplePerson]:
    """Read the people of the example dataset."""
    text = (_FOLDER / "example_people.json").read_text(encoding="utf-8")
    muscles = _muscle_rows()
    return [_person(label, entry, muscles) for label, entry in json.loads(text).items()]


def _person(
    label: str,
    entry: Mapping[str, Any],
    muscle_rows: Mapping[tuple[str, str], list[dict[str, str]]],
) -> ExamplePerson:
    sessions = []
    for number, session in enumerate(entry["sessions"]):
        rows = muscle_rows[label, session]
        body = Body(
            **entry["body"],
            fat_percent=_per_side(rows, "ff"),
            thinning_mm=_per_side(rows, "thinning"),
        )
        scan = Scan(orientation=entry["orientation"], noise_seed=number)
        sessions.append(ExampleSession(None if session == _NO_SESSION else session, body, scan))
    return ExamplePerson(
        label=label,
        description=entry["description"],
        columns=entry["participant"],
        files=entry["files"],
        sessions=tuple(sessions),
    )


def _per_side(rows: list[dict[str, str]], quantity: str) -> dict[MuscleSide, float]:
    return {
        (row["muscle"], side): float(row[f"{quantity}_{side}"]) for row in rows for side in SIDES
    }


def _muscle_rows() -> dict[tuple[str, str], list[dict[str, str]]]:
    """Group the rows of ``example_muscles.tsv`` by participant and session."""
    grouped: dict[tuple[str, str], list[dict[str, str]]] = {}
    with (_FOLDER / "example_muscles.tsv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            grouped.setdefault((row["participant"], row["session"]), []).append(row)
    return grouped
