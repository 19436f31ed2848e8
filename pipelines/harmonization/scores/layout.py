"""What the columns of a score table are: muscles and sides, and what describes the person."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipelines.anatomy.label_names import split_side
from pipelines.errors import DataError, quoted
from pipelines.harmonization.scores.column_roles import column_role, columns_by_role
from pipelines.harmonization.scores.names import MuscleNames, ScoreSide

# Columns that one message names.
_MOST_NAMED = 10


@dataclass(frozen=True)
class ScoreLayout:
    """Meaning of the columns of a score table.

    Attributes
    ----------
    roles : mapping of str to str
        Role (``participant``, ``session``, ``sex``, ...) to column.
    muscles : mapping of str to tuple of (str, str)
        Column to our name of the muscle or group, and side (``left``, ``right``, ``mean``).
    """

    roles: Mapping[str, str]
    muscles: Mapping[str, tuple[str, ScoreSide]]


def read_layout(table: pd.DataFrame, names: MuscleNames, source: str) -> ScoreLayout:
    """Find out what each column is."""
    columns = [str(column) for column in table.columns]
    twice = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
    if twice:
        raise DataError(
            f"{source} has more than one column {', '.join(map(quoted, twice))}.",
            "Delete or rename one of them.",
        )
    if len(columns) == 1:
        raise DataError(
            f"{source} has only one column, {quoted(columns[0])}.", "Separate the columns by tabs."
        )
    roles = columns_by_role(table, source)
    muscles: dict[str, tuple[str, ScoreSide]] = {}
    unknown: list[str] = []
    for column in columns:
        if column_role(column) is not None:
            continue
        match = names.match(column)
        if match is None:
            unknown.append(column)
            continue
        muscle, side = match
        if muscle is None:
            continue
        same = [name for name, meaning in muscles.items() if meaning == (muscle, side)]
        if same:
            raise DataError(
                f"{source}: columns {quoted(same[0])} and {quoted(column)} both mean {muscle} "
                f"({side}).",
                "Keep one, or map the other to n/a in a muscle map (--muscle-map).",
            )
        muscles[column] = (muscle, side)
    for column in unknown:
        if meanings := names.meanings(column):
            raise DataError(
                f"{source}, row 1: {quoted(column)} is ambiguous; it may mean "
                f"{', '.join(meanings[:-1])} or {meanings[-1]}.",
                "Say which in a muscle map (--muscle-map FILE, or NAME=FILE for one study): a TSV "
                "file with the columns source_name and muscle, here with a row "
                f"{split_side(column)[0]} and {meanings[0]}.",
            )
    if unknown:
        named = ", ".join(names.unknown_text(column) for column in unknown[:_MOST_NAMED])
        more = len(unknown) - _MOST_NAMED
        raise DataError(
            f"{source}, row 1: no muscle is known by the name {named}"
            f"{f' (and {more} more columns)' if more > 0 else ''}.",
            "Give a muscle map (--muscle-map): a TSV file with the columns source_name and muscle; "
            "n/a leaves a column out.",
        )
    if not muscles:
        raise DataError(f"{source} has no column of a muscle.", "Give one column per muscle.")
    return ScoreLayout(roles, muscles)
