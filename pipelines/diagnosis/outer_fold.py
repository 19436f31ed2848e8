"""One outer fold: search on its training part, train the members, predict its test part."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.diagnosis.checkpoint import check_journal
from pipelines.diagnosis.cohort import Cohort
from pipelines.diagnosis.comparators import comparator_probabilities
from pipelines.diagnosis.explanation.out_of_fold import explain_fold
from pipelines.diagnosis.fold_result import FoldResult, load_fold, store_fold
from pipelines.diagnosis.folds import Split, grouped_folds
from pipelines.diagnosis.member_training import train_ensemble
from pipelines.diagnosis.prepared_fold import PreparedFold
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.search import members_of, search
from pipelines.harmonization.harmonize import HarmonizationOptions

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FoldTask:
    """What one outer fold needs; picklable if `progress` is.

    Attributes
    ----------
    fold : int
        Its number.
    cohort : Cohort
        All samples.
    split : Split
        Rows of the cohort to train on and to predict.
    options : HarmonizationOptions
        How scores are made comparable.
    protocol : Protocol
        The protocol.
    checkpoint : Path or None
        Folder that records the search, so that it can be resumed.
    progress : callable or None
        Called after every trial.
    explain : bool
        Explain the test rows.
    """

    fold: int
    cohort: Cohort
    split: Split
    options: HarmonizationOptions
    protocol: Protocol
    checkpoint: Path | None = None
    progress: Callable[[], None] | None = None
    explain: bool = False


def run_fold(task: FoldTask) -> FoldResult:
    """Search, train and predict one outer fold, or read its result if it was done before.

    Raises
    ------
    DataError
        If every trial failed, or what an earlier run left of the fold cannot be used.
    """
    start = time.process_time()
    cohort, protocol, test = task.cohort, task.protocol, task.split.test
    stored = task.checkpoint and task.checkpoint / f"fold-{task.fold:02d}.npz"
    if stored and stored.exists():
        result = load_fold(stored, task.fold, test, len(cohort.classes))
        if result.explanation or not task.explain:
            if task.progress:
                for _ in range(protocol.trials):
                    task.progress()
            return result
    journal = task.checkpoint and task.checkpoint / f"fold-{task.fold:02d}.journal"
    if journal:
        check_journal(journal)
    trials = search(
        inner_folds(task),
        len(cohort.classes),
        protocol,
        fold=task.fold,
        journal=journal,
        progress=task.progress,
    )
    ensemble = train_ensemble(cohort, task.split.train, members_of(trials), task.options, protocol)
    result = FoldResult(
        task.fold,
        test,
        ensemble.predict(cohort.native.subset(test)),
        _comparators(task),
        trials,
        # Now, while the members are there: keeping them would take as much space as the model.
        explanation=explain_fold(ensemble, cohort.native, test) if task.explain else None,
        seconds=time.process_time() - start,
    )
    if stored:
        store_fold(result, stored)
    return result


def inner_folds(task: FoldTask) -> list[PreparedFold]:
    """Prepare the inner folds; no test row of the outer fold reaches them."""
    protocol = task.protocol
    cohort = task.cohort.subset(task.split.train)
    splits = grouped_folds(
        cohort.y, cohort.patients, cohort.classes, protocol.inner_folds, protocol.seed
    )
    return [PreparedFold(cohort, split, task.options, protocol) for split in splits]


def _comparators(task: FoldTask) -> dict[str, FloatArray]:
    """Train and apply the comparators, if the protocol wants them."""
    if not task.protocol.comparators:
        return {}
    return comparator_probabilities(task.cohort, task.split, task.options, task.protocol)
