"""Score tables of a dataset and what it says about its people."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_app.dataset.tree import PARTICIPANT_PREFIX
from bids_app.errors import AppError, ExitCode
from bids_app.files.provenance import bids_uri
from bids_app.files.reading import checksum, is_there
from bids_app.files.tables import read_tsv
from bids_app.group.phenotype import (
    FOLDER,
    NO_SCALE,
    find_phenotype_tables,
    read_description,
    read_phenotype_table,
)
from bids_app.group.score_doubts import (
    columns_set_aside,
    noisy_fat_fractions,
    told_twice,
    undescribed_people,
    unscored_rows,
    without_gender,
)
from bids_app.options.settings import INPUT_NAME

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.harmonization.scores.names import MuscleNames
    from pipelines.harmonization.scores.score_table import ScoreTable


@dataclass(frozen=True)
class Study:
    """A dataset whose tables are gathered; its name is that in our tables and BIDS URIs."""

    name: str
    root: Path
    # with the content of their sidecars
    tables: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    others: Mapping[Path, str] = field(default_factory=dict)  # files not used, and why

    @property
    def without_scale(self) -> list[Path]:
        """Tables that would be read if they named their scale."""
        return [path for path, reason in self.others.items() if reason == NO_SCALE]


def find_study(name: str, root: Path) -> Study:
    """Look for score tables in a dataset; there may be none."""
    if not root.is_dir():
        named = f"The folder of study {name}={root}"
        raise AppError(
            f"{f'BIDS_DIR ({root})' if name == INPUT_NAME else named} does not exist.",
            ExitCode.INPUT_MISSING,
            "Check the path; in a container, mount the folder. The group level needs no images: "
            "where all scores come from other folders, BIDS_DIR may be any folder.",
        )
    return Study(name, root, *find_phenotype_tables(root))


def require_tables(study: Study) -> None:
    """Refuse a study that was named on the command line and holds no scores."""
    if study.tables:
        return
    found = f"it has no {FOLDER}/*.tsv or *.csv"
    if study.without_scale:
        names = ", ".join(path.name for path in study.without_scale)
        found = f"no table in {FOLDER}/ names its scale ({names})"
    others = study.others.items() - dict.fromkeys(study.without_scale, NO_SCALE).items()
    found += "".join(f"; {path.name}: {reason}" for path, reason in sorted(others))
    raise AppError(
        f"Study {study.name}={study.root} holds no scores: {found}.",
        ExitCode.INPUT_MISSING,
        f'Write {FOLDER}/<name>.tsv with a sidecar <name>.json such as {{"Scale": "0-4"}}; '
        "run.py --list scales lists the scales.",
    )


def read_study(study: Study, names: "MuscleNames") -> "tuple[list[ScoreTable], list[str]]":
    """Read the score tables of a study, with what is known of its people, and what to know first.

    Errors name file, row and column.
    """
    from pipelines.harmonization.scores.column_roles import columns_by_role
    from pipelines.harmonization.scores.reading import read_scores

    people, doubts = read_people_of(study.name, study.root)
    tables = []
    for path, described in study.tables.items():
        text, decimal_commas = read_phenotype_table(path)
        source = bids_uri(path, study.root, study.name)
        roles = columns_by_role(text, source)
        if people is not None and people["sex"].notna().any():
            text, aside = without_gender(text, roles, source)
            doubts += aside
        if people is not None and "study" not in roles:
            participants = text[roles["participant"]].str.strip().str.removeprefix("sub-")
            text["study"] = studies_of(participants, people, study.name)
        sidecar = path.with_suffix(".json")
        table = read_scores(
            text,
            scale=_text_of(described, "Scale", sidecar),
            units=_text_of(described, "Units", sidecar),
            described=described,
            study=study.name,
            source=source,
            names=names,
            decimal_commas=decimal_commas,
        )
        if people is not None:
            doubts += told_twice(table, people, source)
            table = table.with_people(people)
        tables.append(table)
        doubts += columns_set_aside(text, described, source)
        doubts += unscored_rows(text, table, source)
        doubts += noisy_fat_fractions(table.scores, source)
        doubts += undescribed_people(table.samples["participant"], people, source)
    return tables, doubts


def read_people_of(name: str, root: Path) -> "tuple[pd.DataFrame | None, list[str]]":
    """Read ``participants.tsv`` and ``sessions.tsv`` (of the dataset or of each participant).

    Parameters
    ----------
    name : str
        Name of the dataset in BIDS URIs.
    root : Path
        The dataset.

    Returns
    -------
    people : DataFrame or None
        As :func:`~.people.read_people`; None if there is no such table.
    doubts : list of str
        Which columns were not read.

    Raises
    ------
    AppError, PipelineError
        If a table or its sidecar is damaged or holds an impossible value, or two tables describe
        the same.
    """
    import pandas as pd

    from pipelines.harmonization.scores.column_roles import column_role
    from pipelines.harmonization.scores.people import read_people

    parts, doubts = [], []
    for path in _people_files(root):
        table, source = read_tsv(path), bids_uri(path, root, name)
        if path.parent != root and "participant" not in map(column_role, map(str, table)):
            # BIDS keeps a participant's sessions in a file of their own, without their label.
            table.insert(0, "participant_id", path.parent.name)
        described = _description_of_people(path, root)
        parts.append(read_people(table, source, described).assign(source=source))
        doubts += columns_set_aside(table, described, source)
    if not parts:
        return None, []
    people = pd.concat(parts, ignore_index=True)
    _check_described_once(people)
    return people.drop(columns="source"), doubts


def _description_of_people(path: Path, root: Path) -> dict[str, Any]:
    """Return what JSON files say of the columns of a table about people, the nearest last."""
    inherited = {} if path.parent == root else read_description(root / "sessions.json")
    return {**inherited, **read_description(path.with_suffix(".json"))}


def _check_described_once(people: "pd.DataFrame") -> None:
    """Refuse two tables that describe the same participant and session."""
    keys = ["study", "participant", "session"]
    twice = people[people.duplicated(keys, keep=False)]
    if len(twice):
        same = twice[(twice[keys] == twice.iloc[0][keys]).all(axis=1)]
        who = "_ses-".join(filter(None, same.iloc[0][["participant", "session"]]))
        raise AppError(
            f"{' and '.join(same['source'])} both describe sub-{who}.",
            ExitCode.BAD_DATA,
            "Keep one row per participant (and session).",
        )


def studies_of(
    participants: "pd.Series[str]", people: "pd.DataFrame", default: str
) -> "pd.Series[str]":
    """Return the study that ``participants.tsv`` names for each participant, else a default."""
    rows = people["participant"].isin(set(participants)) & (people["study"] != "")
    named = people.loc[rows, ["participant", "study"]].drop_duplicates()
    several = named[named["participant"].duplicated(keep=False)]
    if len(several):
        participant = several["participant"].iloc[0]
        studies = several.loc[several["participant"] == participant, "study"]
        whose = "BIDS_DIR" if default == INPUT_NAME else f"study {default}"
        raise AppError(
            f"participants.tsv (or sessions.tsv) of {whose} names several studies of sub-"
            f"{participant}: {', '.join(studies)}.",
            ExitCode.BAD_DATA,
            "Say in a column 'study' of the score table which row belongs to which.",
        )
    study_of = dict(zip(named["participant"], named["study"], strict=True))
    return participants.map(lambda participant: study_of.get(participant, default))


def _people_files(root: Path) -> list[Path]:
    """Return the tables about people that a dataset has."""
    own = (root / "participants.tsv", root / "sessions.tsv")
    of_each = sorted(root.glob(f"{PARTICIPANT_PREFIX}*/{PARTICIPANT_PREFIX}*_sessions.tsv"))
    return [path for path in (*own, *of_each) if is_there(path)]


def diagnosis_names(root: Path) -> dict[str, str]:
    """Return the full names of diagnoses: ``Levels`` of their column in ``participants.json``."""
    from pipelines.harmonization.scores.described import levels_of
    from pipelines.harmonization.scores.people import is_code

    levels = levels_of(read_description(root / "participants.json"), "diagnosis")
    return {name: text for name, text in levels.items() if not is_code(name)}


def checksums(study: Study) -> dict[str, str]:
    """Return the SHA-256 of every file that is gathered from a study, by BIDS URI."""
    tables = (*study.tables, *_people_files(study.root))
    sidecars = (path.with_suffix(".json") for path in (*tables, study.root / "sessions.tsv"))
    files = dict.fromkeys((*tables, *filter(is_there, sidecars)))
    return {bids_uri(path, study.root, study.name): checksum(path) for path in files}


def _text_of(described: Mapping[str, Any], key: str, sidecar: Path) -> str | None:
    """Return a text of a sidecar; None if it has none."""
    value = described.get(key)
    if value is not None and not isinstance(value, str):
        raise AppError(
            f"{sidecar}: {key} is {json.dumps(value)[:60]}, which is no text.",
            ExitCode.BAD_DATA,
            'Write one text, such as {"Scale": "FF", "Units": "percent"}; rows on different '
            "scales need a column scale.",
        )
    return value
