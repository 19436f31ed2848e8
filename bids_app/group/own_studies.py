"""Our own results in output folders of the participant level, as studies of the cohort."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bids_app.errors import AppError, ExitCode
from bids_app.files.provenance import bids_uri
from bids_app.files.reading import checksum, is_there
from bids_app.files.sidecars import read_json_file
from bids_app.files.verdicts import verdicts_of_folders
from bids_app.group.own_doubts import own_doubts
from bids_app.group.own_results import OwnResult, find_results, known_sessions
from bids_app.group.own_scores import StackRules, read_own_scores
from bids_app.group.quality_tables import part_table, quality_table
from bids_app.group.score_doubts import noisy_fat_fractions, undescribed_people
from bids_app.group.studies import read_people_of, studies_of
from bids_app.options.settings import INPUT_NAME, Settings

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.harmonization.scores.score_table import ScoreTable


@dataclass(frozen=True)
class OwnStudy:
    """Results of the participant level in one output folder."""

    name: str
    root: Path
    people: Path | None  # dataset whose participants.tsv tells about the participants
    results: tuple[OwnResult, ...]
    rules: StackRules  # which of its stacks count


@dataclass(frozen=True)
class OwnRead:
    """What was read of one output folder."""

    tables: "list[ScoreTable]"
    doubts: list[str]
    quality: "pd.DataFrame"
    parts: "pd.DataFrame"


def find_own_studies(settings: Settings) -> tuple[OwnStudy, ...]:
    """Look for our results, with what people say about them."""
    studies = list(_own_studies(settings))
    stacks = {
        own.root: {
            **dict.fromkeys(known_sessions(own.root), ()),
            **{result.session: result.stacks for result in own.results},
        }
        for own in studies
    }
    verdicts = verdicts_of_folders(settings.quality_verdicts, stacks)
    return tuple(replace(own, rules=StackRules.of(settings, verdicts[own.root])) for own in studies)


def _own_studies(settings: Settings) -> Iterator[OwnStudy]:
    """Find our results in the folders of ``--derivatives``, or else in the output folder."""
    labels = (settings.participant_label, settings.session_label)
    if not settings.derivatives:
        results = find_results(INPUT_NAME, settings.output_dir, *labels)
        yield OwnStudy(
            INPUT_NAME, settings.output_dir, settings.bids_dir, tuple(results), StackRules()
        )
    for name, root in settings.derivatives.items():
        if not root.is_dir():
            raise AppError(
                f"The folder of --derivatives {name}={root} does not exist.",
                ExitCode.INPUT_MISSING,
                "Check the path; in a container, mount the folder.",
            )
        results = find_results(name, root, *labels)
        if not results:
            raise AppError(
                f"{root} (--derivatives {name}) holds no complete session of MyoMIDS.",
                ExitCode.NOTHING_SELECTED,
                "Name the output folder of the participant level, and check the labels.",
            )
        yield OwnStudy(name, root, _dataset_of(root), tuple(results), StackRules())


def _dataset_of(root: Path) -> Path | None:
    """Return the dataset that tells about the people of an output folder.

    That is the folder itself if it has a ``participants.tsv``, else the dataset it was made from,
    if that is still where the description says.
    """
    if is_there(root / "participants.tsv"):
        return root
    description = root / "dataset_description.json"
    content: Any = read_json_file(description) if description.exists() else {}
    links = content.get("DatasetLinks") if isinstance(content, dict) else None
    link = links.get(INPUT_NAME) if isinstance(links, dict) else None
    if not isinstance(link, str):
        return None
    dataset = (root / unquote(link)).resolve()
    return dataset if is_there(dataset / "participants.tsv") else None


def read_own_study(own: OwnStudy) -> OwnRead:
    """Read our results, one table per study that ``participants.tsv`` names."""
    import pandas as pd

    from pipelines.harmonization.scores.score_table import scores_of_muscle_table

    people, doubtful = (None, []) if own.people is None else read_people_of(own.name, own.people)
    scores = read_own_scores(own.results, own.rules)
    participants = pd.Series([result.session.participant for result in own.results], dtype=object)
    named = participants.map(lambda _: own.name)
    if people is not None:
        named = studies_of(participants, people, own.name)
    studies = {str(k): str(v) for k, v in zip(participants, named, strict=True)}
    rows = scores.rows()
    tables = [
        scores_of_muscle_table(part, study=str(study), source=str(own.root))
        for study, part in rows.groupby(rows["participant"].map(studies), sort=False)
    ]
    doubtful += own_doubts(scores)
    doubtful += undescribed_people(participants, people, str(own.root))
    for table in tables:
        doubtful += noisy_fat_fractions(table.scores, str(own.root))
    return OwnRead(
        [table if people is None else table.with_people(people) for table in tables],
        doubtful,
        quality_table(scores, studies),
        part_table(scores, studies),
    )


def own_inputs(own: OwnStudy) -> dict[str, str]:
    """Return the SHA-256 of the tables of our results, and of what people say about them."""
    inputs = {
        bids_uri(own.root / name, own.root, own.name): checksum(own.root / name)
        for result in own.results
        for name in result.tables
    }
    verdicts = own.rules.verdicts.path
    if verdicts is not None:
        inside = verdicts.parent == own.root
        uri = bids_uri(verdicts, own.root, own.name) if inside else verdicts.name
        inputs[uri] = checksum(verdicts)
    return inputs
