"""Train what the nested search found on all samples: the ensemble to deploy."""

from collections.abc import Callable

import numpy as np

from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.diagnosis.training.nested import NestedResult


def refit_ensemble(
    nested: NestedResult, *, progress: Callable[[int, int], None] | None = None
) -> Ensemble:
    """Train the members of all outer folds on all samples: the ensemble to deploy.

    Parameters
    ----------
    nested : NestedResult
        What the search found.
    progress : callable, optional
        Called with the members trained and their total.
    """
    everyone = np.arange(len(nested.cohort.y))
    return train_ensemble(
        nested.cohort,
        everyone,
        nested.members,
        nested.options,
        nested.protocol,
        progress=progress,
    )
