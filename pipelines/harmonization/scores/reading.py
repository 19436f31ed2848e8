"""Read tables of scores as other people write them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipelines.arrays import Float64, Int64, Objects
from pipelines.errors import DataError, quoted, shortened
from pipelines.harmonization.scores.cells import (
    LETTER_SCALE,
    parse_scores,
    with_decimal_points,
)
from pipelines.harmonization.scores.described import (
    Described,
    Unit,
    column_place,
    unit_from_text,
    unit_text,
    unused_units,
)
from pipelines.harmonization.scores.layout import ScoreLayout, read_layout
from pipelines.harmonization.scores.names import MuscleNames, default_names
from pipelines.harmonization.scores.people import line_numbers, read_labels, read_people
from pipelines.harmonization.scores.scales import scales
from pipelines.harmonization.scores.score_table import LONG_COLUMNS, ScoreTable
from pipelines.harmonization.scores.score_units import check_ranges, column_units, in_percent


def read_scores(
    table: pd.DataFrame,
    *,
    study: str,
    source: str,
    scale: str | None = None,
    units: str | None = None,
    described: Described | None = None,
    names: MuscleNames | None = None,
    decimal_commas: bool = False,
) -> ScoreTable:
    """Read a table with one row per participant and session and one column per muscle and side.

    Parameters
    ----------
    table : DataFrame of str
        As of :func:`pipelines.text_table.read_text_table`. Columns ``<muscle>`` (both
        sides, or side unknown), ``<muscle>_L`` and ``<muscle>_R`` in any known spelling, and the
        columns of ``column_roles.tsv``. ``n/a`` is missing.
    study : str
        Name of the study, for rows that name none in a column ``study``.
    source : str
        Name of the file, for messages and for tracing values.
    scale : str, optional
        Scale of all rows; not needed if the table has a column ``scale``.
    units : str, optional
        Unit of fat fractions (``units.tsv``) in columns that name none; percent if not given.
    described : mapping of str to Any, optional
        Content of the JSON file beside the table: ``Units`` of score columns and of the age,
        ``Levels`` of codes (:mod:`.described`).
    names : MuscleNames, optional
        Known names of muscles; those of the package if not given.
    decimal_commas : bool
        Whether scores and ages may have a decimal comma instead of a point.

    Returns
    -------
    ScoreTable
        With sex, age, diagnosis and site where the table gives them.

    Raises
    ------
    DataError
        If anything in the table cannot be read or cannot be right; the message names the file and,
        where it can, row and column.
    """
    known = names or default_names()
    layout = read_layout(table, known, source)
    _check_described(described or {}, table, known, source)
    if table.empty:
        raise DataError(f"{source} has a header but no rows.", "Give one row per session.")
    lines = line_numbers(table)
    scale_names = _read_scales(table, layout, scale, source, lines)
    own = column_units(list(layout.muscles), scale_names, units, described or {}, source)
    if decimal_commas:
        table = _with_points(table, layout, own, described or {}, source)
    cells = table[list(layout.muscles)]
    values = parse_scores(cells, scale_names == LETTER_SCALE, source, lines)
    values = in_percent(values, scale_names, own, source, lines)
    check_ranges(values, cells, scale_names, own, source=source, lines=lines)
    studies = read_labels(table, layout.roles.get("study"), "", source)
    keys = pd.DataFrame(
        {
            "study": np.where(studies == "", study, studies),
            "participant": read_labels(table, layout.roles["participant"], "sub-", source),
            "session": read_labels(table, layout.roles.get("session"), "ses-", source),
            "scale": scale_names,
            "row": lines,
        }
    )
    _check_rows(keys, source, several="study" in layout.roles)
    if np.isnan(values).all():
        raise DataError(f"{source} holds no score, only n/a.", "Fill it, or remove the file.")
    people = read_people(table, source, described).assign(study=keys["study"])
    return ScoreTable.from_long(_long(keys, values, layout, source), people)


def _check_described(
    described: Described, table: pd.DataFrame, names: MuscleNames, source: str
) -> None:
    """Refuse a unit of a muscle's column that the table lacks: it would miss its numbers."""
    for name in unused_units(described, [str(column) for column in table]):
        if names.match(name) is not None:
            raise DataError(
                f"{source} has no column {quoted(name)}, of which the JSON file beside it gives "
                "the unit.",
                "Name columns as the header of the table does, each side by itself.",
            )


