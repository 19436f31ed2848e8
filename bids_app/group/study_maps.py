"""What names mean in each study: ``--muscle-map`` and ``--diagnosis-map``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bids_app.errors import AppError, ExitCode
from bids_app.files.tables import read_tsv
from bids_app.options.settings import INPUT_NAME, Settings

if TYPE_CHECKING:
    from pipelines.harmonization.scores.diagnosis_map import DiagnosisMap, MapRow
    from pipelines.harmonization.scores.names import MuscleNames
    from pipelines.harmonization.scores.score_table import ScoreTable

_Map = TypeVar("_Map", "MuscleNames", "DiagnosisMap")

# Under which maps keep what applies to studies without a file of their own.
_ALL = ""


@dataclass
class StudyMaps:
    """Meaning of names by study; which rows of diagnosis maps were used is noted."""

    muscles: "Mapping[str, MuscleNames]"
    diagnoses: "Mapping[str, DiagnosisMap]"
    used: set[str] = field(default_factory=set)

    def muscle_names(self, study: str) -> "MuscleNames":
        """Return the names of muscles in a study."""
        return self.muscles.get(study, self.muscles[_ALL])

    def with_diagnoses(
        self, study: str, tables: "list[ScoreTable]"
    ) -> "tuple[list[ScoreTable], list[str]]":
        """Return tables of a study with the diagnoses that theirs count as, and what changed."""
        known = self.diagnoses.get(study, self.diagnoses[_ALL])
        mapped, sentences = [], []
        for table in tables:
            new, used = known.apply(table)
            mapped.append(new)
            self.used |= {row.place for row, _ in used.values()}
            sentences += [_change(study, name, row, n) for name, (row, n) in used.items()]
        return mapped, sentences

    def unused(self) -> list[str]:
        """Name rows of diagnosis maps that no sample has: perhaps their name is misspelt."""
        rows = {r.place: r.name for known in self.diagnoses.values() for r in known.rows.values()}
        return [
            f"{_short(place)}: no sample has the diagnosis {name!r}."
            for place, name in rows.items()
            if place not in self.used
        ]


def read_study_maps(settings: Settings) -> StudyMaps:
    """Read the files of both options; ``USAGE`` for the name of a study that is not gathered."""
    from pipelines.harmonization.scores.diagnosis_map import DiagnosisMap
    from pipelines.harmonization.scores.names import default_names

    scored = (INPUT_NAME, *settings.study)
    _check_studies("--muscle-map", settings.muscle_map, scored)
    _check_studies("--diagnosis-map", settings.diagnosis_map, (*scored, *settings.derivatives))
    return StudyMaps(
        _by_study(settings.muscle_map, default_names()),
        _by_study(settings.diagnosis_map, DiagnosisMap({})),
    )


def _check_studies(option: str, files: Mapping[str, Path], studies: Collection[str]) -> None:
    unknown = [name for name in files if name != _ALL and name not in studies]
    if unknown:
        raise AppError(
            f"{option} names {unknown[0]!r}, which is no study of this run.",
            ExitCode.USAGE,
            f"Studies: {', '.join(studies)} ({INPUT_NAME} is BIDS_DIR). A file without NAME= holds "
            "for all of them.",
        )


def _by_study(files: Mapping[str, Path], known: _Map) -> dict[str, _Map]:
    """Add the file for all studies, and to that the file of each study that has one."""
    whole = _with_file(known, files[_ALL]) if _ALL in files else known
    own = {name: _with_file(whole, path) for name, path in files.items() if name != _ALL}
    return {_ALL: whole, **own}


def _with_file(known: _Map, path: Path) -> _Map:
    table = read_tsv(path)
    rows = [{str(column): str(text) for column, text in row.items()} for _, row in table.iterrows()]
    return known.with_map(rows, str(path))


def _change(study: str, name: str, row: "MapRow", samples: int) -> str:
    meaning = "counts as none" if row.diagnosis is None else f"counts as {row.diagnosis}"
    return f"{study}: diagnosis {name} {meaning}, {samples} sample(s) ({_short(row.place)})."


def _short(place: str) -> str:
    """Leave out the folder of a file: results are passed on, and folders can name people."""
    return Path(place).name
