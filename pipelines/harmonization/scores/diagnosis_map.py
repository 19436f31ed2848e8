"""Diagnoses that count as others: spelling variants, and groups that a study tells apart."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipelines.errors import DataError, quoted
from pipelines.harmonization.scores.score_table import ScoreTable
from pipelines.text_table import MISSING

_COLUMNS = ("source_name", "diagnosis")


@dataclass(frozen=True)
class MapRow:
    """One row of a map: the name that samples have, what it counts as (None: as none), where."""

    name: str
    diagnosis: str | None
    place: str


@dataclass(frozen=True)
class DiagnosisMap:
    """Rows of one or several files by the plain form of their names; later files come first."""

    rows: Mapping[str, MapRow]

    def with_map(self, rows: Iterable[Mapping[str, str]], source: str) -> "DiagnosisMap":
        """Add the rows of a file; they come before those already known.

        Parameters
        ----------
        rows : iterable of mapping
            ``source_name`` and ``diagnosis`` (``n/a`` for a diagnosis that shall not count). Case,
            and spaces, hyphens and underscores between words, do not matter in ``source_name``.
        source : str
            Name of the file, for messages.

        Returns
        -------
        DiagnosisMap

        Raises
        ------
        DataError
            If a column is missing, or one name counts as two diagnoses.
        """
        added: dict[str, MapRow] = {}
        for line, cells in enumerate(rows, start=2):
            name, diagnosis = (cells.get(column, "").strip() for column in _COLUMNS)
            lacking = [column for column in _COLUMNS if not cells.get(column, "").strip()]
            if lacking:
                raise DataError(
                    f"{source}, row {line}: no {' and no '.join(lacking)}.",
                    f"A diagnosis map has the columns {' and '.join(_COLUMNS)}, separated by tabs.",
                )
            row = MapRow(name, None if diagnosis == MISSING else diagnosis, f"{source}, row {line}")
            first = added.setdefault(_plain(name), row)
            if first.diagnosis != row.diagnosis:
                raise DataError(
                    f"{row.place}: {quoted(name)} already counts as {first.diagnosis or MISSING}.",
                    "Keep one row per name.",
                )
        return replace(self, rows={**self.rows, **added})

    def apply(self, table: ScoreTable) -> "tuple[ScoreTable, dict[str, tuple[MapRow, int]]]":
        """Give samples the diagnoses that theirs count as, each looked up once.

        Parameters
        ----------
        table : ScoreTable
            Scores with what is known of the people.

        Returns
        -------
        table : ScoreTable
            With other diagnoses.
        used : dict of str to (MapRow, int)
            Diagnoses as they were, the row that names each, and its number of samples.
        """
        given = table.samples["diagnosis"]
        counts = given.value_counts()
        used = {
            str(name): (self.rows[_plain(str(name))], int(counts[name]))
            for name in counts.index
            if _plain(str(name)) in self.rows
        }
        new = {name: row.diagnosis or np.nan for name, (row, _) in used.items()}
        mapped = given.map(lambda name: new.get(name, name)).astype(object)
        return ScoreTable(table.scores, table.samples.assign(diagnosis=mapped)), used


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip().casefold())
