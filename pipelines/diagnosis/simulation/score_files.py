"""The simulated cohort as the tables that studies would share (BIDS ``phenotype/``)."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipelines.arrays import Int64
from pipelines.diagnosis.simulation.design import rows_by_value
from pipelines.diagnosis.simulation.simulate import SimulatedCohort
from pipelines.harmonization.scores.scales import MEASURED, scales

# Columns of a muscle by how sides are scored: ending of the name, and position in the scores.
_COLUMNS = {
    "bilateral": {"_left": 0, "_right": 1},
    "unilateral": {"_left": 0, "_right": 1},
    "average": {"": 2},
}


@dataclass(frozen=True)
class ScoreFiles:
    """Tables of the studies that use one scale.

    Attributes
    ----------
    participants : pandas.DataFrame
        ``participant_id``, ``age`` (years, at the first visit), ``sex``, ``diagnosis``, ``site``.
    scores : mapping of str to pandas.DataFrame
        By name of the table: ``participant_id``, ``session_id``, ``study``, ``age`` (years, at
        the visit) and one column per muscle and side. Missing values are NaN or None.
    description : mapping
        Content of the JSON file beside each table of scores.
    """

    participants: pd.DataFrame
    scores: Mapping[str, pd.DataFrame]
    description: Mapping[str, object]


def score_files(cohort: SimulatedCohort) -> dict[str, ScoreFiles]:
    """Split a cohort into datasets, one per scale.

    Parameters
    ----------
    cohort : SimulatedCohort
        The cohort.

    Returns
    -------
    dict of str to ScoreFiles
        By name of the dataset.
    """
    samples = cohort.native.samples
    found = {}
    for scale, rows in rows_by_value(samples["scale"]).items():
        tables = {
            f"{sides}_scores": _scores(cohort, rows[here], sides)
            for sides, here in rows_by_value(samples["sides"].iloc[rows]).items()
        }
        people = _participants(samples.iloc[rows])
        found[f"simulated-{scale}"] = ScoreFiles(people, tables, _description(scale))
    return found


def _participants(samples: pd.DataFrame) -> pd.DataFrame:
    """Return one row per participant, as known at the first visit."""
    people = samples.drop_duplicates("participant")
    table = people[["age", "sex", "diagnosis", "site"]].reset_index(drop=True)
    table.insert(0, "participant_id", ("sub-" + people["participant"]).to_numpy())
    return table


def _scores(cohort: SimulatedCohort, rows: Int64, sides: str) -> pd.DataFrame:
    """Return the scores of samples that are scored alike; never scored muscles have no column."""
    samples = cohort.native.samples.iloc[rows]
    columns = {
        muscle + ending: cohort.native.values[rows, number, position]
        for number, muscle in enumerate(cohort.native.muscles)
        for ending, position in _COLUMNS[sides].items()
    }
    session = ("ses-" + samples["session"]).where(samples["session"] != "", None)
    head = {
        "participant_id": ("sub-" + samples["participant"]).to_numpy(),
        "session_id": session.to_numpy(),
        "study": samples["study"].to_numpy(),
        "age": samples["age"].to_numpy(),
    }
    return pd.DataFrame({**head, **columns}).dropna(axis="columns", how="all")


def _description(scale: str) -> dict[str, object]:
    """Return the JSON content that says what the scores are."""
    text = f"Simulated muscle scores, no patient's data. {scales()[scale].description}."
    units = {"Units": "percent"} if scale == MEASURED else {}
    return {"MeasurementToolMetadata": {"Description": text}, "Scale": scale, **units}
