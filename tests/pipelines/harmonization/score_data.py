"""Small score tables for tests of the harmonization."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.harmonization.scores.native import NativeScores
from pipelines.harmonization.scores.regrouping import default_regrouping
from pipelines.harmonization.scores.score_table import LONG_COLUMNS, PEOPLE_COLUMNS, ScoreTable

Scores = Mapping[str, float | tuple[float | None, float | None]]


def table_of(samples: Mapping[str, tuple[str, Scores]], study: str = "st") -> ScoreTable:
    """Build a table from {participant: (scale, {muscle: mean or (left, right)})}."""
    rows = []
    for line, (participant, (scale, scores)) in enumerate(samples.items(), start=2):
        for muscle, given in scores.items():
            values = (
                zip(("left", "right"), given, strict=True)
                if isinstance(given, tuple)
                else [("mean", given)]
            )
            rows += [
                (study, participant, "", scale, muscle, side, float(v), "f.tsv", line, muscle)
                for side, v in values
                if v is not None
            ]
    return ScoreTable.from_long(pd.DataFrame(rows, columns=list(LONG_COLUMNS)))


def native_of(
    values: np.ndarray,
    scales: list[str],
    diagnoses: list[str] | None = None,
    studies: list[str] | None = None,
) -> NativeScores:
    """Build native scores of the first muscles from mean scores (n, m) or sides (n, m, 3)."""
    if values.ndim == 2:
        values = np.stack([np.full(values.shape, np.nan)] * 2 + [values], axis=2)
    n = len(values)
    who = [f"p{i:05d}" for i in range(n)]
    samples = pd.DataFrame(
        {
            "study": studies or ["st"] * n,
            "participant": who,
            "session": "",
            "patient": who,
            "scale": scales,
            "sides": "average",
            **dict.fromkeys(PEOPLE_COLUMNS),
        },
        index=pd.Index(who, name="sample"),
    )
    samples["age"] = np.nan
    if diagnoses:
        samples["diagnosis"] = diagnoses
    return NativeScores(samples, default_regrouping().features[: values.shape[1]], values)
