"""Which tables make up the cohort, and reading them into one score table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from bids_app.dataset.labels import enumerate_labels
from bids_app.errors import AppError, ExitCode
from bids_app.files.provenance import DataOrigin, bids_uri, data_origin
from bids_app.files.reading import checksum, is_there
from bids_app.files.sidecars import read_json_file
from bids_app.group.own_results import OwnResult, doubts, find_results, read_results
from bids_app.group.phenotype import FOLDER, read_phenotype_table
from bids_app.group.score_doubts import (
    contradictions,
    noisy_fat_fractions,
    similar_diagnoses,
    undescribed_people,
)
from bids_app.group.studies import (
    Study,
    checksums,
    diagnosis_names,
    find_study,
    read_people_of,
    read_study,
    require_tables,
    studies_of,
)
from bids_app.group.study_maps import StudyMaps
from bids_app.options.settings import INPUT_NAME, Settings

if TYPE_CHECKING:
    from pipelines.harmonization.scores.score_table import ScoreTable


@dataclass(frozen=True)
class OwnStudy:
    """Results of the participant level in one output folder."""

    name: str
    root: Path
    people: Path | None  # dataset whose participants.tsv tells about the participants
    results: tuple[OwnResult, ...]


@dataclass(frozen=True)
class Sources:
    """All that is gathered: our own results, and score tables of BIDS_DIR and named studies."""

    own: tuple[OwnStudy, ...]
    studies: tuple[Study, ...]


@dataclass(frozen=True)
class Gathered:
    """The cohort as it was scored."""

    table: "ScoreTable"
    inputs: dict[str, str]  # SHA-256 of every file read, by BIDS URI
    origins: dict[str, DataOrigin]  # by study: '', 'phantom' or 'simulated'
    long_names: dict[str, str]  # of diagnoses, where a participants.json has them
    doubts: list[str]  # what should be known about the scores before they are used


def find_sources(settings: Settings) -> Sources:
    """Look for our results and for score tables, without reading them."""
    named = {name: find_study(name, root) for name, root in settings.study.items()}
    for study in named.values():
        require_tables(study)
    studies = (find_study(INPUT_NAME, settings.bids_dir), *named.values())
    own = tuple(_own_studies(settings))
    if not any(study.results for study in own) and not any(study.tables for study in studies):
        where = enumerate_labels(str(study.root) for study in own)
        others = [str(path) for study in studies for path in study.without_scale]
        found = f" that names its scale ({enumerate_labels(others)} do not)" if others else ""
        raise AppError(
            f"There is nothing to gather: no complete session in {where}, and no score table"
            f"{found} in {settings.bids_dir / FOLDER}.",
            ExitCode.NOTHING_SELECTED,
            "Run the participant level first, name its output with --derivatives NAME=PATH, or "
            "datasets with score tables with --study NAME=PATH. The group level needs no images.",
        )
    return Sources(own, studies)


def describe(sources: Sources) -> Iterator[str]:
    """Say what would be gathered, one line per folder and table."""
    for own in sources.own:
        yield f"{own.name}: {len(own.results)} complete session(s) in {own.root}"
        yield from (f"  {name}" for result in own.results for name in result.tables)
    for study in sources.studies:
        if study.tables:
            yield f"{study.name}: {len(study.tables)} score table(s) in {study.root}"
        for path, described in study.tables.items():
            scale = described.get("Scale", "in its column 'scale'")
            rows = len(read_phenotype_table(path)[0])
            yield f"  {path.relative_to(study.root)}: {rows} row(s), scale {scale}"
    yield from (f"caution: {sentence}" for sentence in cautions(sources))


def cautions(sources: Sources) -> list[str]:
    """Say what about the sources should be known before they are used."""
    sentences = [s for own in sources.own for s in doubts(own.results, own.root)]
    sentences += [
        f"{own.root}: sex, age and diagnosis are not known; put a participants.tsv there."
        for own in sources.own
        if own.results and own.people is None
    ]
    for study in sources.studies:
        sentences += [f"{path}: not used, {reason}." for path, reason in study.others.items()]
    return sentences


def gather(sources: Sources, maps: StudyMaps) -> Gathered:
    """Read every table; errors name file, row and column, or a table that stands in two studies."""
    from pipelines.harmonization.scores.score_table import ScoreTable

    _check_copies(sources)
    tables: list[ScoreTable] = []
    doubts: list[str] = []
    inputs: dict[str, str] = {}
    origins: dict[str, DataOrigin] = {}
    for own in sources.own:
        if any(result.tables for result in own.results):
            read, doubtful = _read_own(own)
            read, changes = maps.with_diagnoses(own.name, read)
            tables += read
            doubts += [*doubtful, *changes]
            inputs |= {
                bids_uri(own.root / name, own.root, own.name): checksum(own.root / name)
                for result in own.results
                for name in result.tables
            }
            origins |= _origins(read, own.people or own.root)
    for study in sources.studies:
        if study.tables:
            read, doubtful = read_study(study, maps.muscle_names(study.name))
            read, changes = maps.with_diagnoses(study.name, read)
            tables += read
            doubts += [*doubtful, *changes]
            inputs |= checksums(study)
            origins |= _origins(read, study.root)
    datasets = [*(own.people for own in sources.own), *(study.root for study in sources.studies)]
    long_names = {k: v for root in datasets if root for k, v in diagnosis_names(root).items()}
    table = ScoreTable.concat(tables)
    doubts += maps.unused()
    doubts += contradictions(table.samples)
    doubts += similar_diagnoses(table.samples["diagnosis"].dropna())
    return Gathered(table, inputs, origins, long_names, list(dict.fromkeys(doubts)))


def _check_copies(sources: Sources) -> None:
    """Refuse a table that stands in two studies: its patients would count twice.

    Worse, a model would be tested on the copies of what it learnt from.
    """
    tables = [(s.name, s.root, path) for s in sources.studies for path in s.tables]
    tables += [
        (own.name, own.root, own.root / name)
        for own in sources.own
        for result in own.results
        for name in result.tables
    ]
    seen: dict[str, tuple[str, str]] = {}
    for study, root, path in tables:
        uri = bids_uri(path, root, study)
        first, first_uri = seen.setdefault(checksum(path), (study, uri))
        if first != study:
            raise AppError(
                f"{first_uri} and {uri} are the same table.",
                ExitCode.BAD_DATA,
                "Name each dataset once, and keep one copy of each table.",
            )


def _own_studies(settings: Settings) -> Iterator[OwnStudy]:
    """Find our results in the folders of ``--derivatives``, or else in the output folder."""
    labels = (settings.participant_label, settings.session_label)
    if not settings.derivatives:
        results = find_results(INPUT_NAME, settings.output_dir, *labels)
        yield OwnStudy(INPUT_NAME, settings.output_dir, settings.bids_dir, tuple(results))
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
        yield OwnStudy(name, root, _dataset_of(root), tuple(results))


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


def _read_own(own: OwnStudy) -> "tuple[list[ScoreTable], list[str]]":
    """Read our results, one table per study that ``participants.tsv`` names, and any doubts."""
    from pipelines.harmonization.scores.score_table import scores_of_muscle_table

    people, doubtful = (None, []) if own.people is None else read_people_of(own.name, own.people)
    rows = read_results(own.results)
    named = own.name if people is None else studies_of(rows["participant"], people, own.name)
    tables = [
        scores_of_muscle_table(part, study=str(study), source=str(own.root))
        for study, part in rows.assign(study=named).groupby("study", sort=False)
    ]
    doubtful += undescribed_people(rows["participant"], people, str(own.root))
    for table in tables:
        doubtful += noisy_fat_fractions(table.scores, str(own.root))
    return [table if people is None else table.with_people(people) for table in tables], doubtful


def _origins(tables: "Iterable[ScoreTable]", dataset: Path) -> dict[str, DataOrigin]:
    """Say of every study in some tables whether its data are of people."""
    origin = data_origin(dataset)
    return {str(study): origin for table in tables for study in table.samples["study"].unique()}
