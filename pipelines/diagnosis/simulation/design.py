"""Who is in a simulated cohort: studies, patients, visits, sex and age (no scores yet)."""

from typing import Any

import numpy as np
import pandas as pd

from pipelines.arrays import Float64, Int64, Objects
from pipelines.diagnosis.simulation.tables import SEXES, Tables

# Patients behind the 2961 samples of table 1, and the share of them seen more than once; the
# paper gives neither number.
PATIENTS_PER_SAMPLE = 2009 / 2961
LONGITUDINAL = 0.25
YEARS_BETWEEN_VISITS = 1.0
OLDEST = 90.0
AGE_UNKNOWN = 0.03

# Table 1 gives scales and sides by themselves. Filling the joint table in this order matches
# what it shows: fat fractions came as averages, the older scales often one-sided.
_SCALE_ORDER = ("FF", "1-4", "0-5", "2a2b", "0-4")
_SIDE_ORDER = ("average", "unilateral", "bilateral")


def study_blocks(tables: Tables) -> pd.DataFrame:
    """Split table 1 into studies: one per disease, scale and side.

    Returns ``study``, ``diagnosis``, ``scale``, ``sides``, ``samples``, in the order of table 1.
    """
    rows = []
    for label in tables.labels:
        counts = {str(name): n for name, n in tables.counts.loc[label].items()}
        for scale in _SCALE_ORDER:
            for side in _SIDE_ORDER:
                samples = min(counts[scale], counts[side])
                if samples:
                    counts[scale] -= samples
                    counts[side] -= samples
                    study = f"simulated-{label}-{scale}-{side}"
                    rows.append((study, label, scale, side, samples))
    return pd.DataFrame(rows, columns=["study", "diagnosis", "scale", "sides", "samples"])


