"""Small invented cohorts for the tests of training."""

from typing import Any

import numpy as np
import pandas as pd

from pipelines.diagnosis.cohort import Cohort, training_cohort
from pipelines.diagnosis.protocol import Protocol, load_profile
from pipelines.harmonization.scores.native import NativeScores

MUSCLES = tuple(f"muscle_{i}" for i in range(8))


def small_cohort(
    patients: tuple[int, ...] = (12, 12, 12),
    *,
    visits: int = 1,
    studies: int = 2,
    seed: int = 0,
    missing: float = 0.15,
) -> tuple[NativeScores, list[Any]]:
    """Return scores 0-4 of patients per disease (A, B, ...), and their diagnoses.

    Each disease has its own muscles with more fat; patients alternate between studies.
    """
    random = np.random.default_rng(seed)
    rows, values, labels = [], [], []
    for disease, count in enumerate(patients):
        pattern = np.where(np.arange(len(MUSCLES)) % len(patients) == disease, 2.6, 1.0)
        for patient in range(count):
            study = f"study{patient % studies}"
            name = f"{disease}{patient:02d}"
            own = pattern + random.normal(0, 0.8, len(MUSCLES))
            for visit in range(visits):
                sides = own[:, np.newaxis] + random.normal(0, 0.4, (len(MUSCLES), 2))
                scores = np.clip(np.round(sides), 0, 4)
                scores[random.random(len(MUSCLES)) < missing] = np.nan
                values.append(np.column_stack([scores, np.full(len(MUSCLES), np.nan)]))
                labels.append(chr(ord("A") + disease))
                rows.append(
                    {
                        "sample": f"{study}/sub-{name}_ses-{visit}",
                        "study": study,
                        "participant": name,
                        "session": str(visit),
                        "patient": f"{study}/{name}",
                        "scale": "0-4",
                        "sides": "bilateral",
                        "sex": random.choice(["M", "F"]) if random.random() < 0.9 else None,
                        "age": float(random.integers(10, 80)),
                        "diagnosis": labels[-1],
                        "site": None,
                    }
                )
    samples = pd.DataFrame(rows).set_index("sample")
    return NativeScores(samples, MUSCLES, np.array(values)), labels


def small_training_cohort(*args: Any, **kwargs: Any) -> Cohort:
    """Return :func:`small_cohort` with the classes that :func:`tiny_protocol` trains on."""
    return training_cohort(*small_cohort(*args, **kwargs), tiny_protocol().minimum_samples)


def tiny_protocol(**changes: Any) -> Protocol:
    """Return a protocol that searches a small cohort in about a second."""
    settings: dict[str, Any] = {
        "outer_folds": 3,
        "inner_folds": 2,
        "trials": 5,
        "random_trials": 2,
        "percentile": 60,
        "minimum_samples": 5,
        "comparators": False,
        "space": {"rounds": {"low": 2, "high": 5}, "knn_k": {"low": 3, "high": 4}},
    }
    return load_profile("quick", **{**settings, **changes})
