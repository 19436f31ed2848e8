"""Follow every score from the cell it was read from to the feature it became part of."""

from typing import Any

import numpy as np
import pandas as pd

from pipelines.arrays import Array, Index, Integer
from pipelines.harmonization.harmonize import Harmonization
from pipelines.harmonization.scores.native import score_routes, to_native
from pipelines.harmonization.scores.regrouping import Regrouping, default_regrouping
from pipelines.harmonization.scores.score_table import SCORE_SIDES, ScoreTable

TRACE_COLUMNS = (
    "sample",
    "source",
    "row",
    "column",
    "scale",
    "scored_muscle",
    "side",
    "score",
    "muscle",
    "operation",
    "used",
    "merged_score",
    "random_number",
    "side_0_100",
    "score_0_100",
    "relative",
)


def trace_scores(
    table: ScoreTable,
    harmonization: Harmonization,
    regrouping: Regrouping | None = None,
    *,
    draw: int = 0,
) -> pd.DataFrame:
    """Record each step for each score.

    Parameters
    ----------
    table : ScoreTable
        Scores.
    harmonization : Harmonization
        Fitted harmonization.
    regrouping : Regrouping, optional
        As given to :func:`.native.to_native`.
    draw : int
        Random draw, as in :meth:`.Harmonization.transform`.

    Returns
    -------
    DataFrame
        Columns ``TRACE_COLUMNS``. One row per score and feature it serves: where it was read, the
        score on its scale, the ``muscle`` it became part of and by which ``operation`` (``as
        scored``, ``merge``, ``expand``), whether it was ``used`` (a score of the muscle itself
        overrides a merged one, that an expanded one), the score of that muscle and side after
        merging (native scale), the random number (0-1) its muscle was drawn with, that score 0-100
        (missing if sides are averaged before scaling), the muscle's score 0-100 over both sides,
        and the feature value. A score that serves no feature has one row without ``muscle``.
    """
    rules = regrouping or default_regrouping()
    native = to_native(table, rules)
    features = native.select(harmonization.muscles)
    percent, _ = harmonization.percent(features, draw=draw)
    sides = harmonization.side_percent(features, draw)
    numbers = harmonization.numbers(features.samples.index, draw)
    relative = harmonization.transform(native, draw=draw)[:, : len(harmonization.muscles)]

    routes = score_routes(table, rules)
    row, cell, level = routes["row"], routes["cell"], routes["level"]
    winner = np.full(native.values.size, -1, dtype=np.int64)
    for step in np.unique(level)[::-1]:
        winner[cell[level == step]] = step
    sample, muscle = np.divmod(cell // len(SCORE_SIDES), len(rules.features))
    side = cell % len(SCORE_SIDES)
    names = pd.Index(rules.features)
    column = pd.Index(harmonization.muscles).get_indexer(names)[muscle]
    kept = column >= 0
    operations = [rules.operation(step) for step in range(level.max(initial=0) + 1)]
    kinds = pd.Index(dict.fromkeys(operations))

    served = np.zeros(len(table.scores), dtype=bool)
    served[row] = True
    of_score = np.concatenate([row, np.flatnonzero(~served)])
    order = np.argsort(of_score, kind="stable")
    # Which step a row of the trace tells; none for a score that serves no feature.
    step_of = np.where(order < len(row), order, -1)
    traced = table.scores.iloc[of_score[order]].reset_index(drop=True)
    traced = traced.rename(columns={"muscle": "scored_muscle"}).assign(
        muscle=_category(muscle, names, step_of),
        operation=_category(kinds.get_indexer(pd.Index(operations))[level], kinds, step_of),
        used=_placed((winner[cell] == level) & kept, step_of, False),
        merged_score=_placed(native.values.reshape(-1)[cell], step_of, np.nan),
        random_number=_placed(np.where(kept, numbers[sample, column], np.nan), step_of, np.nan),
        side_0_100=_placed(np.where(kept, sides[sample, column, side], np.nan), step_of, np.nan),
        score_0_100=_placed(np.where(kept, percent[sample, column], np.nan), step_of, np.nan),
        relative=_placed(np.where(kept, relative[sample, column], np.nan), step_of, np.nan),
    )
    return traced[list(TRACE_COLUMNS)]


def _placed(values: Array, step_of: Index, none: Any) -> Array:
    """Return the value of the step that each row tells, or another one where it tells none."""
    return np.append(values, none)[step_of].astype(values.dtype)


def _category(codes: Integer, names: "pd.Index[str]", step_of: Index) -> "pd.Categorical[Any]":
    return pd.Categorical.from_codes(_placed(codes, step_of, -1), categories=names)
