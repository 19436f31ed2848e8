"""Fat fractions of our own per-muscle tables as scores."""

import numpy as np
import pandas as pd

from pipelines.errors import DataError
from pipelines.harmonization.people import line_numbers
from pipelines.harmonization.scales import MEASURED
from pipelines.harmonization.score_table import ScoreTable


def scores_of_muscle_table(table: pd.DataFrame, *, study: str, source: str) -> ScoreTable:
    """Take the mean fat fractions of our per-muscle tables as scores on scale FF.

    Parameters
    ----------
    table : DataFrame
        Rows of :func:`pipelines.quantification.table.muscle_table` with the columns ``participant``
        and ``session`` (labels without prefix; ``session`` may be absent), and optionally
        ``source`` and ``row`` (file and line each row comes from).
    study : str
        Name of the study.
    source : str
        Name of the table, for rows that name none.

    Returns
    -------
    ScoreTable
        Groups of muscles are left out, for their muscles are there.

    Raises
    ------
    DataError
        If the table holds no fat fraction of any muscle.
    """
    level = table["level"].to_numpy(dtype=object) == "muscle"
    score = table["ff_mean"].to_numpy(dtype=np.float64, na_value=np.nan)
    kept = table.assign(line=line_numbers(table), score=score)[level & ~np.isnan(score)]
    long = pd.DataFrame(
        {
            "study": study,
            "participant": kept["participant"].astype(str),
            "session": kept["session"].fillna("").astype(str) if "session" in kept else "",
            "scale": MEASURED,
            "muscle": kept["muscle"].astype(str),
            "side": kept["side"].astype(str),
            "score": kept["score"],
            "source": kept["source"].astype(str) if "source" in kept else source,
            "row": kept["row"] if "row" in kept else kept["line"],
            "column": "ff_mean",
        }
    )
    if long.empty:
        raise DataError(
            f"{source} holds no fat fraction of any muscle.", "Check the participant level."
        )
    return ScoreTable.from_long(long)
