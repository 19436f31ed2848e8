"""Train what the nested search found on all samples: the ensemble to deploy."""

from collections.abc import Callable, Sequence

import numpy as np

from pipelines.diagnosis.cohort import Cohort, training_cohort
from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.training.members import train_ensemble
from pipelines.diagnosis.training.nested import NestedResult
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores


def refit_ensemble(
    native: NativeScores,
    labels: Sequence[object],
    nested: NestedResult,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Ensemble:
    """Train the members of all outer folds on all samples: the ensemble to deploy.

    Parameters
    ----------
    native : NativeScores
        The samples given to :func:`pipelines.diagnosis.training.nested.run_nested`.
    labels : sequence
        Their diagnoses.
    nested : NestedResult
        What the search found.
    progress : callable, optional
        Called with the members trained and their total.

    Raises
    ------
    DataError
        If the samples are not those of the search.
    """
    cohort = _same_cohort(native, labels, nested)
    return train_ensemble(
        cohort,
        np.arange(len(cohort.y)),
        nested.members,
        nested.options,
        nested.protocol,
        progress=progress,
    )


def _same_cohort(native: NativeScores, labels: Sequence[object], nested: NestedResult) -> Cohort:
    """Return the training samples, or refuse others than those of the search."""
    cohort = training_cohort(native, labels, nested.protocol.minimum_samples)
    same = (
        cohort.classes == nested.classes
        and cohort.native.samples.index.equals(nested.samples.index)
        and np.array_equal(cohort.y, nested.y)
    )
    if not same:
        raise DataError(
            "The samples or their diagnoses differ from those of the search.",
            "Run the search again on the present cohort.",
        )
    return cohort