def _with_points(
    table: pd.DataFrame,
    layout: ScoreLayout,
    units: Sequence[Unit | None],
    described: Described,
    source: str,
) -> pd.DataFrame:
    """Write the decimal commas of scores and ages as points."""
    large = [
        column
        for column, unit in zip(layout.muscles, units, strict=True)
        if unit is not None and unit.size < 1
    ]
    columns = list(layout.muscles)
    if (age := layout.roles.get("age")) is not None:
        columns.append(age)
        text = unit_text(described, age, source)
        if text is not None and unit_from_text(text, "age", column_place(source, age)).size < 1:
            large.append(age)
    return with_decimal_points(table, columns, large, source, line_numbers(table))


def _read_scales(
    table: pd.DataFrame, layout: ScoreLayout, scale: str | None, source: str, lines: Int64
) -> Objects:
    known = f"Known scales: {', '.join(scales())} (see scales.tsv)."
    column = layout.roles.get("scale")
    if column is None:
        if scale is None:
            raise DataError(
                f"{source} does not say on which scale it is.",
                f"Name it in the JSON file beside it, or in a column scale. {known}",
            )
        if scale not in scales():
            raise DataError(f"{source}: unknown scale {quoted(scale)}.", known)
        return np.full(len(table), scale, dtype=object)
    given = table[column].astype(object).map(lambda text: str(text).strip()).to_numpy(dtype=object)
    wrong = ~np.isin(given.astype(str), list(scales()))
    if wrong.any():
        raise DataError(
            f"{source}, row {lines[wrong][0]}, column {quoted(column)}: unknown "
            f"scale {quoted(given[wrong][0])}.",
            known,
        )
    other = given != scale
    if scale is not None and other.any():
        raise DataError(
            f"{source}, row {lines[other][0]}, column {quoted(column)}: scale "
            f"{quoted(given[other][0])}, but "
            f"the file is declared to be on {scale!r}.",
            "Remove one of the two.",
        )
    return given


def _check_rows(keys: pd.DataFrame, source: str, *, several: bool) -> None:
    """Refuse two rows of one participant and session; name the study where a table has several."""
    twice = keys.duplicated(["study", "participant", "session"])
    if twice.any():
        row = keys[twice].iloc[0]
        columns = ["study", "participant", "session"]
        first = keys[(keys[columns] == row[columns]).all(axis=1)].iloc[0]
        study = f" of study {shortened(row['study'])}" if several else ""
        session = f", session {shortened(row['session'])}" if row["session"] else ""
        raise DataError(
            f"{source}, row {row['row']}: participant {shortened(row['participant'])}{session}"
            f"{study} already stands in row {first['row']}.",
            "Keep one row per participant and session; visits need a column session_id.",
        )


def _long(keys: pd.DataFrame, values: Float64, layout: ScoreLayout, source: str) -> pd.DataFrame:
    """Stack the columns, one row per score."""
    row, column = np.nonzero(~np.isnan(values))
    data: dict[str, Any] = {
        name: _coded(row, keys[name].tolist())
        for name in ("study", "participant", "session", "scale")
    }
    headers = list(layout.muscles)
    muscles, sides = zip(*layout.muscles.values(), strict=True)
    data["muscle"] = _coded(column, muscles)
    data["side"] = _coded(column, sides)
    data["column"] = _coded(column, headers)
    data["source"] = _coded(np.zeros_like(row), [source])
    data["score"] = values[row, column]
    data["row"] = keys["row"].to_numpy()[row]
    return pd.DataFrame(data)[list(LONG_COLUMNS)]


def _coded(positions: Int64, texts: Sequence[str]) -> "pd.Series[Any]":
    """Take texts at positions, as categories."""
    codes, categories = pd.factorize(np.array(texts, dtype=object))
    dtype = pd.CategoricalDtype(categories.tolist())
    return pd.Series(pd.Categorical.from_codes(codes[positions], dtype=dtype))
