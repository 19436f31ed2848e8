"""Which samples are trained on, and their classes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.arrays import Index, Objects
from pipelines.errors import DataError
from pipelines.harmonization.scores.native import NativeScores

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cohort:
    """Samples with a diagnosis that is frequent enough.

    Attributes
    ----------
    native : NativeScores
        Their scores, n rows.
    y : int array (n,)
        Their class numbers.
    classes : tuple of str
        Diagnoses, sorted.
    excluded : dict of str to int
        Diagnoses left out because they are rare, and their numbers of samples.
    undiagnosed : int
        Samples left out because they have no diagnosis.
    """

    native: NativeScores
    y: Index
    classes: tuple[str, ...]
    excluded: dict[str, int]
    undiagnosed: int

    def subset(self, rows: Index) -> "Cohort":
        """Return some of the samples, with the same classes."""
        return replace(self, native=self.native.subset(rows), y=self.y[rows])

    @property
    def patients(self) -> Objects:
        """Patient of every sample (n,); samples of a patient stay in one fold."""
        return self.native.samples["patient"].to_numpy(dtype=object)


def training_cohort(native: NativeScores, labels: Sequence[object], minimum_samples: int) -> Cohort:
    """Select the samples to train on.

    Parameters
    ----------
    native : NativeScores
        All samples.
    labels : sequence
        Diagnosis of each; None or NaN where unknown.
    minimum_samples : int
        Diagnoses with fewer samples are left out (paper, section 2.1: 30).

    Raises
    ------
    DataError
        If the labels don't fit the samples or fewer than two diagnoses remain.
    """
    names = pd.Series(list(labels), dtype=object)
    if len(names) != len(native.values):
        raise DataError(f"{len(names)} diagnoses were given for {len(native.values)} samples.")
    known = names.notna().to_numpy()
    undiagnosed = int((~known).sum())
    if undiagnosed:
        logger.warning("%d samples have no diagnosis: not used for training", undiagnosed)
    counts = {str(name): int(n) for name, n in names[known].value_counts().sort_index().items()}
    excluded = {name: n for name, n in counts.items() if n < minimum_samples}
    if excluded:
        logger.warning(
            "diagnoses with fewer than %d samples are left out: %s",
            minimum_samples, _listed(excluded),
        )  # fmt: skip
    classes = tuple(name for name in counts if name not in excluded)
    if len(classes) < 2:
        raise DataError(
            f"Training needs two diagnoses with at least {minimum_samples} samples each; "
            f"the cohort has {_listed(counts) or 'no diagnosis at all'}.",
            "Lower --minimum-samples, or fill the column diagnosis of participants.tsv.",
        )
    numbers = names.map({name: k for k, name in enumerate(classes)})
    rows: Index = np.flatnonzero(numbers.notna().to_numpy())
    return Cohort(
        native.subset(rows),
        numbers.to_numpy()[rows].astype(np.intp),
        classes,
        excluded,
        undiagnosed,
    )


def _listed(counts: dict[str, int]) -> str:
    """Return class names with their counts in a sentence."""
    return ", ".join(f"{name} ({n})" for name, n in counts.items())
