"""Score tables of a dataset (``phenotype/*.tsv``) and what it says about its people.

A table holds scores if its sidecar names a ``Scale`` or it has a column ``scale``; other phenotype
tables are left alone, and said to be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.errors import AppError, ExitCode
from bids_app.provenance import bids_uri
from bids_app.reading import checksum
from bids_app.sidecars import read_json
from bids_app.tables import read_tsv
from bids_app.tree import PARTICIPANT_PREFIX, natural_key

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.harmonization.names import MuscleNames
    from pipelines.harmonization.score_table import ScoreTable

FOLDER = "phenotype"
_SCALE_COLUMN = "scale"


@dataclass(frozen=True)
class Study:
    """A dataset whose tables are gathered.

    Attributes
    ----------
    name : str
        Name of the study in our tables and of the dataset in BIDS URIs.
    root : Path
        The dataset.
    tables : Mapping of Path to Mapping
        Score tables, with the content of their sidecars.
    others : tuple of Path
        Phenotype tables that name no scale.
    """

    name: str
    root: Path
    tables: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    others: tuple[Path, ...] = ()


def find_study(name: str, root: Path) -> Study:
    """Look for score tables in a dataset.

    Parameters
    ----------
    name : str
        Name to give the study.
    root : Path
        The dataset.

    Returns
    -------
    Study
        Without tables if it has none.

    Raises
    ------
    AppError
        ``INPUT_MISSING`` if the folder does not exist; ``BAD_DATA`` if a table or sidecar is
        damaged.
    """
    if not root.is_dir():
        raise AppError(
            f"The folder of study {name}={root} does not exist.",
            ExitCode.INPUT_MISSING,
            "Check the path; in a container, mount the folder.",
        )
    tables: dict[Path, Mapping[str, Any]] = {}
    others = []
    for path in sorted((root / FOLDER).glob("*.tsv"), key=lambda p: natural_key(p.name)):
        described = _read_sidecar(path.with_suffix(".json"))
        if "Scale" in described or _SCALE_COLUMN in _columns(path):
            tables[path] = described
        else:
            others.append(path)
    return Study(name, root, tables, tuple(others))


def require_tables(study: Study) -> None:
    """Refuse a study that was named on the command line and holds no scores.

    Raises
    ------
    AppError
        ``INPUT_MISSING``, saying what is missing.
    """
    if study.tables:
        return
    found = (
        f"no table in {FOLDER}/ names its scale ({', '.join(path.name for path in study.others)})"
        if study.others
        else f"it has no {FOLDER}/*.tsv"
    )
    raise AppError(
        f"Study {study.name}={study.root} holds no scores: {found}.",
        ExitCode.INPUT_MISSING,
        f'Write {FOLDER}/<name>.tsv with a sidecar <name>.json such as {{"Scale": "0-4"}}; '
        "run.py --list scales lists the scales.",
    )


def read_study(study: Study, names: "MuscleNames") -> "list[ScoreTable]":
    """Read every score table of a study, with what is known of its people.

    Raises
    ------
    AppError, PipelineError
        If a table is damaged or holds a name, scale or value that cannot be used; the message
        names file, row and column.
    """
    from pipelines.harmonization.people import columns_by_role
    from pipelines.harmonization.score_reading import read_scores

    people = read_people_of(study.name, study.root)
    tables = []
    for path, described in study.tables.items():
        text, source = read_tsv(path), bids_uri(path, study.root, study.name)
        roles = columns_by_role(text, source)
        if people is not None and "study" not in roles:
            participants = text[roles["participant"]].str.strip().str.removeprefix("sub-")
            text["study"] = studies_of(participants, people, study.name)
        table = read_scores(
            text,
            scale=described.get("Scale"),
            units=described.get("Units"),
            study=study.name,
            source=source,
            names=names,
        )
        tables.append(table if people is None else table.with_people(people))
    return tables


def read_people_of(name: str, root: Path) -> "pd.DataFrame | None":
    """Read ``participants.tsv`` and ``sessions.tsv`` (of the dataset or of each participant).

    Parameters
    ----------
    name : str
        Name of the dataset in BIDS URIs.
    root : Path
        The dataset.

    Returns
    -------
    DataFrame or None
        As :func:`pipelines.harmonization.people.read_people`; None if there is no such table.

    Raises
    ------
    AppError, PipelineError
        If a table is damaged or holds an impossible value.
    """
    import pandas as pd

    from pipelines.harmonization.people import read_people

    parts = []
    for path in people_files(root):
        table = read_tsv(path)
        if path.parent != root:
            # BIDS keeps a participant's sessions in a file of their own, without their label.
            table.insert(0, "participant_id", path.parent.name)
        parts.append(read_people(table, bids_uri(path, root, name)))
    return pd.concat(parts, ignore_index=True) if parts else None


def studies_of(
    participants: "pd.Series[str]", people: "pd.DataFrame", default: str
) -> "pd.Series[str]":
    """Return the study of each participant where ``participants.tsv`` names it, else a default."""
    named = people[people["study"] != ""]
    studies = dict(zip(named["participant"], named["study"], strict=True))
    return participants.map(lambda participant: studies.get(participant, default))


def people_files(root: Path) -> list[Path]:
    """Return the tables about people that a dataset has."""
    own = (root / "participants.tsv", root / "sessions.tsv")
    of_each = sorted(root.glob(f"{PARTICIPANT_PREFIX}*/{PARTICIPANT_PREFIX}*_sessions.tsv"))
    return [path for path in (*own, *of_each) if path.exists()]


def diagnosis_names(root: Path) -> dict[str, str]:
    """Return the full names of diagnoses: ``Levels`` of their column in ``participants.json``."""
    column = _read_sidecar(root / "participants.json").get("diagnosis")
    levels = column.get("Levels") if isinstance(column, dict) else None
    return {str(k): str(v) for k, v in levels.items()} if isinstance(levels, dict) else {}


def checksums(study: Study) -> dict[str, str]:
    """Return the SHA-256 of every file that is gathered from a study, by BIDS URI."""
    files: Iterable[Path] = (*study.tables, *people_files(study.root))
    return {bids_uri(path, study.root, study.name): checksum(path) for path in files}


def _columns(path: Path) -> list[str]:
    """Return the names of a table's columns without reading its rows."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return [name.strip() for name in stream.readline(100_000).split("\t")]


def _read_sidecar(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise AppError(
            f"{path} holds no JSON object.", ExitCode.BAD_DATA, 'A sidecar is {"Scale": "0-4"}.'
        )
    return content