def design_cohort(
    tables: Tables, samples: int, least_patients: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Lay out a cohort with the proportions of table 1.

    Returns one row per sample: ``study``, ``participant``, ``session`` ('' if there is one visit),
    ``visit`` (from 0), ``scale``, ``sides``, ``sex`` ('M', 'F' or missing), ``age`` (years or
    missing), ``diagnosis``.
    """
    blocks = study_blocks(tables)
    blocks["samples"], blocks["patients"] = _sizes(blocks, samples, least_patients)
    blocks = blocks[blocks["samples"] > 0]
    sizes = zip(blocks["samples"], blocks["patients"], strict=True)
    visits = np.concatenate([_visits(samples, patients) for samples, patients in sizes])
    patients = blocks.loc[
        blocks.index.repeat(blocks["patients"]), ["study", "diagnosis", "scale", "sides"]
    ].reset_index(drop=True)
    patients["participant"] = [f"sim{number:04d}" for number in range(1, len(patients) + 1)]
    patients["sex"] = _sexes(tables, patients["diagnosis"], visits, rng)
    rows = patients.loc[patients.index.repeat(visits)]
    visit = rows.groupby(level=0).cumcount().to_numpy()
    rows = rows.reset_index(names="patient_number").assign(visit=visit)
    repeated = np.repeat(visits, visits) > 1
    rows["session"] = np.where(repeated, [f"{v + 1:02d}" for v in visit], "")
    rows["age"] = _ages(tables, rows, rng)
    columns = ["study", "participant", "session", "visit", "scale", "sides", "sex", "age"]
    return rows[[*columns, "diagnosis"]]


def apportion(weights: Float64, total: int) -> Int64:
    """Split a whole number in proportion to weights, by largest remainders.

    `weights` and the result are (n,).
    """
    exact = weights * (total / weights.sum())
    parts: Int64 = np.floor(exact).astype(np.int64)
    parts[np.argsort(parts - exact, kind="stable")[: total - int(parts.sum())]] += 1
    return parts


def rows_by_value(column: "pd.Series[Any]") -> dict[str, Int64]:
    """Return the positions of each value of a column, values in order of appearance."""
    return {str(value): np.flatnonzero(column == value) for value in column.unique()}


def _sizes(blocks: pd.DataFrame, samples: int, least_patients: int) -> tuple[Int64, Int64]:
    """Return how many samples and patients each study has."""
    published = blocks["samples"].to_numpy()
    sizes = apportion(published.astype(np.float64), samples)
    for rows in rows_by_value(blocks["diagnosis"]).values():
        if sizes[rows].sum() < least_patients:
            sizes[rows] = apportion(published[rows].astype(np.float64), least_patients)
    patients = apportion(sizes.astype(np.float64), round(sizes.sum() * PATIENTS_PER_SAMPLE))
    patients = np.clip(patients, (sizes > 0).astype(np.int64), sizes)
    for rows in rows_by_value(blocks["diagnosis"]).values():
        missing = least_patients - int(patients[rows].sum())
        room = sizes[rows] - patients[rows]
        if missing > 0:
            patients[rows] += apportion(room.astype(np.float64), missing)
    return sizes, patients


def _visits(samples: int, patients: int) -> Int64:
    """Return the visits of each patient of a study; the repeated ones come first."""
    further = samples - patients
    visits = np.ones(patients, dtype=np.int64)
    if further:
        repeated = min(patients, further, max(1, round(patients * LONGITUDINAL)))
        visits[:repeated] += apportion(np.ones(repeated), further)
    return visits


def _sexes(
    tables: Tables, diagnoses: pd.Series, visits: Int64, rng: np.random.Generator
) -> Objects:
    """Return a sex per patient so that samples of each sex add up to the table's counts.

    Patients with many visits are placed first, at random among the sexes that still have room;
    patients with one visit fill the rest exactly.
    """
    sexes = np.empty(len(visits), dtype=object)
    codes = np.array(["M", "F", None], dtype=object)
    for label, rows in rows_by_value(diagnoses).items():
        known = tables.counts.loc[label, list(SEXES)].to_numpy(dtype=np.float64)
        weights = np.append(known, float(tables.counts["samples"][label]) - known.sum())
        left = apportion(weights, int(visits[rows].sum()))
        for row in rows[np.argsort(-visits[rows] + rng.random(len(rows)) / 2)]:
            room = np.where(left >= visits[row], left, 0).astype(np.float64)
            if not room.any():
                room = left.astype(np.float64)
            chosen = rng.choice(3, p=room / room.sum())
            sexes[row] = codes[chosen]
            left[chosen] = max(0, left[chosen] - visits[row])
    return sexes


def _ages(tables: Tables, rows: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """Return ages (years), shifted so that each disease has the mean age of the table."""
    labels = rows["diagnosis"].to_numpy()
    number = rows["patient_number"].to_numpy()
    first = np.unique(number, return_index=True)[1]
    at_first = _first_ages(tables, pd.Index(labels[first]), rng)
    ages = at_first[number] + YEARS_BETWEEN_VISITS * rows["visit"]
    excess = ages.groupby(labels).transform("mean") - tables.counts["mean_age"].loc[labels].values
    youngest = tables.severities["youngest"].loc[labels].to_numpy(dtype=np.float64)
    shifted: pd.Series[float] = (ages - excess).clip(lower=youngest / 2, upper=OLDEST).round(1)
    return shifted


def _first_ages(tables: Tables, labels: "pd.Index[Any]", rng: np.random.Generator) -> Float64:
    """Return ages of patients at their first visit, above the youngest of their disease."""
    severity = tables.severities.loc[labels]
    youngest = severity["youngest"].to_numpy(dtype=np.float64)
    spread = severity["age_sd"].to_numpy(dtype=np.float64)
    above = tables.counts["mean_age"].loc[labels].to_numpy(dtype=np.float64) - youngest
    shape = (above / spread) ** 2
    ages = youngest + rng.gamma(shape, above / shape)
    return np.where(rng.random(len(labels)) < AGE_UNKNOWN, np.nan, ages)
