"""True fat fractions of simulated muscles, and what readers and scanners make of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.arrays import Float64
from pipelines.diagnosis.simulation.tables import Tables

# Fat fraction (percent) of a muscle that the disease has not reached, and what it can add.
HEALTHY, RANGE = 2.5, 92.0
# Log-odds of fat: of one step in patterns.tsv, and per year between visits.
STEP, PER_YEAR = 0.75, 0.12
# Share of the spread of stages that goes with age within a disease.
AGE_SHARE = 0.4
# Noise (percent fat fraction): of a measurement, and of a reader's eye before grading.
MEASUREMENT_SD, READER_SD = 1.5, 4.0


@dataclass(frozen=True)
class Heterogeneity:
    """How far patients stray from their disease's pattern (log-odds of fat, SD).

    Attributes
    ----------
    patient : float
        Of a muscle, the same at all visits of a patient.
    visit : float
        Of a muscle from visit to visit.
    """

    patient: float
    visit: float = 0.1


def true_fat_fractions(
    tables: Tables, samples: pd.DataFrame, spread: Heterogeneity, rng: np.random.Generator
) -> Float64:
    """Return the fat fraction of every muscle, left and right, without any reading error.

    The result is (samples, muscles, 2).
    """
    labels = samples["diagnosis"].to_numpy()
    first, patient = np.unique(samples["participant"], return_index=True, return_inverse=True)[1:]
    severity = tables.severities.loc[labels]
    pattern = tables.patterns[list(tables.labels)].to_numpy(dtype=np.float64).T
    pattern = pattern - pattern.mean(axis=1, keepdims=True)
    muscles = len(tables.muscles)

    ages = samples["age"].groupby(labels)
    relative = (samples["age"] - ages.transform("mean")) / ages.transform("std").clip(lower=1.0)
    age = relative.fillna(0.0).to_numpy(dtype=np.float64)[first][patient]
    own = rng.standard_normal(len(first))[patient]
    deviation = np.sqrt(AGE_SHARE) * age + np.sqrt(1 - AGE_SHARE) * own
    stage = severity["stage"].to_numpy() + severity["stage_sd"].to_numpy() * deviation
    stage = stage + PER_YEAR * samples["visit"].to_numpy()

    disease = tables.counts.index.get_indexer(pd.Index(labels))
    both = stage[:, None] + STEP * pattern[disease]
    both = both + spread.patient * rng.standard_normal((len(first), muscles))[patient]
    both = both + spread.visit * rng.standard_normal((len(samples), muscles))
    half = rng.standard_normal((len(first), muscles))[patient] / 2
    half = half * severity["asymmetry"].to_numpy(dtype=np.float64)[:, None]
    log_odds = np.stack([both + half, both - half], axis=2)
    return np.asarray(HEALTHY + RANGE / (1 + np.exp(-log_odds)))


def simulate_reading(
    fat_fraction: Float64, scale: str, tables: Tables, lowest: float, rng: np.random.Generator
) -> Float64:
    """Return the scores a study gives: noisy fat fractions, or grades of a noisy eye.

    `fat_fraction` is in percent.
    """
    noise = rng.standard_normal(fat_fraction.shape)
    if scale == "FF":
        return np.clip(fat_fraction + MEASUREMENT_SD * noise, 0.0, 100.0).round(1)
    seen = fat_fraction + READER_SD * noise
    grades = np.searchsorted(tables.thresholds[scale], seen.ravel()).reshape(seen.shape)
    return grades.astype(np.float64) + lowest
