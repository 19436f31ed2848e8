"""Which tables make up the cohort, and reading them into one score table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_app.dataset.labels import enumerate_labels
from bids_app.errors import AppError, ExitCode
from bids_app.files.provenance import DataOrigin, bids_uri, data_origin
from bids_app.files.reading import checksum
from bids_app.files.verdicts import TEMPLATE, VERDICTS
from bids_app.group.own_results import doubts
from bids_app.group.own_studies import OwnStudy, find_own_studies, own_inputs, read_own_study
from bids_app.group.phenotype import FOLDER, read_phenotype_table
from bids_app.group.score_doubts import (
    contradictions,
    full_names,
    likely_duplicates,
    missing_lowest_grades,
    similar_diagnoses,
)
from bids_app.group.studies import (
    Study,
    checksums,
    diagnosis_names,
    find_study,
    read_study,
    require_tables,
)
from bids_app.group.study_maps import StudyMaps
from bids_app.options.settings import INPUT_NAME, Settings

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.harmonization.scores.score_table import ScoreTable


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
    card_doubts: list[str]  # those of a model's card: they name no patient
    # of our own results, empty lists if there are none: every stack, and every measurement
    quality: "list[pd.DataFrame]"
    parts: "list[pd.DataFrame]"


class NothingLeftError(AppError):
    """No stack counts, and there are no other scores; `quality` says why."""

    def __init__(self, why: str, quality: "list[pd.DataFrame]") -> None:
        super().__init__(
            f"No fat fraction is left to gather: {why}",
            ExitCode.NOTHING_SELECTED,
            f"Look at the sessions, and say in {VERDICTS} which to keep; {TEMPLATE} has them.",
        )
        self.quality = quality


def find_sources(settings: Settings) -> Sources:
    """Look for our results and for score tables, without reading them."""
    named = {name: find_study(name, root) for name, root in settings.study.items()}
    for study in named.values():
        require_tables(study)
    studies = (find_study(INPUT_NAME, settings.bids_dir), *named.values())
    own = find_own_studies(settings)
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
    quality, parts = [], []
    for own in sources.own:
        if any(result.tables for result in own.results):
            read = read_own_study(own)
            mapped, changes = maps.with_diagnoses(own.name, read.tables)
            tables += mapped
            doubts += [*read.doubts, *changes]
            inputs |= own_inputs(own)
            origins |= _origins(read.tables, own.people or own.root)
            quality.append(read.quality)
            parts.append(read.parts)
    for study in sources.studies:
        if study.tables:
            scored, doubtful = read_study(study, maps.muscle_names(study.name))
            scored, changes = maps.with_diagnoses(study.name, scored)
            tables += scored
            doubts += [*doubtful, *changes]
            inputs |= checksums(study)
            origins |= _origins(scored, study.root)
    datasets = [*(own.people for own in sources.own), *(study.root for study in sources.studies)]
    named = [diagnosis_names(root) for root in datasets if root is not None]
    if quality and not tables:
        raise NothingLeftError(" ".join(doubts), quality)
    table = ScoreTable.concat(tables)
    long_names, differing = full_names(named, table.samples["diagnosis"].dropna())
    doubts += [*maps.unused(), *differing]
    doubts += contradictions(table.samples)
    doubts += similar_diagnoses(table.samples["diagnosis"].dropna())
    lowest = missing_lowest_grades(table.scores)
    copies, nameless_copies = likely_duplicates(table)
    told = list(dict.fromkeys([*doubts, *lowest, *copies]))
    for_card = [*lowest, *nameless_copies]
    return Gathered(table, inputs, origins, long_names, told, for_card, quality, parts)


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


def _origins(tables: "Iterable[ScoreTable]", dataset: Path) -> dict[str, DataOrigin]:
    """Say of every study in some tables whether its data are of people."""
    origin = data_origin(dataset)
    return {str(study): origin for table in tables for study in table.samples["study"].unique()}
