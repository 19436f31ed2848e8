"""Follow every score from the cell it was read from to the feature it became part of."""

import numpy as np
import pandas as pd

from pipelines.harmonization.harmonize import Harmonization
from pipelines.harmonization.native import score_routes, to_native
from pipelines.harmonization.regrouping import Regrouping, default_regrouping
from pipelines.harmonization.score_table import SCORE_SIDES, ScoreTable

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
        merging (native scale), the muscle's score 0-100 over both sides, and the feature value. A
        score that serves no feature has one row without ``muscle``.
    """
    rules = regrouping or default_regrouping()
    native = to_native(table, rules)
    features = native.select(harmonization.muscles)
    percent, _ = harmonization.percent(features, draw=draw)
    relative = harmonization.transform(native, draw=draw)[:, : len(harmonization.muscles)]

    routes = score_routes(table, rules)
    row, cell, level = routes["row"], routes["cell"], routes["level"]
    unserved = np.setdiff1d(np.arange(len(table.scores)), row)
    winner = np.full(native.values.size, -1, dtype=np.int64)
    for step in np.unique(level)[::-1]:
        winner[cell[level == step]] = step
    sample, muscle = np.divmod(cell // len(SCORE_SIDES), len(rules.features))
    names = np.array(rules.features, dtype=object)
    column = pd.Index(harmonization.muscles).get_indexer(pd.Index(names))[muscle]
    kept = column >= 0

    traced = table.scores.iloc[np.concatenate([row, unserved])].rename(
        columns={"muscle": "scored_muscle"}
    )
    steps = pd.DataFrame(
        {
            "muscle": names[muscle],
            "operation": np.array([rules.operation(s) for s in range(level.max(initial=0) + 1)])[
                level
            ],
            "used": (winner[cell] == level) & kept,
            "merged_score": native.values.reshape(-1)[cell],
            "score_0_100": np.where(kept, percent[sample, column], np.nan),
            "relative": np.where(kept, relative[sample, column], np.nan),
        }
    ).reindex(np.arange(len(traced)))
    steps["used"] = steps["used"].eq(True)
    traced = pd.concat([traced.reset_index(drop=True), steps], axis=1)
    order = np.argsort(np.concatenate([row, unserved]), kind="stable")
    return traced[list(TRACE_COLUMNS)].iloc[order].reset_index(drop=True)
